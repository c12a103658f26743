"""Fields that come and go: told, refused or taken, as the contract says."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusContractError
from airflow_provider_nexus.extract.fields import FieldWatch
from airflow_provider_nexus.extract.request import CONTRACTS, Contract, SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.job import SyncJob, check_contract, collection_folder, drift
from airflow_provider_nexus.sync.watermark import file_watermark
from tests.extract.serving import client_of, lines_job

LOG = logging.getLogger("contract")


@pytest.fixture
def sandbox(served: Sandbox) -> Iterator[Sandbox]:
    yield served
    served.configure(unknown_fields=False, removed_fields=(), misfit_share=0)


def windows(sandbox: Sandbox) -> tuple[RequestedWindow, RequestedWindow, RequestedWindow]:
    """Three that touch."""
    end = sandbox.now.replace(microsecond=0) - timedelta(hours=1)
    edges = [end - timedelta(hours=hours) for hours in (36, 24, 12, 0)]
    first, second, third = (RequestedWindow(*pair, "arguments") for pair in pairwise(edges))
    return first, second, third


def sync(
    sandbox: Sandbox, target: Path, requested: RequestedWindow, contract: Contract = "report", resource: str = "transactions"
) -> dict[str, Any]:
    """The manifest."""
    client = client_of(sandbox)
    watermark = file_watermark(target / "_watermark.json")
    summary = lines_job(client, target, resource, requested, contract=contract, job={"watermark": watermark}).run()
    client.session.close()
    assert summary is not None
    return dict(json.loads(Path(summary["manifest"]).read_bytes()))


def files_of(target: Path) -> dict[str, bytes]:
    return {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}


def typed(
    sandbox: Sandbox, target: Path, requested: RequestedWindow, resource: str = "transactions", **options: Any
) -> dict[str, Any]:
    """A sync into Parquet."""
    client = client_of(sandbox)
    entry = get_resource(resource)
    request = SyncRequest(resource=entry, requested=requested, **options)
    copy = ParquetCopy(collection_folder(target, client.session.environment.name, entry), Table(entry))
    summary = SyncJob(client, request, Loader(copy, request.max_rejected, contract=request.contract)).run()
    client.session.close()
    assert summary is not None
    return summary


def test_nothing_is_said_of_fields_that_stay(sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for requested in windows(sandbox):
            for resource in ("transactions", "orders", "customers", "broker_transactions"):
                sync(sandbox, tmp_path, requested, "freeze", resource)
    assert "fields" not in caplog.text


def test_report_tells_and_keeps(sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second, third = windows(sandbox)
    sync(sandbox, tmp_path, first)
    sandbox.configure(unknown_fields=True)
    with caplog.at_level(logging.WARNING):
        manifest = sync(sandbox, tmp_path, second)
    assert "transactions: the fields have changed: new sandboxExtra" in caplog.text
    assert manifest["schema"]["unknown_fields"] == ["sandboxExtra"]
    sandbox.configure(unknown_fields=False)
    with caplog.at_level(logging.WARNING):
        sync(sandbox, tmp_path, third)
    assert "the fields have changed: missing sandboxExtra" in caplog.text


def test_unknown_fields_are_kept_in_typed_rows(sandbox: Sandbox, tmp_path: Path) -> None:
    first, second, _ = windows(sandbox)
    assert set(extras_of(typed(sandbox, tmp_path, first))) == {None}
    sandbox.configure(unknown_fields=True)
    summary = typed(sandbox, tmp_path, second)
    assert set(extras_of(summary)) == {'{"sandboxExtra":{"introduced":"2031-01"}}'}
    assert json.loads(Path(summary["manifest"]).read_bytes())["schema"]["unknown_fields"] == ["sandboxExtra"]


def extras_of(summary: dict[str, Any]) -> list[str | None]:
    found: list[str | None] = []
    for file in json.loads(Path(summary["manifest"]).read_bytes())["files"]:
        found += pq.read_table(Path(summary["path"]) / file["name"])["_raw_extra"].to_pylist()
    assert found
    return found


@pytest.mark.parametrize("change", [{"unknown_fields": True}, {"removed_fields": ("paymentReference",)}])
@pytest.mark.parametrize("into", ["lines", "table"])
def test_freeze_stores_nothing(sandbox: Sandbox, tmp_path: Path, change: dict[str, Any], into: str) -> None:
    store = sync if into == "lines" else typed
    first, second, _ = windows(sandbox)
    store(sandbox, tmp_path, first, contract="freeze")
    before = files_of(tmp_path)
    sandbox.configure(**change)
    field = "new sandboxExtra" if "unknown_fields" in change else "missing paymentReference"
    with pytest.raises(NexusContractError, match=rf"^transactions: .*{field}.*nothing was stored.*contract='report'") as failed:
        store(sandbox, tmp_path, second, contract="freeze")
    assert failed.value.is_permanent
    assert files_of(tmp_path) == before
    assert len(list(tmp_path.rglob(NAME))) == 1
    store(sandbox, tmp_path, second, contract="report")
    store(sandbox, tmp_path, windows(sandbox)[2], contract="freeze")


def test_the_first_reading_is_compared_with_the_catalogue_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.configure(removed_fields=("paymentReference",))
    sync(sandbox, tmp_path / "gone", windows(sandbox)[0], "freeze")
    sandbox.configure(removed_fields=(), unknown_fields=True)
    with pytest.raises(NexusContractError, match="new sandboxExtra"):
        sync(sandbox, tmp_path / "new", windows(sandbox)[0], "freeze")
    assert not list((tmp_path / "new").rglob("*"))


def test_new_fields_can_be_allowed(sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second, third = windows(sandbox)
    with caplog.at_level(logging.WARNING):
        sync(sandbox, tmp_path, first, "allow_new_fields")
        sandbox.configure(unknown_fields=True)
        sync(sandbox, tmp_path, second, "allow_new_fields")
        assert "fields" not in caplog.text
        sandbox.configure(unknown_fields=False)
        sync(sandbox, tmp_path, third, "allow_new_fields")
    assert "missing sandboxExtra" in caplog.text


@pytest.mark.parametrize("into", ["lines", "table"])
def test_what_was_agreed_on_outlives_an_empty_window(sandbox: Sandbox, tmp_path: Path, into: str) -> None:
    store = sync if into == "lines" else typed
    first, second, _ = windows(sandbox)
    sandbox.configure(unknown_fields=True)
    assert second.start
    hour = second.start + timedelta(seconds=1)
    while sandbox.truth("transactions", second.start, hour):
        second = RequestedWindow(second.start + timedelta(seconds=1), second.end, "arguments")
        hour += timedelta(seconds=1)
        assert second.start
    store(sandbox, tmp_path, RequestedWindow(first.start, second.start, "arguments"), contract="report")
    empty = RequestedWindow(second.start, hour, "arguments")
    store(sandbox, tmp_path, empty, contract="freeze")
    store(sandbox, tmp_path, RequestedWindow(hour, second.end, "arguments"), contract="freeze")
    sandbox.configure(unknown_fields=False)
    with pytest.raises(NexusContractError, match="missing sandboxExtra"):
        store(sandbox, tmp_path, windows(sandbox)[2], contract="freeze")


def watch(resource: str, *records: bytes) -> FieldWatch:
    found = FieldWatch(get_resource(resource))
    for record in records:
        found.look(record)
    return found


FULL = b'{"orderCode":"A","executed":{"amount":1,"price":2},"tradePair":{"cryptoCode":"BTC"},"data":{"free":1}}'


@pytest.mark.parametrize(
    ("record", "new", "gone"),
    [
        (FULL, (), ()),
        (b'{"orderCode":"A","executed":null,"tradePair":{"cryptoCode":"BTC"},"data":null}', (), ()),
        (b'{"orderCode":"A","executed":null,"tradePair":null,"data":{"other":1}}', (), ()),
        (b'{"orderCode":"A","executed":{"amount":1},"tradePair":{"cryptoCode":"BTC"},"data":{}}', (), ("executed.price",)),
        (b'{"orderCode":"A","tradePair":{"cryptoCode":"BTC","leg":1},"data":{}}', ("tradePair.leg",), ("executed",)),
        (b'{"orderCode":"A","executed":null,"tradePair":{"a":{"b":1}},"data":{}}', ("tradePair.a",), ("tradePair.cryptoCode",)),
    ],
)
def test_nested_fields(record: bytes, new: tuple[str, ...], gone: tuple[str, ...]) -> None:
    found = drift(watch("orders", record), watch("orders", FULL).summary())
    assert (found.new, found.missing) == (new, gone)


def test_a_reading_without_records_says_nothing_of_fields() -> None:
    found = drift(watch("orders"), watch("orders", FULL).summary())
    assert (found.new, found.missing) == ((), ())


@pytest.mark.parametrize("record", [rb'{"orderCode":"A","reason":"\ud800"}', b'{"orderCode":"A","reason":"\xff"}', b"[]", b""])
def test_a_record_that_can_not_be_read_does_not_stop_the_watch(record: bytes) -> None:
    found = watch("orders", record, FULL)
    assert "executed.amount" in found.seen
    assert not found.unknown


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_contract_that_holds_is_silent(contract: Contract, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        check_contract(contract, "orders", drift(watch("orders", FULL), watch("orders", FULL).summary()), LOG)
    assert not caplog.records
