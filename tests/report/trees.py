"""Folder trees of manifests: one that real syncs made, with all that can happen to it, and changes to it by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.sandbox import Sandbox
from tests.extract.serving import client_of
from tests.load.storing import capture, put

START = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
DAYS = 12
MADE_AT = datetime(2026, 1, 13, 9, tzinfo=UTC)
GAP = 5
"""Number of the day of customers that is left out."""
ENVIRONMENT = "sandbox"


def midnight(day: int) -> datetime:
    """The beginning of a day of the tree, counted from 0."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)


def grow(root: Path) -> None:
    """Sync some days: copies that follow their records, windows by day with a gap, by two hours, and whole readings."""
    life: dict[str, Any] = {"lives": "long", "customers": 20, "transactions": 30, "days": 1, "arrivals_per_hour": 1.5}
    with Sandbox(now=START + timedelta(days=1), clock_speed=0, **life) as sandbox:
        for day in range(DAYS):
            if day:
                sandbox.advance(86400)
            for name in ("transactions", "broker_transactions"):
                capture(sandbox, root, name, START)
            _read_windows(sandbox, root, day)


def _read_windows(sandbox: Sandbox, root: Path, day: int) -> None:
    client = client_of(sandbox)
    sandbox.configure(unknown_fields=day >= 8)
    if day != GAP:
        put(client, root, "customers", _hours(day, 0, 24))
    sandbox.configure(unknown_fields=False)
    put(client, root, "balances")
    if day >= DAYS - 2:
        for hour in range(0, 24, 2):
            _read_orders(sandbox, root, _hours(day, hour, hour + 2), unproved=hour == 8)
    client.session.close()


def _read_orders(sandbox: Sandbox, root: Path, requested: RequestedWindow, *, unproved: bool) -> None:
    client = client_of(sandbox)
    sandbox.configure(total_error=int(unproved), misfit_share=0.2, misfits=["amount"])
    put(client, root, "orders", requested, "parquet", strict=False, max_rejected=1000)
    sandbox.configure(total_error=0, misfit_share=0.0)
    client.session.close()


def _hours(day: int, first: int, last: int) -> RequestedWindow:
    return RequestedWindow(midnight(day) + timedelta(hours=first), midnight(day) + timedelta(hours=last), "arguments")


def spread(
    root: Path, grown: Path, number: int, hours: int, resources: Sequence[str] = ("transactions",), missing: Container[int] = ()
) -> None:
    """Write manifests of as many windows, each of some hours, from the one of a real window.

    :param grown: the tree that it is of
    :param missing: numbers of windows that are left out
    """
    model = json.loads(windows(grown, "transactions")[0].read_text())
    model |= {"patches": model.get("patches", [])[:4], "previous": None}
    model.pop("replaces", None)
    for place in range(number):
        start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hours) * place
        end = start + timedelta(hours=hours)
        window = {"start": f"{start:%FT%TZ}", "end": f"{end:%FT%TZ}", "how": "arguments"}
        days = [{**day, "day": f"{start + timedelta(days=later):%F}"} for later, day in enumerate(model["days"])]
        for resource in resources if place not in missing else ():
            label = f"{start:%Y%m%dT%H%M%SZ}-{end:%Y%m%dT%H%M%SZ}"
            folder = root / "test" / resource / label
            folder.mkdir(parents=True)
            read = {"read_by": f"{model['feed']} {label}", "read_at": window["end"]}
            changed = {"resource": resource, "window": window, "days": days, **read}
            (folder / "_manifest.json").write_text(json.dumps({**model, **changed}))


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest by hand, as nobody should."""
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def windows(root: Path, resource: str) -> list[Path]:
    """The manifests of a resource's windows, oldest first."""
    return sorted((root / ENVIRONMENT / resource).glob("2*/_manifest.json"))
