"""What is declared and was never seen on the wire comes in any way that a source allows, and every record arrives."""

from __future__ import annotations

import gzip
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
import sqlalchemy as sa

from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.schemas.field import Schema, text
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.exceptions import NexusContractError, NexusError, NexusRejectedError
from airflow_provider_nexus.extract.proof import Proof, Verdict
from airflow_provider_nexus.extract.proved_read import Reading, read_all
from airflow_provider_nexus.extract.records import RecordsWanted
from airflow_provider_nexus.extract.request import Contract, SyncRequest
from airflow_provider_nexus.extract.source import Source
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.sync.job import SyncJob
from tests.client.socket_server import Asked, SocketServer, answer
from tests.extract.serving import QUICK

FORMATS = ["jsonl", "parquet", "sql"]
LOG = logging.getLogger("shapes")


def pair(code: str, updated: Any = True, exchange: str = "KRAKEN") -> dict[str, Any]:
    status = {"tradeable": True, "enabled": True, "systemEnabled": True, "updated": updated, "exchangeEnabled": False}
    return {
        "code": code,
        "exchange": {"code": exchange, "name": "Kraken"},
        "currency": {"code": "EUR", "name": "Euro"},
        "crypto": {"code": code[:3], "name": "Bitcoin"},
        "price": {"bid": 1.10, "ask": 1.2, "updated": "2026-11-01T00:00:00Z"},
        "supports": ["Market"],
        "status": status,
    }


PAIRS = [pair("BTCEUR"), pair("ETHEUR"), pair("BTCEUR", exchange="BITSTAMP")]
EXCHANGES = [{"code": "KRAKEN", "name": "Kraken", "priceUpdated": "2026-11-01T00:00:00Z", "reserveUpdated": None}]
TWO = [*EXCHANGES, {"code": "BITSTAMP", "name": "Bitstamp", "priceUpdated": "", "reserveUpdated": ""}]
BANK = {"id": "0b7e", "name": "ING", "bicCode": "INGBNL2A", "city": "Amsterdam"}
SHAPES: list[tuple[str, Any, int]] = [
    ("trade_pairs", {"tradePairs": PAIRS}, 3),
    ("trade_pairs", {"TradePairs": PAIRS}, 3),
    ("trade_pairs", {"tradePairs": []}, 0),
    ("trade_pairs", PAIRS, 3),
    ("trade_pairs", [], 0),
    ("trade_pairs", {"page": 1, "total": 3, "totalPages": 1, "records": PAIRS}, 3),
    ("trade_pairs", [pair("BTCEUR", "2026-11-01T10:00:00Z"), pair("ETHEUR", None)], 2),
    ("exchanges", EXCHANGES[0], 1),
    ("exchanges", TWO, 2),
    ("exchanges", {"exchanges": TWO}, 2),
    ("buckets", [{"code": "B1", "name": "One"}, {"code": "B2", "name": "Two"}], 2),
    ("hot_wallet_balances", [{"cryptoCode": "BTC", "available": 1.50}], 1),
]


def enveloped(values: Any) -> bytes:
    return json.dumps({"message": "Successfully processed your request", "errors": None, "values": values}).encode()


def dated(body: bytes) -> bytes:
    return answer(body, Date=formatdate(usegmt=True))


def client_for(server: SocketServer) -> NexusClient:
    return NexusClient(NexusSession(read_settings(token="t", host=server.base_url, extra={}), policy=QUICK))


def synced(
    server: SocketServer, resource: Resource, target: Path, file_format: str, contract: Contract = "report", max_rejected: int = 0
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary of a sync, and the records as they are read back."""
    client = client_for(server)
    request = SyncRequest(resource=resource, requested=None, contract=contract, max_rejected=max_rejected)
    if file_format == "jsonl":
        summary = SyncJob(client, request, Loader(JsonLinesCopy(target)), log=LOG).run()
    elif file_format == "parquet":
        loader = Loader(ParquetCopy(target, Table(resource)), max_rejected, contract=contract)
        summary = SyncJob(client, request, loader, log=LOG).run()
    else:
        engine = sa.create_engine(f"sqlite:///{target}.db")
        copy = SqlCopy(engine, "copied", Table(resource), environment="test", base_url=server.base_url)
        summary = SyncJob(client, request, Loader(copy, max_rejected, contract=contract), log=LOG).run()
        engine.dispose()
    client.session.close()
    assert summary is not None
    return summary, list(read_back(summary, target, file_format))


def read_back(summary: dict[str, Any], target: Path, file_format: str) -> Iterator[dict[str, Any]]:
    if file_format == "sql":
        with sqlite3.connect(f"{target}.db") as connection:
            connection.row_factory = sqlite3.Row
            yield from (dict(row) for row in connection.execute("SELECT * FROM copied ORDER BY _key"))
        return
    for path in sorted(Path(summary["path"]).iterdir()):
        if path.name.endswith(".jsonl.gz"):
            yield from (json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines())
        elif path.suffix == ".parquet":
            yield from pq.read_table(path).to_pylist()


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(("name", "values", "count"), SHAPES, ids=range(len(SHAPES)))
@pytest.mark.parametrize("wraps", [True, False], ids=["envelope", "bare"])
def test_every_record_of_every_shape_arrives(
    tmp_path: Path, name: str, values: Any, count: int, file_format: str, wraps: bool
) -> None:
    resource = RESOURCES[name]
    if resource.envelope and not wraps:
        pytest.skip("all sources show the envelope")
    body = enveloped(values) if wraps else json.dumps(values).encode()
    with SocketServer(by=lambda _: dated(body)) as server:
        summary, found = synced(server, resource, tmp_path / "copy", file_format)
    assert (summary["verdict"], summary["records"], summary["rejected"]) == ("proved", count, 0)
    assert len(found) == count


@pytest.mark.parametrize(
    "values", [{}, {"pairs": PAIRS}, None, "x", 5, {"tradePairs": {"a": 1}}, {"tradePairs": None}, {"code": 1}]
)
def test_what_is_no_list_and_no_record_is_no_empty_list(tmp_path: Path, values: Any) -> None:
    with SocketServer(by=lambda _: dated(enveloped(values))) as server, pytest.raises(NexusError):
        synced(server, RESOURCES["trade_pairs"], tmp_path / "copy", "jsonl")


class TestOtherKinds:
    @pytest.mark.parametrize(
        ("updated", "flag", "extra"), [(True, True, None), (None, None, None), ("2026-11-01T10:00:00Z", None, 1)]
    )
    @pytest.mark.parametrize("file_format", ["parquet", "sql"])
    def test_the_flag_that_may_be_a_time(
        self, tmp_path: Path, file_format: str, updated: Any, flag: Any, extra: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        with SocketServer(by=lambda _: dated(enveloped([pair("BTCEUR", updated)]))) as server:
            summary, [found] = synced(server, RESOURCES["trade_pairs"], tmp_path / "copy", file_format)
        status = found["status_updated"]
        assert (None if status is None else bool(status)) is flag
        told = json.loads(found["_raw_extra"] or "{}")
        assert told == ({"status.updated": updated} if extra else {})
        assert summary.get("untyped") == ({"status.updated": 1} if extra else None)
        assert ("trade_pairs: status.updated has another kind of value than declared in 1 of 1 record;" in caplog.text) == bool(
            extra
        )
        if file_format == "parquet":
            manifest = json.loads(Path(summary["manifest"]).read_bytes())
            assert manifest.get("untyped") == summary.get("untyped")

    @pytest.mark.parametrize("country", ["NL", {"code": "NL", "name": "Netherlands"}, {"CODE": "NL"}, 5])
    @pytest.mark.parametrize("file_format", ["parquet", "sql"])
    def test_the_country_that_may_be_an_object(self, tmp_path: Path, file_format: str, country: Any) -> None:
        account = {"id": "8f0a", "number": "X", "created": "2026-11-01T00:00:00Z", "bank": {**BANK, "country": country}}
        summary, [found] = synced_child(tmp_path, account, file_format)
        code = found["bank_country_code"]
        assert code == ("5" if country == 5 else "NL")
        assert found["_raw_extra"] is None
        assert "untyped" not in summary


def synced_child(target: Path, account: dict[str, Any], file_format: str, **options: Any) -> tuple[dict[str, Any], list[Any]]:
    """Sync the bank accounts of one customer."""
    target.mkdir(exist_ok=True)

    customer = {"customerCode": "C1", "created": "2026-01-01T00:00:00Z", "status": "ACTIVE"}

    def reply(asked: Asked) -> bytes:
        place = urlsplit(asked.target)
        record = account if place.path.endswith("/bankaccounts") else customer
        number = int(parse_qs(place.query)["page"][0])
        records = [record] if number == 1 else []
        return dated(enveloped({"page": number, "total": 1, "totalPages": 1, "records": records}))

    with SocketServer(by=reply) as server:
        return synced(server, RESOURCES["customer_bank_accounts"], target / "copy", file_format, **options)


ODD: list[tuple[str, Any]] = [
    ("isPrimary", "yes"),
    ("isPrimary", 1),
    ("name", {"first": "Jan"}),
    ("name", ["Jan"]),
    ("name", "a\0b"),
    ("updated", 1764547200),
    ("updated", "yesterday"),
    ("updated", "2026-02-29T00:00:00Z"),
    ("bank", "ING"),
    ("bank", [BANK]),
    ("createdBy", True),
]


class TestWhatCanNotBeTyped:
    @pytest.mark.parametrize("file_format", ["parquet", "sql"])
    @pytest.mark.parametrize(("name", "value"), ODD, ids=range(len(ODD)))
    def test_it_is_kept(self, tmp_path: Path, file_format: str, name: str, value: Any) -> None:
        account = {"id": "8f0a", "number": "X", "created": "2026-11-01T00:00:00Z", name: value}
        summary, [found] = synced_child(tmp_path, account, file_format)
        assert (summary["verdict"], summary["records"], summary["rejected"]) == ("proved", 1, 0)
        assert summary["untyped"] == {name: 1}
        assert json.loads(found["_raw_extra"]) == {name: value}
        columns = [found[key] for key in found if key == column_of(name) or key.startswith(f"{column_of(name)}_")]
        assert set(flat(columns)) <= {None}

    @pytest.mark.parametrize("file_format", ["parquet", "sql"])
    @pytest.mark.parametrize(("name", "value"), ODD, ids=range(len(ODD)))
    def test_a_frozen_contract_does_not_take_it(self, tmp_path: Path, file_format: str, name: str, value: Any) -> None:
        account = {"id": "8f0a", "number": "X", "created": "2026-11-01T00:00:00Z", name: value}
        with pytest.raises((NexusRejectedError, NexusContractError), match=f"{name} is not"):
            synced_child(tmp_path, account, file_format, contract="freeze")
        summary, found = synced_child(tmp_path / "other", account, file_format, contract="freeze", max_rejected=1)
        assert (summary["rejected"], found) == (1, [])

    @pytest.mark.parametrize("file_format", ["parquet", "sql"])
    @pytest.mark.parametrize(("name", "value"), [("id", {}), ("created", 5), ("created", "yesterday"), ("id", True)])
    def test_keys_and_stamps_stay_strict(self, tmp_path: Path, file_format: str, name: str, value: Any) -> None:
        account = {"id": "8f0a", "number": "X", "created": "2026-11-01T00:00:00Z", name: value}
        with pytest.raises(NexusError):
            synced_child(tmp_path, account, file_format)

    @pytest.mark.parametrize("file_format", ["parquet", "sql"])
    @pytest.mark.parametrize(
        ("name", "value"), [("price", 5), ("price", {"bid": "n/a"}), ("price", {"ask": True}), ("price", [])]
    )
    def test_money_stays_strict(self, tmp_path: Path, file_format: str, name: str, value: Any) -> None:
        body = dated(enveloped([{**pair("BTCEUR"), name: value}]))
        with SocketServer(body) as server, pytest.raises(NexusRejectedError, match=r"price(\.\w+)? is not"):
            synced(server, RESOURCES["trade_pairs"], tmp_path / "copy", file_format)

    def test_the_hook_gives_it_as_it_came_and_says_so_once(self, caplog: pytest.LogCaptureFixture) -> None:
        odd = [pair("BTCEUR"), pair("ETHEUR", 5), pair("LTCEUR", "soon")]
        with SocketServer(dated(enveloped({"tradePairs": odd}))) as server:
            client = client_for(server)
            found = list(RecordsWanted(resource=RESOURCES["trade_pairs"]).records(client, LOG))
            client.session.close()
        assert [record["status"]["updated"] for record in found] == [True, 5, "soon"]
        assert caplog.text.count("trade_pairs: status.updated has values that are not a flag; they are given as they came") == 1


def column_of(name: str) -> str:
    return {"isPrimary": "is_primary", "createdBy": "created_by"}.get(name, name)


def flat(values: list[Any]) -> Iterator[Any]:
    for value in values:
        yield from flat(list(value.values())) if isinstance(value, dict) else [value]


class TestPagesWithoutACount:
    """A resource that takes ``page`` and ``limit``, whose answer no source shows."""

    RESOURCE = Resource(
        name="samples",
        path="/samples",
        meaning="Samples",
        key=("code",),
        schema=Schema("UnseenSample", (text("code", "Code"),)),
        shape=Shape.PAGED,
        is_seen=False,
    )

    def read(self, give: Callable[[int, int], Any]) -> tuple[Proof, list[str]]:
        def reply(asked: Asked) -> bytes:
            query = parse_qs(urlsplit(asked.target).query)
            return dated(enveloped(give(int(query["page"][0]), int(query["limit"][0]))))

        with SocketServer(by=reply) as server:
            client = client_for(server)
            reading = Reading(Source(client, self.RESOURCE, page_size=10), None)
            rows = read_all(reading)
            client.session.close()
        return reading.proof, [row.key for row in rows]

    @pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25, 30])
    def test_an_array_that_is_all(self, count: int) -> None:
        records = [{"code": f"{number:03}"} for number in range(count)]
        proof, kept = self.read(lambda page, limit: records)
        assert proof.verdict is Verdict.PROVED
        assert kept == [record["code"] for record in records]

    @pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25, 30])
    @pytest.mark.parametrize("cap", [10, 7])
    def test_arrays_that_are_pages(self, count: int, cap: int) -> None:
        records = [{"code": f"{number:03}"} for number in range(count)]
        proof, kept = self.read(lambda page, limit: records[(page - 1) * min(cap, limit) : page * min(cap, limit)])
        assert proof.verdict is Verdict.PROVED
        assert kept == [record["code"] for record in records]

    @pytest.mark.parametrize("count", [0, 1, 10, 25])
    def test_pages_with_a_count(self, count: int) -> None:
        records = [{"code": f"{number:03}"} for number in range(count)]

        def give(page: int, limit: int) -> Any:
            cut = records[(page - 1) * limit : page * limit]
            return {"page": page, "total": count, "totalPages": -(-count // limit), "records": cut}

        proof, kept = self.read(give)
        assert proof.verdict is Verdict.PROVED
        assert kept == [record["code"] for record in records]

    def test_one_object(self) -> None:
        proof, kept = self.read(lambda page, limit: {"code": "A"})
        assert (proof.verdict, kept) == (Verdict.PROVED, ["A"])

    def test_records_that_come_and_go_are_not_proved(self) -> None:
        calls = iter(range(10_000))
        proof, _ = self.read(lambda page, limit: [{"code": f"{next(calls)}"}] if page == 1 else [])
        assert proof.verdict is Verdict.UNPROVED

    def test_pages_without_end_are_not_proved(self) -> None:
        proof, _ = self.read(lambda page, limit: [{"code": f"{page}-{number}"} for number in range(limit)])
        assert proof.verdict is Verdict.UNPROVED

    def test_a_key_that_comes_twice_is_not_proved(self) -> None:
        proof, _ = self.read(lambda page, limit: [{"code": "A"}, {"code": "A", "x": 1}])
        assert proof.verdict is Verdict.UNPROVED


class TestWhatIsNoAmount:
    """It is put aside with its record; the others arrive."""

    @pytest.mark.parametrize(
        ("members", "field"),
        [
            ('"tradePair":"x"', "tradePair"),
            ('"tradePair":{"currencyCode":{}}', "tradePair.currencyCode"),
            ('"amount":1e999999999999', "amount"),
            ('"amount":1e-999999999999', "amount"),
            (f'"amount":{"9" * 5000}', "amount"),
            (f'"amount":0.{"9" * 5000}', "amount"),
            ('"amount":"1_000"', "amount"),
            ('"amount":"\\u0661"', "amount"),
            ('"amount":1,"AMOUNT":2', "?"),
        ],
        ids=range(9),
    )
    def test_it_is_put_aside(self, tmp_path: Path, members: str, field: str) -> None:
        good = '{"orderCode":"A","created":"2026-01-01T00:00:00Z","status":"FILLED","amount":1}'
        bad = good.replace('"A"', '"B"').replace('"amount":1', members)

        def reply(asked: Asked) -> bytes:
            is_first = parse_qs(urlsplit(asked.target).query)["page"] == ["1"]
            body = '{"message":"","errors":null,"values":{"page":1,"total":2,"totalPages":1,"records":[%s]}}'
            return dated((body % (f"{good},{bad}" if is_first else "")).encode())

        requested = RequestedWindow(datetime(2025, 12, 31, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), "arguments")
        with SocketServer(by=reply) as server:
            client = client_for(server)
            request = SyncRequest(resource=RESOURCES["orders"], requested=requested, max_rejected=1)
            loader = Loader(ParquetCopy(tmp_path / "copy", Table(RESOURCES["orders"])), 1)
            summary = SyncJob(client, request, loader, log=LOG).run()
            client.session.close()
        assert summary is not None
        assert (summary["verdict"], summary["records"], summary["rejected"]) == ("proved", 1, 1)
        aside = json.loads((Path(summary["path"]) / "_rejected" / "records.jsonl").read_bytes())
        assert (aside["key"], aside["field"]) == ("B", field)
