"""Finds the manifests of a table of a SQL database. Of its rows only the open ones are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.manifest import Manifest
from airflow_provider_nexus.load.sql.books import Bookkeeping
from airflow_provider_nexus.load.sql.check import ManifestCheck
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.sessions import snapshot
from airflow_provider_nexus.load.sql.tables import Model, unsettled_in
from airflow_provider_nexus.report.collection import Chain, ResourceCopy, ShownManifest, WindowEntry, Wording, read_manifest
from airflow_provider_nexus.report.findings import has_plain_keys
from airflow_provider_nexus.report.page import put_page, render
from airflow_provider_nexus.verify.tables import StoredTable

TABLES = Wording(
    holder="Table",
    no_open="Not known: these records have no status by which they come to an end.",
    made_from=(
        "Made from the manifests of the table; open records are counted in it. Whether its rows still are as the manifests "
        "state was not looked at:"
    ),
    note=(
        "Counts and sums are of each window as it was last read whole. Rows that other readings have changed since are so in "
        "the table, and not in these numbers."
    ),
)
_HIDDEN = "not shown"


def write_table_report(stored: StoredTable, *, made_at: datetime | None = None) -> str:
    """A report on the manifests of a table. It shows each of them in full, as there are no files to link to.

    :param stored: as :func:`~airflow_provider_nexus.verify.tables.open_table` finds it
    :param made_at: when it is made; by default now
    :return: HTML, one page, the same for the same table and moment
    :raises NexusConfigurationError: when nothing was ever loaded into the table
    :raises NexusStorageError: when the database fails
    """
    return render([collection_of(stored)], TABLES, made_at=made_at)


def put_table_report(stored: StoredTable, target: Any, *, made_at: datetime | None = None) -> int:
    """Write a report on the manifests of a table into a file, whole or not at all.

    :param stored: as :func:`~airflow_provider_nexus.verify.tables.open_table` finds it
    :param target: the file, any path object that behaves like ``pathlib.Path``; its folder is made if it is missing
    :param made_at: when it is made; by default now
    :return: its size in bytes
    :raises NexusConfigurationError: when nothing was ever loaded into the table
    :raises NexusStorageError: when the database fails, or the file can't be written
    """
    return put_page(lambda: write_table_report(stored, made_at=made_at), target)


def collection_of(stored: StoredTable) -> ResourceCopy:
    """The copy in a table, as its books have it.

    :raises NexusConfigurationError: when nothing was ever loaded into the table
    :raises NexusStorageError: when the database fails
    """
    model = stored.model
    with failing("read", model.name), snapshot(stored.engine) as connection:
        books = Bookkeeping(connection, model)
        checked = ManifestCheck(books, model)
        loads = [_load_row(model, row, flaws) for row, flaws in checked.walk()]
        lost, aside, unsettled = list(checked.lost()), books.rejected_counts(), unsettled_in(connection, model)
    follows = stored.resource.lifecycle and model.source.created and model.source.status
    if not loads:
        raise NexusConfigurationError(f"no manifest of table {model.name}: sync something into it first")
    named = _by_name(loads)
    entries = [_entry(name, of_name, aside) for name, of_name in named.items()]
    entries.sort(key=lambda each: (each.start, each.end or each.start, each.label))
    shown = [_shown(load, hides_keys=not has_plain_keys(stored.resource.name)) for load in loads]
    windows = [load for of_name in named.values() for load in of_name]
    readings = [(load.label, load.manifest) for load in loads if load.manifest and load not in windows]
    return ResourceCopy(model.name, entries, [], readings, unsettled if follows else None, _chain(loads, named, lost), shown)


@dataclass(frozen=True)
class _LoadRow:
    """One row of the books.

    :param manifest: ``None`` when it can't be read
    :param sha256: digest of the manifest's text, as computed
    :param flaws: what is wrong with it
    """

    number: int
    label: str
    feed: str
    start: datetime | None
    end: datetime | None
    read_at: datetime
    follows: bool
    text: str
    manifest: Manifest | None
    sha256: str
    flaws: tuple[str, ...]
    anchor: str

    @property
    def window(self) -> str:
        """Label of the window that it is of; empty when of none."""
        return Window(self.start, self.end).label if self.start and self.end and self.start < self.end else ""


def _load_row(model: Model, row: Mapping[str, Any], flaws: Iterable[str]) -> _LoadRow:
    raw = row["manifest"].encode()
    return _LoadRow(
        number=row["number"],
        label=row["label"],
        feed=row["feed"],
        start=row["window_start"],
        end=row["window_end"],
        read_at=row["read_at"],
        follows=bool(row["previous"]),
        text=row["manifest"],
        manifest=read_manifest(raw)[0],
        sha256=manifests.digest_of(raw),
        flaws=tuple(flaws),
        anchor=f"{model.name}-{row['number']}",
    )


def _by_name(loads: list[_LoadRow]) -> dict[str, list[_LoadRow]]:
    """The loads of each window and of each whole reading, by its label. A window that was read again whole is still that one."""
    named: dict[str, list[_LoadRow]] = {}
    windows = {load.label for load in loads if load.feed == "created"}
    for load in loads:
        if load.feed in ("created", "whole"):
            named.setdefault(load.label, []).append(load)
        elif load.feed == "reread" and load.window in windows:
            named.setdefault(load.window, []).append(load)
    return named


def _entry(name: str, loads: list[_LoadRow], aside: Mapping[str, dict[tuple[str, str], int]]) -> WindowEntry:
    last = loads[-1]
    before = ["", *(load.sha256 for load in loads)]
    return WindowEntry(
        label=name,
        path="",
        start=last.start or last.read_at,
        end=last.end,
        manifest=last.manifest,
        sha256=last.sha256,
        replaces=before[-2],
        replaced={load.sha256: digest for load, digest in zip(loads[:-1], before, strict=False)},
        flaws=list(last.flaws),
        put_aside=aside.get(last.label, {}),
        anchor=last.anchor,
    )


def _chain(loads: list[_LoadRow], named: Mapping[str, list[_LoadRow]], lost: list[str]) -> Chain:
    """Each load names the digest of the one before, whatever it was of."""
    replaced = {load.number for of_name in named.values() for load in of_name[:-1]}
    broken = [(f"load {load.number}, {load.label}", flaw) for load in loads for flaw in load.flaws]
    led_to = [load.number - 1 for load in loads if load.follows]
    return Chain(len(led_to), sum(number in replaced for number in led_to), broken + [("the table", flaw) for flaw in lost])


def _shown(load: _LoadRow, *, hides_keys: bool) -> ShownManifest:
    text = _without_keys(load) if hides_keys else load.text
    title = f"Load {load.number}: {load.label}, SHA-256 {load.sha256}" + (", without keys, as those are personal" * hides_keys)
    return ShownManifest(load.anchor, title, text)


def _without_keys(load: _LoadRow) -> str:
    if not load.manifest:
        return _HIDDEN
    members = load.manifest.dump()
    for name in ("first", "last"):
        members[name] = members[name] and {**members[name], "key": _HIDDEN}
    return json.dumps(members, indent=1, sort_keys=True, ensure_ascii=False)
