"""A Nexus whose books a test scripts, and copies read from it. See docs/api_facts.rst, Prices and balances."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from airflow_provider_nexus.api.records import at
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.reconcile.copied import copied_files
from airflow_provider_nexus.reconcile.reconciled import Reconciled
from airflow_provider_nexus.reconcile.reconciliation import Reconciliation
from tests.client.socket_server import Asked, SocketServer, answer
from tests.extract.serving import QUICK
from tests.load.storing import put

START, MOMENT = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 11, tzinfo=UTC)
RESERVES = ("hot_wallet_mutations", "orders", "transfers")
LOG = logging.getLogger(__name__)
_encode = msgspec.json.Encoder(decimal_format="number").encode
TRANSACTIONS, ORDERS, TRANSFERS, LEDGER = "/transactions/custodian", "/orders", "/transfers", "/balances/hotwallet/mutations"
_FROM = {LEDGER: ("startTime", "endTime")}
Query = dict[str, str]


def wire(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def day(number: float) -> datetime:
    return START + timedelta(days=number)


class Nexus:
    """Lists and books.

    :ivar records: what each path lists
    :ivar balances: what the books of customers have: when, customer, crypto, amount
    :ivar reserves: what the books of places have: when, what identifies the place, currency or crypto, amount
    :ivar takes_in: whether a moment takes in its own second
    :ivar extra: by how much the total of lists is wrong
    :ivar ignores: names of queries that have no effect
    :ivar answers: other answers, by path
    """

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = {TRANSACTIONS: [], ORDERS: [], TRANSFERS: [], LEDGER: []}
        self.balances: list[tuple[datetime, str, str, Decimal]] = []
        self.reserves: list[tuple[datetime, dict[str, Any], str, Decimal]] = []
        self.customers, self.takes_in, self.extra = set[str](), False, 0
        self.ignores, self.answers = set[str](), dict[str, Callable[[Query], bytes]]()

    def trade(
        self, code: str, amount: str, at: datetime, customer: str | None = "C1", *, books: str | None = None, **other: Any
    ) -> None:
        """A transaction, and its mutation in the books.

        :param books: what the books have of it instead; empty for nothing
        """
        record = {
            "transactionCode": code, "customerCode": customer, "status": "COMPLETED", "type": "BUY", "created": wire(at),
            "cryptoCode": "BTC", "currencyCode": "EUR", "balanceMutation": {"crypto": Decimal(amount), "fiat": None},
        }  # fmt: skip
        self.records[TRANSACTIONS].append(record | other)
        self.customers.add(customer or "")
        if (booked := amount if books is None else books) and (record | other)["status"] == "COMPLETED":
            self.balances.append((at, customer or "", "BTC", Decimal(booked)))

    def order(self, code: str, amount: str, value: str, fee: str, at: datetime, **other: Any) -> None:
        """An order that was filled, in the books of KRAKEN too."""
        record = {
            "orderCode": code, "action": "Buy", "type": "Market", "status": "FILLED", "created": wire(at),
            "finished": wire(at), "amount": Decimal(value),
            "tradePair": {"exchangeCode": "KRAKEN", "currencyCode": "EUR", "cryptoCode": "BTC"},
            "executed": {"amount": Decimal(amount), "price": Decimal(1), "value": Decimal(value), "fee": Decimal(fee)},
        }  # fmt: skip
        self.records[ORDERS].append(record | other)
        kraken = {"type": "Exchange", "exchangeCode": "KRAKEN"}
        self.reserves.append((at, kraken, "BTC", Decimal(amount)))
        self.reserves += [(at, kraken, "EUR", -Decimal(each)) for each in (value, fee)]

    def transfer(self, code: str, amount: str, at: datetime, source: Any, sink: Any, **other: Any) -> None:
        """A transfer, in the books of both ends but the hot wallet.

        :param source: kind of place and exchange
        """
        ends = {"sourceType": source[0], "sourceExchangeCode": source[1], "sinkType": sink[0], "sinkExchangeCode": sink[1]}
        record = {
            "transferCode": code, "type": "DEPOSIT", "status": "COMPLETED", "amount": Decimal(amount), "created": wire(at),
            "finished": wire(at), "cryptoCode": "BTC", "address": ends,
        }  # fmt: skip
        self.records[TRANSFERS].append(record | other)
        for (kind, exchange), sign in ((source, -1), (sink, 1)):
            if kind.lower() not in ("hotwallet", "other") and (record | other)["status"] == "COMPLETED":
                self.reserves.append((at, {"type": kind, "exchangeCode": exchange}, "BTC", sign * Decimal(amount)))

    def entry(self, code: str, amount: str, at: datetime, *, is_booked: bool = True, **other: Any) -> None:
        """An entry of the hot wallet's ledger, and the hot wallet that it moves."""
        record = {
            "type": "DEPOSIT", "created": wire(at), "transactionCode": code, "cryptoAmount": Decimal(amount),
            "cryptoCode": "BTC", "value": None,
        }  # fmt: skip
        self.records[LEDGER].append(record | other)
        if is_booked:
            self.reserves.append((at, {"type": "HotWallet"}, "BTC", Decimal(amount)))

    def __call__(self, asked: Asked) -> bytes:
        url = urlsplit(asked.target)
        path, query = unquote(url.path), {name: values[-1] for name, values in parse_qs(url.query).items()}
        query = {name: value for name, value in query.items() if name not in self.ignores}
        if path in self.answers:
            return self.answers[path](query)
        if path in self.records:
            return values(self._page(path, query))
        name, _, customer = path.rpartition("/")
        if path == "/balances" or name == "/balances/customers":
            moment = query.get("balanceDateTime", "9")
            whose = {customer} if name == "/balances/customers" else self.customers
            found = [(code, amount) for when, who, code, amount in self.balances if who in whose and self._counts(when, moment)]
            return values({"cryptoBalances": [balance(code, amount) for code, amount in _sums(found).items()]})
        if path == "/balances/hotwallet":
            known = [(code, amount) for _, place, code, amount in self.reserves if place["type"] == "HotWallet"]
            rows = [{"cryptoCode": code, "confirmedReserve": amount} for code, amount in _sums(known).items()]
            return plain(rows)
        if path == "/reserves":
            return values(self._reserves(query.get("reservesTimeStamp", "9")))
        return missing() if name != "/customer" or customer not in self.customers else values({"customerCode": customer})

    def _counts(self, when: datetime, at: str) -> bool:
        return wire(when) < at or (self.takes_in and wire(when) == at)

    def _page(self, path: str, query: Query) -> dict[str, Any]:
        names = _FROM.get(path, ("createdFrom", "createdTill"))
        found = [each for each in self.records[path] if _within(at(each, "created"), *(query.get(name) for name in names))]
        found = [
            each
            for each in found
            if _within(at(each, "finished"), *(query.get(name) for name in ("finishedFrom", "finishedTill")))
        ]
        if "customerCode" in query:
            found = [each for each in found if str(at(each, "customerCode")).lower() == query["customerCode"].lower()]
        found.sort(key=lambda each: at(each, "created"))
        limit, page = int(query.get("limit", 50)), int(query.get("page", 1))
        records = found[(page - 1) * limit : page * limit]
        return {"page": page, "total": len(found) + self.extra, "totalPages": -(-len(found) // limit), "records": records}

    def _reserves(self, at: str) -> dict[str, Any]:
        rows = dict[str, list[dict[str, Any]]](currencyReserves=[], cryptoReserves=[])
        for when, place, code, amount in self.reserves:
            if self._counts(when, at):
                holder = "currencyReserves" if code == "EUR" else "cryptoReserves"
                rows[holder].append({"code": code, **place, "total": amount, "locked": 0, "available": amount})
        return rows


def _within(stamp: str | None, since: str | None, until: str | None) -> bool:
    return (since is None or (stamp or "") >= since) and (until is None or (stamp is not None and stamp <= until))


def _sums(found: list[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums = dict[str, Decimal]()
    for code, amount in found:
        sums[code] = sums.get(code, Decimal(0)) + amount
    return sums


def balance(code: str, amount: object, **other: Any) -> dict[str, Any]:
    return {"code": code, "name": code, "locked": 0, "total": amount, "available": amount} | other


def plain(found: Any) -> bytes:
    """An answer without the envelope."""
    return answer(_encode(found), Date=formatdate(usegmt=True))


def values(found: Any) -> bytes:
    """An answer with values."""
    body = {"message": "Successfully processed your request", "errors": None, "values": found}
    return plain(body)


def missing(status: int = 404, error: str = "CustomerNotFound") -> bytes:
    body = {"message": "no", "errors": [error], "values": None}
    return answer(_encode(body), status, Date=formatdate(usegmt=True))


class Bench:
    """A scripted Nexus with its client, and copies of it."""

    def __init__(self, nexus: Nexus, server: SocketServer, client: NexusClient, root: Path) -> None:
        self.nexus, self.server, self.client, self.root = nexus, server, client, root

    def copy(self, *names: str, start: datetime = START, end: datetime = MOMENT, **options: Any) -> None:
        """Copy into files."""
        for name in names:
            put(self.client, self.root, name, RequestedWindow(start, end, "arguments"), settle_lag=timedelta(0), **options)

    def reconcile(self, *names: str, **options: Any) -> Reconciled:
        """Reconcile what was copied."""
        copies = {name: copied_files(self.root, name) for name in names}
        return Reconciliation(client=self.client, copies=copies, log=LOG, **options).run()

    def paths(self) -> list[str]:
        return [urlsplit(each.target).path for each in self.server.asked]


@contextmanager
def bench(root: Path) -> Iterator[Bench]:
    nexus = Nexus()
    with SocketServer(by=nexus) as server:
        settings = read_settings(token="t", host=server.base_url, extra={})
        client = NexusClient(NexusSession(settings, policy=QUICK))
        yield Bench(nexus, server, client, root)
        client.session.close()
