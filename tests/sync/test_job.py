"""A sync as a whole, against the sandbox: files, manifest, proof, reruns, watermark."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusNotFoundError, NexusStorageError, NexusUnprovedError
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.load.parquet.unsettled import unsettled_file
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.watermark import file_watermark
from tests.extract.serving import lines_job, sandbox_and_client

WINDOWED = [name for name, resource in RESOURCES.items() if resource.is_windowed]
WHOLE = [name for name, resource in RESOURCES.items() if not resource.is_windowed and not resource.parent]
OF_TRADES = [name for name, resource in RESOURCES.items() if resource.parent in ("transactions", "broker_transactions")]
OF_OTHERS = [name for name, resource in RESOURCES.items() if resource.parent and name not in OF_TRADES]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Sandbox, NexusClient]]:
    with sandbox_and_client() as pair:
        yield pair


@pytest.fixture
def fresh(served: tuple[Sandbox, NexusClient]) -> Iterator[tuple[Sandbox, NexusClient]]:
    before = served[0].settings
    yield served
    served[0].configure(**{name: getattr(before, name) for name in ("total_error", "sort", "unknown_fields", "classic")})
    served[0].reset()


def last_day(sandbox: Sandbox, hours: int = 24) -> RequestedWindow:
    end = sandbox.now.replace(microsecond=0) - timedelta(hours=1)
    return RequestedWindow(end - timedelta(hours=hours), end, "arguments")


def sync(
    client: NexusClient, target: Path, resource: str, window: RequestedWindow | None = None, **options: Any
) -> dict[str, Any]:
    summary = lines_job(client, target, resource, window, **options).run()
    assert summary is not None
    return summary


def manifest_of(summary: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(Path(summary["manifest"]).read_bytes()))


def lines_of(summary: dict[str, Any]) -> list[bytes]:
    files = [Path(summary["path"]) / file["name"] for file in manifest_of(summary)["files"]]
    return [line for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


@pytest.mark.parametrize("resource", WINDOWED)
def test_files_hold_what_was_sent_to_the_character(served: tuple[Sandbox, NexusClient], tmp_path: Path, resource: str) -> None:
    sandbox, client = served
    requested = last_day(sandbox)
    summary = sync(client, tmp_path, resource, requested)
    assert summary["verdict"] == "proved"
    assert sorted(lines_of(summary)) == sorted(sandbox.truth(resource, requested.start, requested.end))
    assert summary["records"] == len(lines_of(summary)) > 5


@pytest.mark.parametrize("resource", WHOLE)
def test_what_has_no_window_is_read_whole(served: tuple[Sandbox, NexusClient], tmp_path: Path, resource: str) -> None:
    sandbox, client = served
    summary = sync(client, tmp_path, resource)
    assert summary["verdict"] == "proved"
    assert summary["records"] == len(lines_of(summary)) > 0
    assert Path(summary["path"]).name == f"{sandbox.now:%Y%m%dT%H%M%SZ}"
    assert manifest_of(summary)["window"] is None


@pytest.mark.parametrize("resource", OF_OTHERS)
def test_children_of_all_parents(served: tuple[Sandbox, NexusClient], tmp_path: Path, resource: str) -> None:
    sandbox, client = served
    entry = get_resource(resource)
    summary = sync(client, tmp_path, resource)
    parents = {json.loads(line)[entry.parent_field] for line in lines_of(summary)}
    assert summary["verdict"] == "proved"
    assert len(parents) > 1
    owners = [json.loads(raw) for raw in sandbox.truth(entry.parent)]
    codes = [owner[RESOURCES[entry.parent].key[0]] for owner in owners if not entry.parent_only or owner[entry.parent_only]]
    assert summary["records"] == sum(len(sandbox.truth(resource, parent=code)) for code in codes) > 3


@pytest.mark.parametrize("resource", OF_TRADES)
def test_children_of_some_parents(served: tuple[Sandbox, NexusClient], tmp_path: Path, resource: str) -> None:
    sandbox, client = served
    codes = tuple(json.loads(raw)["transactionCode"] for raw in sandbox.truth(get_resource(resource).parent)[:20])
    summary = sync(client, tmp_path, resource, parents=codes)
    assert {json.loads(line)["transactionCode"] for line in lines_of(summary)} <= set(codes)
    assert summary["records"] == sum(len(sandbox.truth(resource, parent=code)) for code in codes) > 0


def test_a_child_that_is_not_offered_is_not_taken_for_an_empty_one(fresh: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = fresh
    sandbox.configure(classic=False)
    with pytest.raises(NexusNotFoundError):
        sync(client, tmp_path, "customer_traces")


def test_the_manifest_says_what_the_files_hold(served: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = served
    requested = last_day(sandbox)
    summary = sync(client, tmp_path, "broker_transactions", requested, run={"dag_id": "d"}, airflow_version="3.3.2")
    manifest = manifest_of(summary)
    for file in manifest["files"]:
        data = (Path(summary["path"]) / file["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    records = [json.loads(line, parse_float=Decimal) for line in lines_of(summary)]
    payout = sum((Decimal(r["payout"]) for r in records if r["payout"] is not None and r["currencyCode"] == "EUR"), Decimal())
    assert Decimal(manifest["sums"]["payout"]["EUR"]) == payout != 0
    assert manifest["records"] == manifest["proof"]["unique"] - manifest["proof"]["outside"] == len(records)
    assert manifest["proof"]["totals"] == "matched"
    assert manifest["window"] == {"start": f"{requested.start:%FT%TZ}", "end": f"{requested.end:%FT%TZ}", "how": "arguments"}
    assert (manifest["run"], manifest["airflow_version"]) == ({"dag_id": "d"}, "3.3.2")
    assert manifest["schema"]["unknown_fields"] == []
    assert manifest["server_date"] == f"{sandbox.now:%FT%TZ}"
    assert len(json.dumps(summary)) < 2_000


def test_totals_that_differ_make_it_unproved(fresh: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = fresh
    requested, real = last_day(sandbox), client.run

    class Liar(NexusClient):
        """Stands for a Nexus whose own totals disagree with its records."""

        def run(self, method: str, path: str, **options: Any) -> Any:
            values = real(method, path, **options)
            if path == "/transaction/totals":
                values["totals"][0]["payoutValue"] = Decimal("0.00000001") + (values["totals"][0]["payoutValue"] or 0)
            return values

    with pytest.raises(NexusUnprovedError, match="payout in the sum"):
        sync(Liar(client.session), tmp_path, "broker_transactions", requested)
    assert list(tmp_path.rglob("*")) == []


def test_an_unproved_window_publishes_nothing(fresh: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = fresh
    sandbox.configure(total_error=1)
    with pytest.raises(NexusUnprovedError, match="Nothing was published") as caught:
        sync(client, tmp_path, "orders", last_day(sandbox))
    assert caught.value.reasons
    assert list(tmp_path.rglob("*")) == []


def test_a_lenient_request_publishes_the_verdict(fresh: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = fresh
    sandbox.configure(total_error=1)
    summary = sync(client, tmp_path, "orders", last_day(sandbox), strict=False)
    assert summary["verdict"] == manifest_of(summary)["proof"]["verdict"] == "unproved"
    assert manifest_of(summary)["proof"]["reasons"]


def test_an_unproved_reading_never_replaces_a_proved_one(fresh: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = fresh
    window = last_day(sandbox)
    before = sync(client, tmp_path, "orders", window, strict=False)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    sandbox.configure(total_error=-1)
    with pytest.raises(NexusUnprovedError, match="is proved, and what was read this time is not: it stays as it is") as caught:
        sync(client, tmp_path, "orders", window, strict=False)
    assert caught.value.reasons
    assert before["records"] > 0
    assert files == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_bounds_with_fractions_of_a_second_are_cut(
    fresh: tuple[Sandbox, NexusClient], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox, client = fresh
    day = last_day(sandbox)
    assert day.start
    with caplog.at_level(logging.INFO):
        summary = sync(client, tmp_path, "orders", RequestedWindow(day.start + timedelta(seconds=0.9), day.end, "arguments"))
    assert summary["window_start"] == f"{day.start:%FT%TZ}"
    assert f"{day.start:%FT%T}.900000+00:00 is cut to {day.start:%FT%TZ}" in caplog.text


def test_unknown_fields_are_told(fresh: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = fresh
    sandbox.configure(unknown_fields=True)
    assert manifest_of(sync(client, tmp_path, "orders", last_day(sandbox)))["schema"]["unknown_fields"]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_rerun_changes_nothing(fresh: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = fresh
    requested = last_day(sandbox)
    assert sync(client, tmp_path, "customers", requested)["changed"] is True
    before = tree(tmp_path)
    sandbox.configure(sort="ignored")
    assert sync(client, tmp_path, "customers", requested)["changed"] is False
    assert tree(tmp_path) == before


def test_a_rerun_brings_what_changed_to_the_same_paths(fresh: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = fresh
    requested = last_day(sandbox)
    before = sync(client, tmp_path, "transactions", requested)
    paths, lines, former = set(tree(tmp_path)), lines_of(before), Path(before["manifest"]).read_bytes()
    sandbox.advance(seconds=86_400)
    after = sync(client, tmp_path, "transactions", requested)
    assert after["changed"] is True
    kept = Path(after["path"]) / "_superseded" / f"{manifest_of(after)['replaces']}.json"
    assert set(tree(tmp_path)) == {*paths, str(kept.relative_to(tmp_path))}
    assert kept.read_bytes() == former
    assert lines_of(after) != lines
    assert after["key_digest"] == before["key_digest"]


def test_a_damaged_file_is_written_again(served: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = served
    requested = last_day(sandbox)
    summary = sync(client, tmp_path, "customers", requested)
    lines = lines_of(summary)
    (Path(summary["path"]) / "part-00000.jsonl.gz").unlink()
    again = sync(client, tmp_path, "customers", requested)
    assert (again["changed"], again["repaired"], "repaired" in summary) == (True, 1, False)
    assert lines_of(summary) == lines


def test_a_part_left_by_a_run_that_died_goes(served: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = served
    requested = last_day(sandbox)
    summary = sync(client, tmp_path, "customers", requested)
    folder = Path(summary["path"])
    (folder / NAME).unlink()
    (folder / "part-00001.jsonl.gz").write_bytes(b"half")
    sync(client, tmp_path, "customers", requested)
    assert sorted(path.name for path in folder.iterdir()) == [NAME, "part-00000.jsonl.gz"]


def test_manifests_are_chained(served: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = served
    second = last_day(sandbox, hours=12)
    assert second.start is not None
    first = RequestedWindow(second.start - timedelta(hours=12), second.start, "arguments")
    one = sync(client, tmp_path, "orders", first)
    two = manifest_of(sync(client, tmp_path, "orders", second))
    assert manifest_of(one)["previous"] is None
    assert two["previous"] == {
        "window": Path(one["path"]).name,
        "sha256": hashlib.sha256(Path(one["manifest"]).read_bytes()).hexdigest(),
    }


def test_the_watermark_moves_over_windows_that_touch(
    served: tuple[Sandbox, NexusClient], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox, client = served
    end = last_day(sandbox).end
    assert end is not None
    watermark = file_watermark(tmp_path / "sandbox" / "orders")

    def window(start: int, until: int) -> str | None:
        span = RequestedWindow(end - timedelta(hours=start), end - timedelta(hours=until), "arguments")
        lines_job(client, tmp_path, "orders", span, job={"watermark": watermark}).run()
        return watermark.get()

    def at(hours: int) -> str:
        return f"{end - timedelta(hours=hours):%FT%TZ}"

    assert watermark.get() is None
    assert window(24, 18) == at(18)
    assert window(18, 12) == at(12)
    assert window(24, 18) == at(12)
    with caplog.at_level(logging.WARNING):
        assert window(6, 3) == at(12)
    assert "was never read" in caplog.text
    assert window(12, 3) == at(3)


def test_an_unproved_window_leaves_the_watermark(fresh: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = fresh
    sandbox.configure(total_error=1)
    watermark = file_watermark(tmp_path / "w")
    with pytest.raises(NexusUnprovedError):
        lines_job(client, tmp_path, "orders", last_day(sandbox), job={"watermark": watermark}).run()
    assert watermark.get() is None


def test_a_window_just_over_is_waited_for(served: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = served
    naps: list[float] = []
    requested = RequestedWindow(sandbox.now - timedelta(hours=12), sandbox.now - timedelta(minutes=1), "data interval")
    summary = lines_job(client, tmp_path, "orders", requested, job={"sleep": naps.append}).run()
    assert summary is not None
    assert summary["window_end"] == f"{requested.end:%FT%TZ}"
    assert 230 < naps[0] <= 241


def test_nothing_settled_reads_nothing(served: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = served
    requested = RequestedWindow(sandbox.now - timedelta(minutes=1), None, "watermark")
    assert lines_job(client, tmp_path, "orders", requested).run() is None
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    "held", [b"", b"{", b"[]", b"{}", b'{"watermark": 5}', b'{"watermark": "yesterday"}', b"null", b"[" * 5_000]
)
def test_a_damaged_watermark_says_how_to_mend_it(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "_watermark.json").write_bytes(held)
    with pytest.raises(NexusStorageError, match=r"_watermark\.json is damaged.*write the end of the last window"):
        file_watermark(tmp_path).get()


@pytest.mark.parametrize("damaged", ["{", '{"T1": 7}', '{"T1": "yesterday Initiated"}', "[" * 5_000, '"T1"'])
def test_a_damaged_memory_is_refused_and_left_as_it_is(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "_unsettled.json"
    path.write_text(damaged)
    with pytest.raises(NexusStorageError, match="is damaged, so it is not known which records may still change") as caught:
        unsettled_file(tmp_path).get()
    assert "\n" not in str(caught.value)
    assert path.read_text() == damaged
