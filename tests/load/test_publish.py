"""A process that is killed anywhere leaves no manifest that lies, and the next run leaves what an undisturbed one does."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError
from airflow_provider_nexus.extract import jsonl
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.copy import Reject
from airflow_provider_nexus.load.manifest import NAME, SUPERSEDED, digest_of
from airflow_provider_nexus.load.publish import publish
from airflow_provider_nexus.sandbox import Sandbox
from tests.extract.serving import client_of, lines_job, sandbox_and_client
from tests.load.manifests import WHOLE, manifest_of
from tests.load.storing import capture, hours_of, put
from tests.repeated import times

KILLS = times(8, 50)
FOREVER = """
import sys
from datetime import datetime
from pathlib import Path
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.extract import jsonl
from tests.extract.serving import lines_job

jsonl.PART_RECORDS = 20
url, token, target, start, end, staged = sys.argv[1:]
job = {"staging": Path(target) / "_staging"} if staged == "staged" else {}
client = NexusClient(NexusSession(read_settings(token=token, host=url)))
requested = RequestedWindow(datetime.fromisoformat(start), datetime.fromisoformat(end), "arguments")
print("ready", flush=True)
for _ in range(1000):
    lines_job(client, Path(target), "transactions", requested, max_rejected=500, page_size=15, job=job).run()
    client.session._http.post(url + "/_sandbox/clock", json={"advance": 600})
"""


def lies(target: Path) -> list[str]:
    """Files that a manifest names otherwise than they are."""
    found = []
    for path in target.rglob(NAME):
        manifest = json.loads(path.read_bytes())
        for file in [*manifest["files"], *manifest["rejected"]]:
            data = path.parent / file["name"]
            if not data.exists() or hashlib.sha256(data.read_bytes()).hexdigest() != file["sha256"]:
                found.append(f"{path}: {file['name']}")
    return found


def data_of(target: Path) -> dict[str, bytes]:
    return {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file() and p.suffix != ".json"}


@pytest.mark.slow
@pytest.mark.parametrize("staged", ["plain", "staged"])
def test_killed_anywhere(tmp_path: Path, staged: str) -> None:
    chance, published = random.Random(20260601), 0
    with sandbox_and_client(misfit_share=0.1, misfits=("amount",)) as (sandbox, _):
        end = (sandbox.now - timedelta(hours=1)).replace(microsecond=0)
        start = end - timedelta(hours=24)
        target = tmp_path / "killed"
        command = [
            sys.executable,
            "-c",
            FOREVER,
            sandbox.base_url,
            sandbox.token,
            str(target),
            start.isoformat(),
            end.isoformat(),
            staged,
        ]
        for _ in range(KILLS):
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
                # how far a run comes in a while depends on the machine, and not how far its calls show it to be
                calls = sandbox.call_count + chance.randint(1, 40)
                while sandbox.call_count < calls:
                    time.sleep(0.001)
                time.sleep(chance.uniform(0, 0.01))
                os.kill(process.pid, signal.SIGKILL)
            published += len(list(target.rglob(NAME)))
            assert lies(target) == []
        assert published, "no run came as far as its manifest, so nothing was tried"

        client = client_of(sandbox)
        jsonl_parts, jsonl.PART_RECORDS = jsonl.PART_RECORDS, 20
        try:
            for folder in (target, tmp_path / "undisturbed"):
                requested = RequestedWindow(start, end, "arguments")
                job = {"staging": folder / "_staging"} if staged == "staged" else {}
                summary = lines_job(client, folder, "transactions", requested, max_rejected=500, page_size=15, job=job).run()
                assert summary
                assert summary["rejected"]
        finally:
            jsonl.PART_RECORDS = jsonl_parts
            client.session.close()
    assert data_of(target) == data_of(tmp_path / "undisturbed")
    assert lies(target) == []


class KilledError(BaseException):
    """In place of the end of a process."""


class Mortal:
    """Lets the writes and removals of the store work, up to one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.left, self._patch = at, monkeypatch
        for name in ("put", "remove", "remove_folder"):
            monkeypatch.setattr(store, name, self._counted(getattr(store, name)))

    def _counted(self, real: Any) -> Any:
        def counted(*given: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise KilledError
            return real(*given)

        return counted


STATES: dict[str, dict[str, Any]] = {
    "many": {"misfit_share": 0},
    "spoilt": {"misfit_share": 0.3, "misfits": ("amount",)},
    "other": {"misfit_share": 0.2, "misfits": ("amount",), "seed": 1},
}


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [("many", "spoilt"), ("spoilt", "many"), ("spoilt", "other"), ("", "spoilt")])
def test_ended_between_any_two_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str) -> None:
    monkeypatch.setattr(jsonl, "PART_RECORDS", 60)
    with sandbox_and_client() as (sandbox, _):
        end = (sandbox.now - timedelta(hours=1)).replace(microsecond=0)
        requested = RequestedWindow(end - timedelta(hours=24), end, "arguments")
        brought(sandbox, tmp_path / "undisturbed", requested, after)
        expected, ended = data_of(tmp_path / "undisturbed"), 0
        for at in range(60):
            target = tmp_path / str(at)
            if before:
                brought(sandbox, target, requested, before)
            with monkeypatch.context() as patch:
                Mortal(patch, at)
                try:
                    brought(sandbox, target, requested, after)
                    break
                except KilledError:
                    ended += 1
            assert lies(target) == []
            brought(sandbox, target, requested, after)
            assert lies(target) == []
            assert without(data_of(target), SUPERSEDED) == expected
        assert ended > 4
        assert ended < 59


def brought(sandbox: Sandbox, target: Path, requested: RequestedWindow, state: str) -> None:
    sandbox.configure(**STATES[state])
    client = client_of(sandbox)
    assert lines_job(client, target, "transactions", requested, max_rejected=500, job={"staging": target / "_staging"}).run()
    client.session.close()


def without(files: dict[str, bytes], folder: str) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if f"/{folder}/" not in name}


def parts_of(*records: bytes) -> list[jsonl.Part]:
    writer = jsonl.JsonLinesWriter()
    writer.write([Row("", str(number), raw) for number, raw in enumerate(records)])
    return writer.parts()


BAD = Reject("K", "amount", "a decimal number", '{"amount":"n/a","text":"é \\ud800"}')


def test_what_is_replaced_is_kept_and_named(tmp_path: Path) -> None:
    changed, first, _ = publish(tmp_path, parts_of(b"{}"), manifest_of())
    assert changed
    assert publish(tmp_path, parts_of(b"{}"), manifest_of()) == (False, first, {})
    second = publish(tmp_path, parts_of(b'{"a":1}'), manifest_of()).raw
    assert json.loads(second)["replaces"] == digest_of(first)
    assert (tmp_path / SUPERSEDED / f"{digest_of(first)}.json").read_bytes() == first
    assert (tmp_path / NAME).read_bytes() == second


def test_rejects_lie_beside_the_data(tmp_path: Path) -> None:
    publish(tmp_path, parts_of(b"{}"), manifest_of(), [BAD])
    path = tmp_path / "_rejected" / "records.jsonl"
    assert json.loads(path.read_bytes()) == {"key": "K", "field": "amount", "reason": "a decimal number", "raw": BAD.raw}
    (told,) = json.loads((tmp_path / NAME).read_bytes())["rejected"]
    assert (told["name"], told["records"], told["bytes"]) == ("_rejected/records.jsonl", 1, path.stat().st_size)
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    publish(tmp_path, parts_of(b"{}"), manifest_of())
    assert not path.parent.exists()


def test_rejects_can_be_left_as_they_are(tmp_path: Path) -> None:
    raw = publish(tmp_path, parts_of(b"{}"), manifest_of(), [BAD]).raw
    before = (tmp_path / "_rejected" / "records.jsonl").read_bytes()
    told = json.loads(raw)["rejected"]
    publish(tmp_path, parts_of(b'{"a":1}'), manifest_of(rejected=told), keep_rejected=True)
    assert (tmp_path / "_rejected" / "records.jsonl").read_bytes() == before
    assert json.loads((tmp_path / NAME).read_bytes())["rejected"] == told
    assert lies(tmp_path) == []


REJECTED, PART = "_rejected/records.jsonl", "part-00000.jsonl.gz"
DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "is missing": (PART, Path.unlink),
    "has 3 bytes instead of": (PART, lambda path: path.write_bytes(b"cut")),
    "was changed, its SHA-256 is not": (PART, lambda path: flip(path)),
    "is not named by _manifest.json": ("part-00001.jsonl.gz", lambda path: path.write_bytes(b"more")),
    "states something else than the records in records": (NAME, lambda path: edit(path, records=7)),
    "states something else than the records in sums": (NAME, lambda path: edit(path, sums={"amount": {"EUR": "1"}})),
    "states something else than the records in days": (NAME, lambda path: edit(path, days=[{"day": "2026-01-01", "records": 1}])),
    "its verdict is 'proved', and 9 unique records": (NAME, lambda path: edit(path, proof=WHOLE["proof"] | {"unique": 9})),
}


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def edit(path: Path, **members: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | members))


@pytest.mark.parametrize("what", DAMAGE)
@pytest.mark.parametrize("aside", [False, True])
def test_what_is_damaged_is_replaced_by_the_same(tmp_path: Path, what: str, aside: bool) -> None:
    name, damage = DAMAGE[what]
    if aside:
        name = {PART: REJECTED, "part-00001.jsonl.gz": "_rejected/more.jsonl"}.get(name, name)
    undisturbed = publish(tmp_path, parts_of(b"{}"), manifest_of(), [BAD])
    before = data_of(tmp_path)
    damage(tmp_path / name)
    published = publish(tmp_path, parts_of(b"{}"), manifest_of(), [BAD])
    assert published.changed
    assert [(where, what in flaw) for where, flaw in published.damage.items()] == [(name, True)]
    assert data_of(tmp_path) == before
    assert lies(tmp_path) == []
    assert {**json.loads(published.raw), "replaces": ""} == {**json.loads(undisturbed.raw), "replaces": ""}
    assert publish(tmp_path, parts_of(b"{}"), manifest_of(), [BAD]) == (False, published.raw, {})


def test_a_manifest_of_another_version_is_not_written_over(tmp_path: Path) -> None:
    publish(tmp_path, parts_of(b"{}"), manifest_of())
    edit(tmp_path / NAME, manifest_version=2)
    before = (tmp_path / NAME).read_bytes(), data_of(tmp_path)
    with pytest.raises(NexusDataError, match=r"'manifest_version' holds 2, which is not 1, .*: upgrade the provider"):
        publish(tmp_path, parts_of(b'{"a":1}'), manifest_of())
    assert ((tmp_path / NAME).read_bytes(), data_of(tmp_path)) == before


def test_what_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    publish(tmp_path, parts_of(b"{}"), manifest_of(), [BAD])
    litter = [
        f"._manifest.json.{16 * 'a'}.tmp",
        ".part-00000.jsonl.gz.17.tmp",
        "part-00007.jsonl.gz",
        "_rejected/.records.jsonl.17.tmp",
    ]
    for name in litter:
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("not ours")
    publish(tmp_path, parts_of(b'{"a":1}'), manifest_of())
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {name for name in left if not name.startswith(SUPERSEDED)} == {NAME, "part-00000.jsonl.gz", "notes.txt"}


def test_the_manifest_comes_last_and_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, parts_of(b"{}"), manifest_of(), [BAD])
    done: list[str] = []

    def noted(word: str, real: Any) -> Any:
        def call(path: Path, *more: Any) -> None:
            done.append(f"{word} {path.name}")
            real(path, *more)

        return call

    for word in ("put", "remove"):
        monkeypatch.setattr(store, word, noted(word, getattr(store, word)))
    publish(tmp_path, parts_of(b'{"a":1}'), manifest_of())
    ours = [each for each in done if "tmp" not in each]
    assert ours.index(f"remove {NAME}") < ours.index("remove records.jsonl")
    assert ours.index(f"remove {NAME}") < ours.index("put part-00000.jsonl.gz")
    assert ours[-1] == f"put {NAME}"


@pytest.mark.parametrize(("held", "coming"), [("jsonl", "parquet"), ("parquet", "jsonl")])
def test_a_window_in_another_format_is_not_written_over(tmp_path: Path, held: str, coming: str) -> None:
    words = {"jsonl": "JSON lines", "parquet": "Parquet files"}
    with sandbox_and_client(days=3) as (sandbox, client):
        span = hours_of(sandbox, start=24, until=0)
        folder = put(client, tmp_path, "orders", span, held)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        with pytest.raises(NexusConfigurationError) as caught:
            put(client, tmp_path, "orders", span, coming)
        said = str(caught.value)
        assert f"{folder} contains {words[held]}, and this run writes {words[coming]}" in said
        assert f"file_format={held!r}" in said
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        put(client, tmp_path, "orders", hours_of(sandbox, start=48, until=24), coming)  # another window may have another one


def test_changes_are_not_captured_into_json_lines(tmp_path: Path) -> None:
    with sandbox_and_client(days=3) as (sandbox, client):
        span = hours_of(sandbox, start=48, until=24)
        put(client, tmp_path, "broker_transactions", span, "jsonl")
        assert span.end
        with pytest.raises(NexusConfigurationError, match="contains JSON lines, and this run writes Parquet files"):
            capture(sandbox, tmp_path, "broker_transactions", span.end)


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_try_that_was_cut_off_is_not_read_beside_the_longer_window_of_the_next_one(
    tmp_path: Path, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a window without an end, the next try reads one that ends later: it has another folder."""
    with sandbox_and_client() as (sandbox, client):
        begin = RequestedWindow((sandbox.now - timedelta(hours=24)).replace(microsecond=0), None, "arguments")
        whole = store.put

        def cut_off(path: Any, data: Any) -> None:
            if path.name == NAME:
                raise OSError("the worker is gone")
            whole(path, data)

        with monkeypatch.context() as broken:
            broken.setattr(store, "put", cut_off)
            with pytest.raises(OSError, match="gone"):
                put(client, tmp_path, "transactions", begin, file_format)
        (left,) = tmp_path.rglob("part-*")
        sandbox.advance(3600)
        folder = put(client_of(sandbox), tmp_path, "transactions", begin, file_format)
        assert folder != left.parent
        assert list(tmp_path.rglob("part-*")) == [folder / left.name]
