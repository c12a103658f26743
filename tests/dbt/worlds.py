"""What is loaded for the dbt package: a month of the sandbox, and records scripted from the facts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow, choose_window
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.capture import CaptureJob
from airflow_provider_nexus.sync.job import SyncJob
from tests.client.socket_server import Asked, SocketServer, answer
from tests.dbt.building import Store
from tests.extract.serving import QUICK, client_of
from tests.sync.capturing import BEGIN, DAY, living

CAPTURED = ("transactions", "broker_transactions", "orders")
"""Loaded day after day with all changes."""
IN_WINDOWS = ("transfers", "hot_wallet_mutations", "customers", "accounts", "mails")
WHOLE = ("customer_compliance_history", "payment_methods", "currencies", "prices", "reserves", "balances", "customer_balances")
NUMBERS = msgspec.json.Encoder(decimal_format="number")
FEW = 6
"""Customers whose compliance history and balances are loaded."""


def month() -> Sandbox:
    """A sandbox whose trades go on changing."""
    return living(per_day=20)


def load_month(sandbox: Sandbox, store: Store) -> None:
    """Load a month in three runs, each with the changes since the one before, and all that has no changes at its end."""
    for _ in range(3):
        sandbox.advance(10 * DAY)
        for name in CAPTURED:
            capture(sandbox, store, name)
    client, end = client_of(sandbox), sandbox.now.replace(microsecond=0) - timedelta(hours=1)
    few = tuple(RowReader(get_resource("customers")).read(raw).key for raw in sandbox.truth("customers")[:FEW])
    for name in (*IN_WINDOWS, *WHOLE):
        parents = few if get_resource(name).parent == "customers" else None
        for window in halves(end) if name in IN_WINDOWS else (None,):
            sync(client, store, name, window, parents)
    client.session.close()


def capture(sandbox: Sandbox, store: Store, name: str) -> None:
    copy, watermark = store.copy(name, sandbox.base_url)
    client = client_of(sandbox)  # a new one each time, as each task has its own
    wanted = choose_window(watermark=watermark.get) if watermark.get() else choose_window(arguments=(BEGIN, None))
    rereads = 0 if name == "orders" else 1  # so that the last load of one table is that of its open records
    CaptureJob(
        client, SyncRequest(resource=get_resource(name), requested=wanted), copy, watermark=watermark, rereads=rereads
    ).run()
    client.session.close()


def halves(end: datetime) -> tuple[RequestedWindow, ...]:
    """Two windows with all that was made before."""
    middle = end - timedelta(days=15)
    return (RequestedWindow(end - timedelta(days=400), middle, "arguments"), RequestedWindow(middle, end, "arguments"))


def sync(
    client: NexusClient,
    store: Store,
    name: str,
    window: RequestedWindow | None = None,
    parents: tuple[str, ...] | None = None,
    *,
    history: bool = False,
) -> None:
    copy, _ = store.copy(name, client.session.environment.base_url, history=history)
    SyncJob(client, SyncRequest(resource=get_resource(name), requested=window, parents=parents), Loader(copy)).run()


class Nexus:
    """A server that lists records as the facts say, by their time of creation, whatever is in them.

    :param records: by path; other paths are not found. Each list can be changed between two syncs
    :param now: what its clock shows
    """

    def __init__(self, records: dict[str, list[dict[str, Any]]], now: datetime) -> None:
        self.records, self.now = records, now
        self.server = SocketServer(by=self._answer)

    def client(self) -> NexusClient:
        return NexusClient(NexusSession(read_settings(token="t", host=self.server.base_url, extra={}), policy=QUICK))

    def _answer(self, asked: Asked) -> bytes:
        target, date = urlsplit(asked.target), formatdate(self.now.timestamp(), usegmt=True)
        if target.path not in self.records:
            return answer(b"{}", 404, Date=date, Content_Type="application/json")
        given = {name.lower(): values[0] for name, values in parse_qs(target.query).items()}
        start, end = (
            moment(given.get(one) or given.get(other))
            for one, other in (("createdfrom", "startdate"), ("createdtill", "enddate"))
        )
        found = [each for each in self.records[target.path] if is_within(each["created"], start, end)]
        found.sort(key=lambda each: each["created"], reverse=given.get("sortdirection", "").lower() == "desc")
        size, page = int(given.get("limit", 50)), int(given.get("page", 1))
        values = {
            "page": page,
            "total": len(found),
            "totalPages": -(-len(found) // size),
            "filteringParameters": {},
            "records": found[(page - 1) * size : page * size],
        }
        return answer(
            NUMBERS.encode({"message": "", "errors": None, "values": values}),
            Date=formatdate(usegmt=True),
            Content_Type="application/json",
        )


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def is_within(created: str, start: datetime | None, end: datetime | None) -> bool:
    stamp = datetime.fromisoformat(created)
    return (start is None or stamp >= start) and (end is None or stamp <= end)


def records_of(sandbox: Sandbox, name: str, parents: Iterable[str] = ("",)) -> list[dict[str, Any]]:
    """The records of the sandbox, numbers with all their digits."""
    raws = [raw for parent in parents for raw in sandbox.truth(name, parent=parent)]
    return [json.loads(raw, parse_float=Decimal, parse_int=Decimal) for raw in raws]


def at(record: Mapping[str, Any], path: str) -> Any:
    """A value inside of a record; ``None`` where an object on the way is missing."""
    found: Any = record
    for name in path.split("."):
        found = (found or {}).get(name)
    return found
