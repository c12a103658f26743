"""Copies of every kind that a folder or a database can have, those among them that nothing may be concluded from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusError,
    NexusStorageError,
    NexusUnprovedError,
    NexusWindowError,
)
from airflow_provider_nexus.extract.protect import Protection
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Copy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.load.parquet.unsettled import Unsettled, unsettled_file
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.reconcile.copied import CopiedRecords, copied_files, copied_table
from airflow_provider_nexus.reconcile.judge import Outcome
from airflow_provider_nexus.reconcile.reconciliation import Reconciliation
from airflow_provider_nexus.reconcile.request import COPIES, check_copies
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.capture import CaptureJob
from airflow_provider_nexus.sync.job import SyncJob, collection_folder
from airflow_provider_nexus.sync.watermark import file_watermark
from tests.extract.serving import client_of
from tests.reconcile.scripted import LOG, MOMENT, START, TRANSACTIONS, Bench, bench, day

FIELDS = ("transactionCode", "balanceMutation.crypto")


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        for number in range(10):
            made.nexus.trade(f"T{number}", f"{number}.5", day(number + 0.5), f"C{number % 3}")
        made.nexus.reserves.append((day(-100), {"type": "Coldstore"}, "BTC", Decimal(1000)))
        yield made


def codes(copy: CopiedRecords, start: datetime = START, end: datetime = MOMENT) -> list[str]:
    return [values[0] for values in copy.read(FIELDS, start, end)]


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_each_record_counts_once_however_windows_lie(at: Bench, file_format: str) -> None:
    for first, last in ((0, 6), (3, 5), (4, 8), (4, 10), (8, 10), (0, 6)):
        at.copy("transactions", start=day(first), end=day(last), file_format=file_format)
    assert codes(copied_files(at.root, "transactions")) == [f"T{number}" for number in range(10)]
    assert codes(copied_files(at.root, "transactions"), day(2.5), day(4.5)) == ["T2", "T3"]
    found = at.reconcile("transactions")
    assert found.is_fine
    assert (found.start, found.moment) == (START, MOMENT)


def test_a_gap_is_left_out_by_default_and_refused_when_asked_for(at: Bench) -> None:
    at.copy("transactions", start=day(0), end=day(3))
    at.copy("transactions", start=day(5), end=day(10))
    found = at.reconcile("transactions")
    assert found.is_fine
    assert found.start == day(5)
    assert at.reconcile("transactions", start=day(1), moment=day(3)).is_fine
    for options in (
        {"start": day(0)},
        {"start": day(4)},
        {"moment": day(4)},
        {"moment": day(11)},
        {"start": day(2), "moment": day(4)},
    ):
        with pytest.raises(NexusWindowError, match="proved is 2026-02-01T00:00:00Z to 2026-02-04"):
            at.reconcile("transactions", **options)
    in_the_first = at.reconcile("transactions", moment=day(3))
    assert (in_the_first.is_fine, in_the_first.start, in_the_first.moment) == (True, day(0), day(3))
    with pytest.raises(NexusWindowError, match="proved from 2026-02-01T00:00:00Z on: give a moment after that"):
        at.reconcile("transactions", moment=day(-1))
    with pytest.raises(NexusWindowError, match="is not after the start"):
        at.reconcile("transactions", start=day(7), moment=day(7))


def test_a_stretch_that_is_left_out_is_said(at: Bench, caplog: pytest.LogCaptureFixture) -> None:
    at.copy("transactions", start=day(0), end=day(3))
    at.copy("transactions", start=day(5), end=day(10))
    at.reconcile("transactions", start=day(5))
    assert "is not added up" not in caplog.text
    at.reconcile("transactions")
    assert f"what is proved up to {day(3):%FT%TZ} is not added up, as a gap is behind it" in caplog.text


def test_a_manifest_that_contradicts_itself_is_refused(at: Bench) -> None:
    at.copy("transactions")
    (path,) = at.root.rglob(NAME)
    manifest = json.loads(path.read_bytes())
    path.write_text(json.dumps({**manifest, "records": manifest["records"] + 1}))
    with pytest.raises(NexusStorageError, match="was edited, its days don't add up to its records and sums"):
        at.reconcile("transactions")


def test_fractions_of_a_second_are_cut_as_nexus_is_asked(at: Bench) -> None:
    at.copy("transactions")
    some = timedelta(microseconds=999_999)
    found = at.reconcile("transactions", start=day(1) + some, moment=day(9) + some)
    assert found.is_fine
    assert (found.start, found.moment) == (day(1), day(9))


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "table"])
def test_an_unproved_window_proves_nothing(at: Bench, kind: str) -> None:
    engine = sa.create_engine(f"sqlite:///{at.root}/db")

    def put(extra: int) -> None:
        at.nexus.extra = extra
        if kind == "table":
            _load(at, engine, strict=not extra)
        else:
            at.copy("transactions", file_format=kind, strict=not extra)

    def copied() -> CopiedRecords:
        return copied_table(engine, "t", "transactions") if kind == "table" else copied_files(at.root, "transactions")

    put(1)
    assert copied().windows == ()
    with pytest.raises(NexusWindowError, match="sync one first"):
        _reconcile(at, copied())
    put(0)
    assert _reconcile(at, copied()).is_fine
    at.nexus.records[TRANSACTIONS].pop()
    if kind == "table":
        put(1)
        assert copied().windows == (), "the rows that were proved are not there any more"
    else:
        with pytest.raises(NexusUnprovedError, match="it stays as it is"):
            put(1)
    engine.dispose()


def _load(at: Bench, engine: sa.Engine, name: str = "t", resource: str = "transactions", **options: Any) -> None:
    environment, entry = at.client.session.environment, get_resource(resource)
    copy = SqlCopy(engine, name, Table(entry), environment=environment.name, base_url=environment.base_url)
    window = RequestedWindow(START, MOMENT, "arguments")
    request = SyncRequest(resource=entry, requested=window, settle_lag=timedelta(0), **options)
    SyncJob(at.client, request, Loader(copy, request.max_rejected)).run()


def _reconcile(at: Bench, copy: CopiedRecords, **options: Any) -> Any:
    return Reconciliation(client=at.client, copies={"transactions": copy}, log=LOG, **options).run()


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "table"])
def test_records_that_were_put_aside_are_missed(at: Bench, kind: str) -> None:
    at.nexus.trade("BAD", f"1.{'1' * 50}", day(4))
    engine = sa.create_engine(f"sqlite:///{at.root}/db")
    if kind == "table":
        _load(at, engine, max_rejected=1)
        copy = copied_table(engine, "t", "transactions")
    else:
        at.copy("transactions", file_format=kind, max_rejected=1)
        copy = copied_files(at.root, "transactions")
    if kind == "jsonl":  # lines take any digits
        with pytest.raises(NexusWindowError, match="can't be added up"):
            _reconcile(at, copy)
    else:
        with pytest.raises(NexusWindowError, match="lacks 1 record"):
            _reconcile(at, copy)
    engine.dispose()


@pytest.mark.parametrize("treatment", ["hash", "mask", "drop"])
@pytest.mark.parametrize("kind", ["jsonl", "parquet", "table"])
def test_copies_without_codes_of_customers_are_refused(at: Bench, kind: str, treatment: Any) -> None:
    options: dict[str, Any] = {"protection": Protection(fields={"customerCode": treatment}, secret="s")}
    engine = sa.create_engine(f"sqlite:///{at.root}/db")
    if kind == "table":
        _load(at, engine, **options)
        copy = copied_table(engine, "t", "transactions")
    else:
        at.copy("transactions", file_format=kind, **options)
        copy = copied_files(at.root, "transactions")
    with pytest.raises(NexusConfigurationError, match="customerCode"):
        _reconcile(at, copy)
    engine.dispose()


def test_copies_that_lack_what_is_added_up_are_refused(at: Bench) -> None:
    at.copy("orders", "hot_wallet_mutations")
    at.copy("transfers", protection=Protection(fields={"address": "drop"}))
    with pytest.raises(NexusConfigurationError, match=r"address\.sourceType"):
        at.reconcile("orders", "hot_wallet_mutations", "transfers")


def test_copies_of_two_servers_are_not_mixed(at: Bench, tmp_path: Path) -> None:
    """Their windows can be the same, so that the one would be taken for the other."""
    at.copy("transactions")
    with bench(tmp_path / "other") as other:
        for number in range(10):
            other.nexus.trade(f"X{number}", "1", day(number))
        other.copy("transactions")
        (folder,) = (tmp_path / "other").iterdir()
        folder.rename(tmp_path / "another")
        with pytest.raises(NexusConfigurationError, match="the path of one server"):
            copied_files(tmp_path, "transactions")
        with pytest.raises(NexusConfigurationError, match="the connection leads to"):
            _reconcile(at, copied_files(tmp_path / "another", "transactions"))


def test_two_copies_of_one_server_count_once(at: Bench) -> None:
    root = at.root
    for name, extra in (("a", 1), ("b", 0), ("c", 1)):
        at.nexus.extra, at.root = extra, root / "other"
        at.copy("transactions", strict=False)
        (folder,) = at.root.iterdir()
        folder.rename(root / name)
    at.root = root
    assert len(codes(copied_files(root, "transactions"))) == 10
    assert at.reconcile("transactions").is_fine


def test_damaged_files_are_refused(at: Bench) -> None:
    at.copy("transactions", file_format="parquet")
    part = next(at.root.rglob("part-*"))
    copy = copied_files(at.root, "transactions")
    raw = part.read_bytes()
    for damaged in (raw[:-9] + b"x" + raw[-8:], raw[:20], b""):
        part.write_bytes(damaged)
        with pytest.raises(NexusError):
            _reconcile(at, copy)
    part.unlink()
    with pytest.raises(NexusError):
        _reconcile(at, copy)


def test_an_edited_line_is_refused(at: Bench) -> None:
    """Also one that was edited so that it is still a line."""
    at.copy("transactions")
    (manifest,) = at.root.rglob(NAME)
    stored = json.loads(manifest.read_text())
    (part,) = manifest.parent.glob("part-*")
    copy = copied_files(at.root, "transactions")
    part.write_bytes(part.read_bytes().replace(b"5", b"6"))
    assert stored["files"]
    with pytest.raises(NexusError):
        _reconcile(at, copy)


def test_what_is_no_copy_of_windows_is_refused(at: Bench, tmp_path: Path) -> None:
    at.copy("orders", "transactions")
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        with pytest.raises(NexusConfigurationError, match="there is no sync in"):
            copied_files(tmp_path / folder, "transactions")
    (window,) = [path.parent for path in tmp_path.rglob(NAME) if "transactions" in str(path)]
    assert len(codes(copied_files(window, "transactions"))) == 10
    with pytest.raises(NexusConfigurationError, match="no windows of transfers"):
        copied_files(tmp_path, "transfers")
    with pytest.raises(NexusConfigurationError, match="no windows of orders"):
        copied_files(window, "orders")


def test_tables_that_are_no_copies_are_refused(at: Bench) -> None:
    engine = sa.create_engine(f"sqlite:///{at.root}/db")
    with pytest.raises(NexusConfigurationError, match="no table of that name"):
        copied_table(engine, "t", "transactions")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE mine (transaction_code TEXT)"))
    with pytest.raises(NexusConfigurationError, match="does not name it"):
        copied_table(engine, "mine", "transactions")
    _load(at, engine)
    with pytest.raises(NexusConfigurationError, match="not of orders"):
        copied_table(engine, "t", "orders")
    copy = copied_table(engine, "t", "transactions")
    assert _reconcile(at, copy).is_fine
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE t"))
    with pytest.raises((NexusStorageError, NexusConfigurationError)):
        _reconcile(at, copy)
    engine.dispose()


def test_a_server_may_be_spelt_in_other_ways(at: Bench) -> None:
    at.copy("transactions")
    (manifest,) = at.root.rglob(NAME)
    manifest.write_text(manifest.read_text().replace(at.server.base_url, f"{at.server.base_url.replace('http', 'HTTP')}/"))
    assert at.reconcile("transactions").is_fine


@pytest.mark.parametrize(
    "given",
    [None, {}, [], "data", {"transaction": "a"}, {"balances": "a"}, {"orders": "a"}, {"orders": "a", "transfers": "b"}, {1: "a"}],
)
def test_copies_that_cannot_be_reconciled_are_refused(given: object) -> None:
    with pytest.raises(NexusConfigurationError):
        check_copies(given)


def test_the_hint_is_no_guess_where_the_name_is_that_of_a_resource() -> None:
    with pytest.raises(NexusConfigurationError, match="'customers' is not reconciled: copies can be of transactions, "):
        check_copies({"customers": "a"})
    with pytest.raises(NexusConfigurationError, match="'transaction' is not reconciled: did you mean 'transactions'"):
        check_copies({"transaction": "a"})


@pytest.mark.parametrize("kind", ["parquet", "parquet history", "table", "table history"])
def test_copies_that_are_brought_up_to_date_are_right_each_day(tmp_path: Path, kind: str) -> None:
    """Windows are patched and read again, in files and tables that have each version too."""
    with Sandbox(
        transactions=60,
        customers=6,
        days=1,
        arrivals_per_hour=2.5,
        lives="long",
        clock_speed=0,
        now=datetime(2026, 6, 2, 0, 30, tzinfo=UTC),
    ) as sandbox:
        begin = sandbox.now.replace(microsecond=0) - timedelta(days=1, hours=1)
        engine = sa.create_engine(f"sqlite:///{tmp_path}/db")
        for _ in range(4):
            client = client_of(sandbox)  # a client's clock goes on from its latest answer, so it knows nothing of the day between
            environment = client.session.environment
            for name in COPIES:
                entry = get_resource(name)
                folder = collection_folder(tmp_path, environment.name, entry)
                copy: Copy
                if kind.startswith("table"):
                    whose: dict[str, Any] = {"environment": environment.name, "base_url": environment.base_url}
                    output: Any = "history" if "history" in kind else "current"
                    copy = SqlCopy(engine, name, Table(entry), output=output, **whose)
                else:
                    unsettled = Unsettled(Table(entry), unsettled_file(folder))
                    copy = ParquetCopy(folder, Table(entry), unsettled=unsettled, keeps_versions="history" in kind)
                watermark = file_watermark(folder)
                since = watermark.get()
                window = RequestedWindow(datetime.fromisoformat(since) if since else begin, None, "watermark")
                CaptureJob(client, SyncRequest(resource=entry, requested=window), copy, watermark=watermark).run()
            client.session.close()
            sandbox.advance(86_400)
        if kind.startswith("table"):
            copies = {name: copied_table(engine, name, name) for name in COPIES}
        else:
            copies = {name: copied_files(tmp_path, name) for name in COPIES}
        client = client_of(sandbox)
        found = Reconciliation(client=client, copies=copies, log=LOG).run()
        assert found.start == begin
        assert found.text.endswith("places agree"), found.text
        assert found.count(Outcome.AGREES)
        client.session.close()
        engine.dispose()
