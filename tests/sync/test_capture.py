from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWindowError
from airflow_provider_nexus.extract.protect import Protection
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import choose_window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.account import Digest
from airflow_provider_nexus.load.collection import windows_of
from airflow_provider_nexus.load.columns import Table, UnsettledRule
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.parquet.changes import DELETED
from airflow_provider_nexus.sandbox.faults import Fault
from airflow_provider_nexus.sync.capture import CaptureJob
from tests.extract.serving import client_of
from tests.repeated import times
from tests.sync.capturing import BEGIN, DAY, Capture, held_in, into_delta, into_files, living, rows_of

DAYS = times(15, 75)
WITHOUT_TOTALS = Fault("status", "/transaction/totals", status=404, times=-1)
ODD_SERVERS: dict[str, dict[str, Any]] = {
    "dates ignored": {"filters": "ignored"},
    "statuses ignored": {"ignored_filters": ["status"]},
    "settlement ignored": {"ignored_filters": ["isSettled"]},
    "sort ignored": {"sort": "ignored"},
    "lower bound left out": {"since_inclusive": False, "tie_seconds": 60},
    "upper bound let in": {"until_inclusive": True, "tie_seconds": 60},
    "bounds the other way round": {"since_inclusive": False, "until_inclusive": True, "tie_seconds": 1},
    "ties shuffled": {"ties": "shuffled", "tie_seconds": 3600},
    "small pages": {"max_limit": 3},
    "late rows": {"late_share": 0.3, "late_seconds": 200.0},
    "totals fail now and then": {"faults": (Fault("status", "/transaction/totals", status=503, first=3, times=2),)},
}
Into = Callable[..., Capture]
KINDS = pytest.mark.parametrize("into", [into_files, into_delta], ids=["files", "delta"])
# What a server does is met before there is a copy, so those are enough for another kind that bring rows late, or again.
ODD_IN_DELTA = ("statuses ignored", "late rows", "totals fail now and then")
ODD_KINDS = [(server, into_files) for server in ODD_SERVERS] + [(server, into_delta) for server in ODD_IN_DELTA]


def digest_of(keys: Iterable[str]) -> str:
    digest = Digest()
    for key in keys:
        digest.add_text(key.encode())
    return digest.digest


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("into", "days"), [(into_delta, times(20, 75)), (into_files, DAYS)], ids=["delta", "files"])
def test_a_copy_equals_the_truth_at_the_end_of_every_day(tmp_path: Path, into: Into, days: int) -> None:
    # where the server does not sort, windows are cut into parts, and those cost more
    with living(per_day=20, other_shapes=("transaction_sort",)) as sandbox:
        capture = into(sandbox, tmp_path)
        for day in range(days):
            sandbox.advance(DAY if day else 0)
            capture.run()
            assert capture.wrong() == [], day
        assert capture.flaws() == ()
        assert sandbox.records_served < 5 * len(capture.truth())


@pytest.mark.parametrize(("server", "into"), ODD_KINDS)
def test_a_copy_equals_the_truth_whatever_the_server_does(tmp_path: Path, server: str, into: Into) -> None:
    with living(per_day=50, **ODD_SERVERS[server]) as sandbox:
        # Totals that take no notice of dates tell nothing: then all is read again.
        capture = into(sandbox, tmp_path, rereads=100 if server == "dates ignored" else 0)
        for day in range(times(4, 8)):
            sandbox.advance(DAY if day else 0)
            capture.run()
            assert capture.wrong() == [], day
            assert capture.flaws() == (), day


@pytest.mark.parametrize("resource", ["orders", "transfers"])
def test_ends_that_a_server_takes_no_notice_of_are_looked_up(tmp_path: Path, resource: str, caplog: Any) -> None:
    with living(per_day=30, filters="ignored") as sandbox:
        capture = into_files(sandbox, tmp_path, resource, rereads=100)
        for day in range(5):
            sandbox.advance(DAY if day else 0)
            capture.run()
            assert capture.wrong() == [], day
    assert "the server shows records without an end: each record that was open is looked up" in caplog.text


@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
def test_what_is_deleted_leaves_the_copy(tmp_path: Path, resource: str) -> None:
    with living(per_day=60, delete_share=0.1, delete_seconds=5.0 * DAY) as sandbox:
        capture = into_files(sandbox, tmp_path, resource, history=True, rereads=100)
        for day in range(7):
            sandbox.advance(DAY if day else 0)
            capture.run()
            assert capture.wrong() == [], day
        gone = {key for key, versions in versions_of(tmp_path).items() if versions[-1][1] == DELETED}
        assert gone
        assert latest_of(tmp_path) == {key: row[3] for key, row in held_in(tmp_path).items()}


@pytest.mark.slow
@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
def test_a_history_holds_each_version_that_a_run_saw_once(tmp_path: Path, resource: str) -> None:
    seen: dict[str, list[str]] = {}
    kept: dict[Path, bytes] = {}
    with living(per_day=40) as sandbox:
        capture = into_files(sandbox, tmp_path, resource, history=True, rereads=100)
        for day in range(times(9, 20)):
            sandbox.advance(DAY if day else 0)
            capture.run()
            for key, row in capture.truth().items():
                if seen.setdefault(key, [""])[-1] != row[3]:
                    seen[key].append(row[3])
            files = {path: path.read_bytes() for path in (tmp_path / "_readings").rglob("*") if path.is_file()}
            assert kept.items() <= files.items(), "what was kept is never changed"
            kept = files
    assert {key: ["", *(content for _, content in held)] for key, held in versions_of(tmp_path).items()} == seen
    assert max(map(len, seen.values())) > 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("resource", "rereads", "into"), [("orders", 2, into_files), ("transactions", 4, into_files), ("orders", 2, into_delta)]
)
def test_without_totals_each_window_is_read_again_in_its_turn(tmp_path: Path, resource: str, rereads: int, into: Into) -> None:
    with living(per_day=40) as sandbox:
        capture = into(sandbox, tmp_path, resource, rereads=rereads)
        stale: list[float] = []
        for day in range(times(10, 20)):
            sandbox.advance(DAY if day else 0)
            capture.run()
            held, truth, wrong = capture.held(), capture.truth(), capture.wrong()
            assert held.keys() == truth.keys()
            stale.append(len(wrong) / len(truth))
            assert all(may_be_stale(capture, held[key]) for key in wrong), "only what had ended can be changed unseen"
            proofs = [read_at for _, read_at in capture.place()[0].windows()]
            age = (max(proofs) - min(proofs)) / timedelta(days=1)
            assert age <= math.ceil(len(proofs) / rereads)
    assert max(stale) < 0.05, stale


def may_be_stale(capture: Capture, row: TableRow) -> bool:
    return not UnsettledRule(Table(capture.entry)).is_unsettled_row(row)


@KINDS
def test_without_totals_old_windows_are_read_again(tmp_path: Path, into: Into) -> None:
    with living(per_day=50, faults=(WITHOUT_TOTALS,)) as sandbox:
        capture = into(sandbox, tmp_path, rereads=100)
        for day in range(6):
            sandbox.advance(DAY if day else 0)
            summary = capture.run()
            assert capture.wrong() == [], day
        assert summary is not None
        assert summary["feeds"]["reread"] > 0


def test_a_window_that_meets_a_part_of_another_is_refused(tmp_path: Path) -> None:
    with living(per_day=20) as sandbox:
        capture = into_files(sandbox, tmp_path)
        capture.run()
        copy, watermark = capture.place()
        held = copy.windows()[0][0]
        asked = choose_window(arguments=(held.start + timedelta(hours=1), held.end))
        job = CaptureJob(client_of(sandbox), SyncRequest(resource=capture.entry, requested=asked), copy, watermark=watermark)
        with pytest.raises(NexusWindowError, match="windows of a copy touch"):
            job.run()
        assert capture.wrong() == []


def test_a_window_over_those_that_the_copy_holds_is_read_in_their_parts(tmp_path: Path) -> None:
    with living(per_day=20) as sandbox:
        capture = into_files(sandbox, tmp_path)
        for day in range(3):
            sandbox.advance(DAY if day else 0)
            capture.run()
        copy, watermark = capture.place()
        before = [(kept.start, kept.end) for kept, _ in copy.windows()]
        job = CaptureJob(
            client_of(sandbox),
            SyncRequest(resource=capture.entry, requested=choose_window(arguments=(BEGIN, capture.end))),
            copy,
            watermark=watermark,
        )
        summary = job.run()
        assert summary is not None
        assert (summary["window_start"], summary["window_end"]) == ("2026-01-01T00:10:00Z", watermark.get())
        loaded = [manifests.load(tmp_path / name) for name in windows_of(tmp_path)]
        found = [each.records for each in loaded if each]
        assert len(found) == summary["windows"] == 3
        assert summary["records"] == sum(found) > max(found) > 0
        assert summary["key_digest"] == digest_of(held_in(tmp_path))
        assert (summary["path"], summary["manifest"]) == (str(tmp_path), str(max(tmp_path.glob("*Z-*Z")) / "_manifest.json"))
        assert summary["verdict"] == "proved"
        assert sorted((kept.start, kept.end) for kept, _ in copy.windows()) == sorted(before)


def test_a_copy_needs_windows_and_keys_as_they_are(tmp_path: Path) -> None:
    with living(per_day=20) as sandbox:
        capture = into_files(sandbox, tmp_path)
        copy, watermark = capture.place()
        hashed = Protection(fields={"transactionCode": "hash"}, secret="s" * 32)
        for options in ({"requested": None}, {"requested": choose_window(arguments=(BEGIN, None)), "protection": hashed}):
            job = CaptureJob(client_of(sandbox), SyncRequest(resource=capture.entry, **options), copy, watermark=watermark)
            with pytest.raises(NexusConfigurationError, match="go by their own key"):
                job.run()


@pytest.mark.slow
@pytest.mark.parametrize(("resource", "history"), [("broker_transactions", True), ("orders", False)])
def test_a_run_that_broke_off_anywhere_is_made_good(tmp_path: Path, resource: str, history: bool, monkeypatch: Any) -> None:
    """Every write of one run is the last one once; the next run comes an hour later, as a retry does."""
    puts = writes_of_a_run(tmp_path / "whole", resource, history, monkeypatch, None)
    assert puts > 5
    for number in range(times(2 if history else 1, 1), puts + 1, times(3, 1)):
        writes_of_a_run(tmp_path / str(number), resource, history, monkeypatch, number)


def test_a_window_whose_manifest_somebody_has_deleted_is_read_again_in_its_place(tmp_path: Path, caplog: Any) -> None:
    with living(per_day=25) as sandbox:
        capture = into_files(sandbox, tmp_path)
        for _ in range(3):
            capture.run()
            sandbox.advance(DAY)
        last = sorted(windows_of(tmp_path))[-1]
        (tmp_path / last / manifests.NAME).unlink()
        capture.run()
        assert capture.wrong() == []
        assert manifests.load(tmp_path / last) is not None
        assert "is not whole in the copy: it is read again" in caplog.text


def writes_of_a_run(folder: Path, resource: str, history: bool, monkeypatch: Any, stop: int | None) -> int:
    with living(per_day=25) as sandbox:
        capture = into_files(sandbox, folder, resource, history=history, rereads=5)
        for _ in range(2):
            capture.run()
            sandbox.advance(DAY)
        writes = Breaking(stop)
        with monkeypatch.context() as patched:
            patched.setattr(store, "put", writes)
            try:
                capture.run()
                assert stop is None
            except OSError:
                held_in(folder)
        for seconds in (3600, DAY):
            sandbox.advance(seconds)
            capture.run()
            assert capture.wrong() == [], (stop, seconds)
            unpublished = [folder / name for name in windows_of(folder) if manifests.load(folder / name) is None]
            assert not any(part for each in unpublished for part in each.glob("part-*")), "who knows no manifests reads them too"
            chain(folder)
            if history:
                shown = latest_of(folder)
                assert shown == {key: row[3] for key, row in held_in(folder).items()}, stop
        return writes.count


class Breaking:
    """Writes files until it is full."""

    def __init__(self, stop: int | None) -> None:
        self.count, self._stop, self._put = 0, stop, store.put

    def __call__(self, path: Any, data: Any) -> None:
        self.count += 1
        if self._stop is not None and self.count >= self._stop:
            raise OSError("the disk is full")
        self._put(path, data)


def chain(folder: Path) -> None:
    """Each manifest's predecessor is there, as it is or as it was."""
    for name in windows_of(folder):
        manifest = manifests.load(folder / name)
        previous = manifest and manifest.previous
        if isinstance(previous, manifests.Previous):
            before = folder / previous.window
            now = manifests.digest_of((before / manifests.NAME).read_bytes())
            kept = before / manifests.SUPERSEDED / f"{previous.sha256}.json"
            assert now == previous.sha256 or manifests.digest_of(kept.read_bytes()) == previous.sha256


def versions_of(folder: Path) -> dict[str, list[tuple[datetime, str]]]:
    """All versions of each record in the order of their reading: when, and what; nothing for one that is gone."""
    versions: dict[str, list[tuple[datetime, str]]] = {}
    for reading in sorted((folder / "_readings").iterdir()):
        manifest = manifests.load(reading)
        for row in rows_of(reading, manifest) if manifest else ():
            versions.setdefault(row[0], []).append((row[1], row[3]))
    return {key: sorted(held, key=lambda each: each[0]) for key, held in versions.items()}


def latest_of(folder: Path) -> dict[str, str]:
    """What a history says that each record is now."""
    return {key: held[-1][1] for key, held in versions_of(folder).items() if held[-1][1]}


def test_a_record_that_does_not_fit_any_more_stays_as_it_was_known(tmp_path: Path) -> None:
    with living(per_day=60) as sandbox:
        capture = into_files(sandbox, tmp_path, "orders", options={"page_size": 20, "max_rejected": 1000}, rereads=9)
        capture.run()
        before = set(capture.held())
        sandbox.configure(misfit_share=0.5, misfits=("digits",))
        sandbox.advance(DAY)
        summary = capture.run()
        assert summary is not None
        assert before <= capture.held().keys(), "what did not fit was taken for gone"
        assert summary["deleted"] == 0
        assert list(tmp_path.rglob("_rejected/records.jsonl"))
