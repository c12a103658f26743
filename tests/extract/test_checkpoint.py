"""A try that is interrupted is gone on with by the next one, and what is stored is what an undisturbed one stores."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.exceptions import NexusApiError, NexusError, NexusServerError, NexusStorageError, NexusUnprovedError
from airflow_provider_nexus.extract import jsonl
from airflow_provider_nexus.extract.checkpoint import FOLDER
from airflow_provider_nexus.extract.protect import Protection
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from tests.extract.serving import client_of, lines_job, sandbox_and_client

UNLIKE = {"calls", "pages", "seconds", "read_at", "server_date", "base_url", "replaces"}
"""Members of a manifest that tell of the run and not of what it brought."""


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "PART_RECORDS", 50)


@pytest.fixture
def sandbox(served: Sandbox) -> Iterator[Sandbox]:
    before = served.settings
    yield served
    served.configure(**{name: getattr(before, name) for name in before.__dataclass_fields__ if name != "now"})
    served.reset()


def day(sandbox: Sandbox, hours: int = 30) -> RequestedWindow:
    end = sandbox.now.replace(microsecond=0) - timedelta(hours=1)
    return RequestedWindow(end - timedelta(hours=hours), end, "arguments")


def attempt(
    sandbox: Sandbox,
    folder: Path,
    *,
    resource: str = "transactions",
    requested: RequestedWindow | None = None,
    staged: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """One try of a task: with a client of its own, as each has."""
    client = client_of(sandbox)
    try:
        job = {"staging": folder / FOLDER} if staged else {}
        summary = lines_job(client, folder, resource, requested or day(sandbox), job=job, **{"page_size": 20, **options}).run()
        assert summary is not None
        return summary
    finally:
        client.session.close()


def broken(sandbox: Sandbox, folder: Path, at: int, kind: type[NexusError] = NexusServerError, **options: Any) -> None:
    """A try whose calls fail from the ``at``-th on."""
    sandbox.configure(faults=(Fault("status", first=at, times=-1, status=500),))
    with pytest.raises(kind):
        attempt(sandbox, folder, **options)
    sandbox.configure(faults=())


def stored(folder: Path) -> dict[str, Any]:
    """All files, the manifest without what tells of the run."""
    found: dict[str, Any] = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        data = path.read_bytes()
        name = str(path.relative_to(folder))
        found[name] = {k: v for k, v in json.loads(data).items() if k not in UNLIKE} if path.name == NAME else data
    return found


def checkpoint_of(folder: Path) -> Path | None:
    found = list((folder / FOLDER).rglob("checkpoint.json"))
    return found[0] if found else None


def records_of(folder: Path) -> list[bytes]:
    return [line for path in sorted(folder.rglob("part-*.gz")) for line in gzip.decompress(path.read_bytes()).splitlines()]


@pytest.mark.parametrize("resource", ["transactions", "broker_transactions"])
def test_broken_at_every_call(sandbox: Sandbox, tmp_path: Path, resource: str) -> None:
    sandbox.configure(other_shapes=("transaction_sort",))
    plain = attempt(sandbox, tmp_path / "plain", resource=resource, staged=False)
    expected, gone_on = stored(tmp_path / "plain"), 0
    for at in range(1, plain["calls"] + 1):
        folder = tmp_path / str(at)
        broken(sandbox, folder, at, resource=resource)
        is_kept = checkpoint_of(folder) is not None
        second = attempt(sandbox, folder, resource=resource)
        assert stored(folder) == expected, f"broken at call {at}"
        assert not (folder / FOLDER).exists() or not any((folder / FOLDER).iterdir())
        if is_kept:
            gone_on += 1
            assert second["calls"] < plain["calls"]
    assert gone_on > 1


def test_the_proof_of_totals_survives(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.configure(other_shapes=("transaction_sort",))
    calls = attempt(sandbox, tmp_path / "plain", resource="broker_transactions")["calls"]
    broken(sandbox, tmp_path / "again", calls, resource="broker_transactions")
    assert checkpoint_of(tmp_path / "again") is not None
    summary = attempt(sandbox, tmp_path / "again", resource="broker_transactions")
    proof = json.loads(Path(summary["manifest"]).read_bytes())["proof"]
    assert (proof["totals"], proof["readings"], proof["verdict"]) == ("matched", 1, "proved")


def test_broken_again_and_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each try adds to what is kept, until little is left to be read."""
    attempt(sandbox, tmp_path / "plain", staged=False)
    positions = []
    for _ in range(2):
        broken(sandbox, tmp_path / "again", 5)
        checkpoint = checkpoint_of(tmp_path / "again")
        assert checkpoint is not None
        positions.append(json.loads(checkpoint.read_bytes())["checkpoint"]["position"])
    assert positions == sorted(set(positions))
    attempt(sandbox, tmp_path / "again")
    assert stored(tmp_path / "again") == stored(tmp_path / "plain")


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    page_size=st.integers(2, 60),
    part=st.integers(3, 90),
    ties=st.sampled_from([0, 60, 3600, 14400]),
    ordered=st.sampled_from(["stable", "shuffled"]),
    inclusive=st.booleans(),
    capped=st.sampled_from([None, 7]),
    share=st.floats(0, 1),
    data=st.data(),
)
def test_any_server(
    sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
    page_size: int,
    part: int,
    ties: int,
    ordered: str,
    inclusive: bool,
    capped: int | None,
    share: float,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    sandbox.configure(tie_seconds=ties, ties=ordered, since_inclusive=inclusive, max_limit=capped, faults=())
    before, jsonl.PART_RECORDS = jsonl.PART_RECORDS, part
    try:
        plain = attempt(sandbox, folder / "plain", staged=False, page_size=page_size)
        at = 1 + int(share * (plain["calls"] - 1))
        for _ in range(data.draw(st.integers(1, 3))):
            if not (folder / "again").exists() or not list((folder / "again").rglob(NAME)):
                sandbox.configure(faults=(Fault("status", first=at, times=-1, status=500),))
                with suppress(NexusApiError):
                    attempt(sandbox, folder / "again", page_size=page_size)
                sandbox.configure(faults=())
        attempt(sandbox, folder / "again", page_size=page_size)
        assert stored_without_readings(folder / "again") == stored_without_readings(folder / "plain")
    finally:
        jsonl.PART_RECORDS = before


def stored_without_readings(folder: Path) -> dict[str, Any]:
    """Shuffled ties may need another strategy or further readings to be proved."""
    found = stored(folder)
    for manifest in (value for value in found.values() if isinstance(value, dict)):
        assert manifest["proof"].pop("verdict") == "proved"
        for name in ("proof", "schema", "previous"):
            manifest.pop(name)
    return found


def test_fields_are_those_of_an_undisturbed_run(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.configure(unknown_fields=True)
    plain = attempt(sandbox, tmp_path / "plain", staged=False)
    broken(sandbox, tmp_path / "again", plain["calls"])
    sandbox.configure(unknown_fields=False)
    attempt(sandbox, tmp_path / "again")
    ours, theirs = (next(v for v in stored(tmp_path / n).values() if isinstance(v, dict)) for n in ("again", "plain"))
    assert ours["schema"] == theirs["schema"]
    assert ours["schema"]["unknown_fields"]


def test_rows_that_appear_in_what_was_read_are_not_lost(sandbox: Sandbox, tmp_path: Path) -> None:
    late = {"late_share": 0.5, "late_seconds": 600.0, "late_mode": "while_reading"}
    sandbox.configure(**late)
    calls = attempt(sandbox, tmp_path / "early", staged=False)["calls"]
    requested = day(sandbox)
    broken(sandbox, tmp_path / "again", calls, requested=requested)
    assert checkpoint_of(tmp_path / "again") is not None
    sandbox.advance(700)
    summary = attempt(sandbox, tmp_path / "again", requested=requested)
    truth = sandbox.truth("transactions", requested.start, requested.end)
    assert sorted(records_of(tmp_path / "again")) == sorted(truth)
    assert summary["verdict"] == "proved"
    proof = json.loads(Path(summary["manifest"]).read_bytes())["proof"]
    assert proof["readings"] == 2
    assert len(truth) > len(records_of(tmp_path / "early"))


def damage_part(folder: Path) -> None:
    part = next((folder / FOLDER).rglob("part-*"))
    part.write_bytes(part.read_bytes()[:-5] + b"12345")


def damage_checkpoint(folder: Path) -> None:
    checkpoint = checkpoint_of(folder)
    assert checkpoint is not None
    checkpoint.write_bytes(checkpoint.read_bytes()[:-9])


def make_a_list_of_it(folder: Path) -> None:
    checkpoint = checkpoint_of(folder)
    assert checkpoint is not None
    checkpoint.write_bytes(b"[]")


def lose_part(folder: Path) -> None:
    next((folder / FOLDER).rglob("part-*")).unlink()


def of_another_server(folder: Path) -> None:
    checkpoint = checkpoint_of(folder)
    assert checkpoint is not None
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b"127.0.0.1", b"127.0.0.2"))


@pytest.mark.parametrize("damage", [damage_part, damage_checkpoint, make_a_list_of_it, lose_part, of_another_server])
def test_what_can_not_be_used_is_told_and_forgotten(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    plain = attempt(sandbox, tmp_path / "plain", staged=False)
    broken(sandbox, tmp_path / "again", plain["calls"])
    damage(tmp_path / "again")
    with caplog.at_level(logging.WARNING):
        again = attempt(sandbox, tmp_path / "again")
    assert "the window is read from its start" in caplog.text
    assert again["calls"] == plain["calls"]
    assert stored(tmp_path / "again") == stored(tmp_path / "plain")


@pytest.mark.parametrize(
    "other",
    [
        Protection(personal="mask"),
        Protection(fields={"paymentMethodCode": "drop"}),
        Protection(personal="hash", secret="another secret"),
    ],
)
def test_another_protection_begins_anew(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, other: Protection
) -> None:
    first = Protection(personal="hash", secret="a secret")
    plain = attempt(sandbox, tmp_path / "plain", protection=other)
    broken(sandbox, tmp_path / "again", plain["calls"], protection=first)
    with caplog.at_level(logging.WARNING):
        assert attempt(sandbox, tmp_path / "again", protection=other)["calls"] == plain["calls"]
    assert "is of another request" in caplog.text
    assert stored(tmp_path / "again") == stored(tmp_path / "plain")


def test_what_is_old_is_not_gone_on_with(sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    requested = day(sandbox)
    plain = attempt(sandbox, tmp_path / "plain", requested=requested)
    broken(sandbox, tmp_path / "again", plain["calls"], requested=requested)
    sandbox.advance(25 * 3600)
    with caplog.at_level(logging.WARNING):
        assert attempt(sandbox, tmp_path / "again", requested=requested)["calls"] == plain["calls"]
    assert "is too old" in caplog.text


def test_a_reading_is_as_old_as_its_first_try(sandbox: Sandbox, tmp_path: Path) -> None:
    """What an earlier try read must never count as newer than it is."""
    requested = day(sandbox)
    calls = attempt(sandbox, tmp_path / "plain", requested=requested)["calls"]
    began = sandbox.now.replace(microsecond=0)
    broken(sandbox, tmp_path / "again", calls, requested=requested)
    sandbox.advance(600)
    manifest = json.loads(Path(attempt(sandbox, tmp_path / "again", requested=requested)["manifest"]).read_bytes())
    assert manifest["read_at"] == f"{began:%FT%TZ}"


@pytest.mark.parametrize("server", [{"sort": "ignored"}, {"filters": "ignored"}])
def test_walks_that_keep_nothing(sandbox: Sandbox, tmp_path: Path, server: dict[str, Any]) -> None:
    sandbox.configure(**server)
    calls = attempt(sandbox, tmp_path / "plain", staged=False)["calls"]
    broken(sandbox, tmp_path / "again", calls)
    assert checkpoint_of(tmp_path / "again") is None
    attempt(sandbox, tmp_path / "again")
    assert stored(tmp_path / "again") == stored(tmp_path / "plain")


def test_a_server_that_stops_sorting_between_the_tries(sandbox: Sandbox, tmp_path: Path) -> None:
    attempt(sandbox, tmp_path / "plain", staged=False)
    broken(sandbox, tmp_path / "again", 8)
    assert checkpoint_of(tmp_path / "again") is not None
    sandbox.configure(sort="ignored")
    attempt(sandbox, tmp_path / "again")
    assert records_of(tmp_path / "again") == records_of(tmp_path / "plain")
    assert not list((tmp_path / "again").rglob("checkpoint.json"))


def test_an_unproved_reading_is_read_anew_the_next_time(sandbox: Sandbox, tmp_path: Path) -> None:
    attempt(sandbox, tmp_path / "plain", staged=False)
    sandbox.configure(total_error=3)
    with pytest.raises(NexusUnprovedError):
        attempt(sandbox, tmp_path / "again")
    sandbox.configure(total_error=0)
    attempt(sandbox, tmp_path / "again")
    assert records_of(tmp_path / "again") == records_of(tmp_path / "plain")


def test_a_store_that_fails_keeps_what_was_read(sandbox: Sandbox, tmp_path: Path) -> None:
    plain = attempt(sandbox, tmp_path / "plain", staged=False)
    target = Path(str(plain["path"]).replace("/plain/", "/again/"))
    target.parent.mkdir(parents=True)
    target.write_text("in the way")
    with pytest.raises(NexusStorageError, match="there is a file where a folder is needed"):
        attempt(sandbox, tmp_path / "again")
    assert checkpoint_of(tmp_path / "again") is not None
    target.unlink()
    assert attempt(sandbox, tmp_path / "again")["calls"] < plain["calls"]
    assert stored(tmp_path / "again") == stored(tmp_path / "plain")


def test_on_object_storage(sandbox: Sandbox, tmp_path: Path) -> None:
    from airflow.sdk import ObjectStoragePath

    def on(folder: str) -> Any:
        return ObjectStoragePath(f"file://{tmp_path}/{folder}")

    plain = attempt(sandbox, on("plain"), staged=False)
    broken(sandbox, on("again"), plain["calls"])
    assert checkpoint_of(tmp_path / "again") is not None
    assert attempt(sandbox, on("again"))["calls"] < plain["calls"]
    assert stored(tmp_path / "again") == stored(tmp_path / "plain")
    assert not list((tmp_path / "again").rglob("checkpoint.json"))


def test_nothing_is_kept_that_was_to_be_protected(sandbox: Sandbox, tmp_path: Path) -> None:
    requested = day(sandbox, 47)
    truth = [json.loads(raw) for raw in sandbox.truth("customers", requested.start, requested.end)]
    personal = {each["email"] for each in truth if each.get("email")}
    assert personal
    protection = Protection(personal="hash", secret="a secret")
    jsonl.PART_RECORDS = 3
    options: dict[str, Any] = {"resource": "customers", "protection": protection, "page_size": 5, "requested": requested}
    plain = attempt(sandbox, tmp_path / "plain", staged=False, **options)
    broken(sandbox, tmp_path / "again", plain["calls"], **options)
    kept = b"".join(
        gzip.decompress(each.read_bytes()) if each.suffix == ".gz" else each.read_bytes()
        for each in (tmp_path / "again").rglob("*")
        if each.is_file()
    )
    assert kept
    assert not [each for each in personal if each.encode() in kept]
    attempt(sandbox, tmp_path / "again", **options)
    assert stored(tmp_path / "again") == stored(tmp_path / "plain")


def test_not_one_second_is_skipped_or_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records in neighbouring seconds: a place to go on from that is one second off shows in the proof."""
    monkeypatch.setattr(jsonl, "PART_RECORDS", 15)
    with sandbox_and_client(transactions=30_000, days=1) as (sandbox, _):
        end = (sandbox.now - timedelta(hours=1)).replace(microsecond=0)
        requested = RequestedWindow(end - timedelta(minutes=4), end, "arguments")
        plain = attempt(sandbox, tmp_path / "plain", requested=requested, page_size=8)
        for at in range(4, plain["calls"] + 1):
            broken(sandbox, tmp_path / str(at), at, requested=requested, page_size=8)
            attempt(sandbox, tmp_path / str(at), requested=requested, page_size=8)
            assert stored(tmp_path / str(at)) == stored(tmp_path / "plain")
