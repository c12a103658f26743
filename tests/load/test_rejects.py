"""Records that don't fit are put aside whole, and what is told of the others is right."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.exceptions import NexusDataError, NexusRejectedError
from airflow_provider_nexus.extract.protect import Protection, Treatment
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load import rejects
from airflow_provider_nexus.load.account import LineAccount
from airflow_provider_nexus.load.copy import Reject
from airflow_provider_nexus.sandbox import Sandbox
from tests.client.socket_server import Asked, SocketServer, answer
from tests.extract.serving import QUICK, client_of, lines_job
from tests.load.test_contract import files_of, typed

AMOUNTS = {"misfit_share": 0.3, "misfits": ("amount",)}


@pytest.fixture
def sandbox(served: Sandbox) -> Iterator[Sandbox]:
    yield served
    served.configure(misfit_share=0, misfits=("digits", "date", "amount"))


def day(sandbox: Sandbox) -> RequestedWindow:
    end = sandbox.now.replace(microsecond=0) - timedelta(hours=1)
    return RequestedWindow(end - timedelta(hours=44), end, "arguments")


def lined(
    sandbox: Sandbox, target: Path, requested: RequestedWindow, resource: str = "transactions", **options: Any
) -> dict[str, Any]:
    client = client_of(sandbox)
    summary = lines_job(client, target, resource, requested, **options).run()
    client.session.close()
    assert summary is not None
    return summary


def manifest_of(summary: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(Path(summary["manifest"]).read_bytes()))


def aside(summary: dict[str, Any]) -> list[Reject]:
    """Those put aside, their file being what the manifest says of it."""
    told = manifest_of(summary)["rejected"]
    path = Path(summary["path"]) / "_rejected" / "records.jsonl"
    if not told:
        assert not path.parent.exists()
        return []
    data = path.read_bytes()
    assert told == [
        {
            "name": "_rejected/records.jsonl",
            "bytes": len(data),
            "records": len(data.splitlines()),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    ]
    assert summary["rejected"] == len(data.splitlines())
    return rejects.load(data)


def lines_of(summary: dict[str, Any]) -> list[bytes]:
    files = [Path(summary["path"]) / file["name"] for file in manifest_of(summary)["files"]]
    return [line for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


def truth_of(sandbox: Sandbox, requested: RequestedWindow, resource: str = "transactions") -> list[bytes]:
    return sandbox.truth(resource, requested.start, requested.end)


def recounted(lines: list[bytes], resource: str) -> LineAccount:
    reader = RowReader(get_resource(resource))
    tally = LineAccount(reader)
    tally.add([reader.read(line) for line in lines])
    return tally


@pytest.mark.parametrize("into", ["lines", "table"])
def test_none_is_allowed_unless_it_is_said(sandbox: Sandbox, tmp_path: Path, into: str) -> None:
    sandbox.configure(**AMOUNTS)
    requested = day(sandbox)
    store = lined if into == "lines" else typed
    with pytest.raises(NexusRejectedError) as failed:
        store(sandbox, tmp_path, requested)
    truth = truth_of(sandbox, requested)
    bad = spoilt(truth, "transactions") if into == "lines" else [raw for raw in truth if b"n/a" in raw]
    text = str(failed.value)
    assert f"{len(bad)} records do not fit and max_rejected is 0" in text
    named = [json.loads(raw)["transactionCode"] for raw in bad if json.loads(raw)["transactionCode"] in text]
    assert len(named) == 3
    assert f"and {len(bad) - 3} more" in text
    assert "decimal number" in text
    assert failed.value.is_permanent
    assert files_of(tmp_path) == {}


@pytest.mark.parametrize("resource", ["transactions", "broker_transactions", "orders"])
def test_lines_put_amounts_aside(sandbox: Sandbox, tmp_path: Path, resource: str) -> None:
    sandbox.configure(**AMOUNTS)
    requested = day(sandbox)
    summary = lined(sandbox, tmp_path, requested, resource, max_rejected=500)
    truth, lines, found = truth_of(sandbox, requested, resource), lines_of(summary), aside(summary)
    assert found
    assert sorted([*lines, *(each.raw.encode() for each in found)]) == sorted(truth)
    assert {each.raw.encode() for each in found} == set(spoilt(truth, resource))
    check_reasons(resource, found)
    check_counts(summary, lines, resource)
    assert manifest_of(summary)["proof"]["verdict"] == "proved"
    if get_resource(resource).totals_fields:
        assert manifest_of(summary)["proof"]["totals"] == "matched"


def spoilt(records: list[bytes], resource: str) -> list[bytes]:
    """Those with an amount that is added up and is none; lines keep any other value as it came."""
    paths = [path for path, _ in get_resource(resource).schema.amounts()]
    return [raw for raw in records if any(value_at(json.loads(raw), path) == "n/a" for path in paths)]


def value_at(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def check_reasons(resource: str, found: list[Reject]) -> None:
    reader = RowReader(get_resource(resource))
    for each in found:
        assert value_at(json.loads(each.raw), tuple(each.field.split("."))) == "n/a"
        assert each.reason == "a decimal number"
        assert each.key == reader.read(each.raw.encode()).key


def check_counts(summary: dict[str, Any], lines: list[bytes], resource: str) -> None:
    manifest, tally = manifest_of(summary), recounted(lines, resource)
    assert summary["records"] == manifest["records"] == tally.records == sum(file["records"] for file in manifest["files"])
    assert manifest["key_digest"] == tally.key_digest == summary["key_digest"]
    assert manifest["sums"] == tally.sums_by_field
    assert tally.first
    assert tally.last
    assert manifest["first"] == {"key": tally.first.key, "stamp": tally.first.stamp}
    assert manifest["last"] == {"key": tally.last.key, "stamp": tally.last.stamp}


@pytest.mark.parametrize("resource", ["transactions", "broker_transactions"])
@pytest.mark.parametrize("misfits", [("digits",), ("date",), ("amount",), ("digits", "date", "amount")])
def test_tables_put_aside_what_does_not_fit(sandbox: Sandbox, tmp_path: Path, resource: str, misfits: tuple[str, ...]) -> None:
    sandbox.configure(misfit_share=0.3, misfits=misfits)
    requested = day(sandbox)
    summary = typed(sandbox, tmp_path, requested, resource, max_rejected=500)
    truth, found, manifest = truth_of(sandbox, requested, resource), aside(summary), manifest_of(summary)
    keys = [json.loads(raw)["transactionCode"] for raw in truth]
    table = [row for file in manifest["files"] for row in pq.read_table(Path(summary["path"]) / file["name"]).to_pylist()]
    assert found or misfits == ("date",)  # a time that is none is kept as it came; transactions have none but their creation
    odd = [row for row in table if "13-45" in (row["_raw_extra"] or "")]
    assert len(odd) == sum(summary.get("untyped", {}).values())
    assert bool(odd) == ("date" in misfits and resource == "broker_transactions")
    assert sorted([each.key for each in found] + [row["_key"] for row in table]) == sorted(keys)
    assert {each.raw.encode() for each in found} <= set(truth)
    fitting = [raw for raw in truth if raw.decode() not in {each.raw for each in found}]
    check_table(summary, fitting, resource)


def check_table(summary: dict[str, Any], fitting: list[bytes], resource: str) -> None:
    manifest, tally = manifest_of(summary), recounted(fitting, resource)
    assert summary["records"] == manifest["records"] == tally.records
    assert manifest["key_digest"] == tally.key_digest
    for name, sums in tally.sums_by_field.items():
        for currency, value in sums.items():
            assert Decimal(manifest["sums"][name][currency]) == Decimal(value)
    assert tally.first
    assert tally.last
    assert manifest["first"] == {"key": tally.first.key, "stamp": tally.first.stamp}
    assert manifest["last"] == {"key": tally.last.key, "stamp": tally.last.stamp}


@pytest.mark.parametrize("into", ["lines", "table"])
def test_a_rerun_changes_nothing_and_a_mended_one_takes_them_back(sandbox: Sandbox, tmp_path: Path, into: str) -> None:
    sandbox.configure(**AMOUNTS)
    requested = day(sandbox)
    store = lined if into == "lines" else typed
    assert store(sandbox, tmp_path, requested, max_rejected=500)["changed"]
    before = files_of(tmp_path)
    again = store(sandbox, tmp_path, requested, max_rejected=500)
    assert not again["changed"]
    assert files_of(tmp_path) == before
    with pytest.raises(NexusRejectedError):
        store(sandbox, tmp_path, requested, max_rejected=again["rejected"] - 1)
    assert files_of(tmp_path) == before
    sandbox.configure(misfit_share=0)
    mended = store(sandbox, tmp_path, requested)
    assert aside(mended) == []
    assert mended["records"] == again["records"] + again["rejected"] == len(truth_of(sandbox, requested))


@pytest.mark.parametrize("into", ["lines", "table"])
def test_what_is_put_aside_is_protected_too(sandbox: Sandbox, tmp_path: Path, into: str) -> None:
    resource, misfits = ("transactions", ("amount",)) if into == "lines" else ("customers", ("date",))
    sandbox.configure(misfit_share=0.5, misfits=misfits)
    requested = day(sandbox)
    protection = Protection(personal="hash", secret="a secret")
    options: dict[str, Any] = {"resource": resource, "max_rejected": 500, "protection": protection}
    if into == "lines":
        summary = lined(sandbox, tmp_path, requested, **options)
    else:
        summary = typed(sandbox, tmp_path, requested, contract="freeze", **options)
    found = aside(summary)
    assert found
    schema = get_resource(resource).schema
    personal = [".".join(path) for path, field in schema.walk() if field.personal]
    assert personal
    for raw in truth_of(sandbox, requested, resource):
        record = json.loads(raw)
        values = [record.get(name) for name in personal if isinstance(record.get(name), str) and len(record[name]) > 5]
        for each in found:
            assert not [value for value in values if f'"{value}"' in each.raw]


LONE = (rb"\ud800", rb"\udc00", rb"\uD83Dx", rb"\ude00\ud83d", rb"\ud83d\u0041", rb"caf\u00e9 \uDABC")
START = datetime(2026, 6, 1, 10, tzinfo=UTC)
WINDOW = RequestedWindow(START, START + timedelta(hours=1), "arguments")


def order(code: bytes, members: bytes = b"", created: bytes = b'"2026-06-01T10:30:00Z"') -> bytes:
    return b'{"orderCode":"%b","created":%b,"status":"FILLED","amount":1.50%b}' % (code, created, members)


def replied(asked: Asked, *records: bytes) -> bytes:
    """A page of one that holds these very bytes; nothing follows it."""
    held = records if parse_qs(urlsplit(asked.target).query).get("page", ["1"]) == ["1"] else ()
    body = b'{"message":"","values":{"page":1,"total":%d,"totalPages":1,"records":[%b]},"errors":null}'
    return answer(body % (len(records), b",".join(held)), Date="Mon, 01 Jun 2026 12:00:00 GMT", Content_Type="application/json")


def read_orders(target: Path, *records: bytes, **options: Any) -> dict[str, Any]:
    """A sync of a page that holds these very bytes."""
    with SocketServer(by=lambda asked: replied(asked, *records)) as server:
        settings = read_settings(token="T", host=server.base_url, extra={})
        client = NexusClient(NexusSession(settings, policy=QUICK))
        try:
            summary = lines_job(client, target, "orders", WINDOW, **options).run()
        finally:
            client.session.close()
    assert summary is not None
    return summary


@pytest.mark.parametrize("text", LONE)
@pytest.mark.parametrize("field", ["reason", "data.note", "surprise", "executed.fee", "status"])
def test_an_unpaired_surrogate_is_a_flaw_of_its_record_alone(tmp_path: Path, text: bytes, field: str) -> None:
    holder, _, member = field.rpartition(".")
    value = b'{"%b":"%b"}' % (member.encode(), text) if holder else b'"%b"' % text
    bad = order(b"B", b',"%b":%b' % ((holder or member).encode(), value))
    good, paired = order(b"A"), order(b"C", rb',"reason":"\ud83d\ude00 \\ud800"')
    with pytest.raises(NexusRejectedError, match=f"B: {field} is not "):
        read_orders(tmp_path, good, bad, paired)
    assert files_of(tmp_path) == {}
    summary = read_orders(tmp_path, good, bad, paired, max_rejected=1)
    assert lines_of(summary) == [good, paired]
    (found,) = aside(summary)
    assert (found.key, found.field, found.raw.encode()) == ("B", field, bad)
    assert found.reason == ("a decimal number" if field == "executed.fee" else "text without unpaired surrogates")
    check_counts(summary, [good, paired], "orders")
    assert manifest_of(summary)["proof"]["verdict"] == "proved"


def test_a_name_with_an_unpaired_surrogate_is_a_flaw_too(tmp_path: Path) -> None:
    bad = order(b"B", rb',"na\ud800me":1')
    (found,) = aside(read_orders(tmp_path, bad, order(b"A"), max_rejected=1))
    assert (found.key, found.raw.encode()) == ("B", bad)


@pytest.mark.parametrize("treatment", ["hash", "mask", "drop"])
def test_an_unpaired_surrogate_does_not_keep_data_from_being_protected(tmp_path: Path, treatment: Treatment) -> None:
    protection = Protection(fields={"reason": treatment, "tradePair.exchangeCode": treatment}, secret="a secret")
    bad = order(b"B", rb',"surprise":"\ud800","reason":"Jansen","tradePair":{"exchangeCode":"Jansen \udc00"}')
    (found,) = aside(read_orders(tmp_path, order(b"A"), bad, max_rejected=1, protection=protection))
    assert "Jansen" not in found.raw
    assert rb"\ud800" in found.raw.encode()


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (order(b"B", created=b'"yesterday"'), "orders record B: field 'created' holds 'yesterday'"),
        (order(b"B", created=b"null"), "orders record B: field 'created'"),
        (order(b"B", created=rb'"\ud800"'), "orders record B: field 'created'"),
        (order(b"B", created=b"17"), "orders record B: field 'created' holds '17'"),
        (order(b""), "orders record .: field 'orderCode'"),
        (order(rb"\ud800"), "orders record .: field 'orderCode'"),
        (b'{"created":"2026-06-01T10:30:00Z"}', "orders record .: field 'orderCode'"),
    ],
)
def test_a_record_without_place_or_key_fails_the_reading(tmp_path: Path, bad: bytes, named: str) -> None:
    """It can be put into no window, or told from no other, so nothing can be proved."""
    with pytest.raises(NexusDataError, match=named):
        read_orders(tmp_path, order(b"A"), bad, max_rejected=9)
    assert files_of(tmp_path) == {}


@pytest.mark.parametrize("value", [b'"NaN"', b'"Infinity"', b'"1,5"', b"true", b"[]", b"{}"])
def test_amounts_that_are_none(tmp_path: Path, value: bytes) -> None:
    bad = b'{"orderCode":"B","created":"2026-06-01T10:30:00Z","amount":%b}' % value
    summary = read_orders(tmp_path, bad, order(b"A"), max_rejected=1)
    assert [(each.key, each.field, each.raw.encode()) for each in aside(summary)] == [("B", "amount", bad)]
    check_counts(summary, [order(b"A")], "orders")
