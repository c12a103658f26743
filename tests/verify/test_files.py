"""What was tampered with is found and named; what a sync has left, whatever its history, is fine."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.protect import Protection, Treatment
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.verify.files import verify
from tests.extract.serving import client_of, sandbox_and_client
from tests.load.storing import capture, hours_of, put

Tamper = Callable[[Path], object]


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Copies with windows that touch, reruns that brought changes, patches, snapshots and readings."""
    roots = {name: tmp_path_factory.mktemp(name) for name in ("lines", "typed", "history")}
    with sandbox_and_client(days=4) as (sandbox, client):
        spans = [hours_of(sandbox, start=48, until=24), hours_of(sandbox, start=24, until=0)]
        for name in ("transactions", "broker_transactions", "customers"):
            for span in spans:
                put(client, roots["lines"], name, span)
                put(client, roots["typed"], name, span, "parquet")
        for file_format, root in (("jsonl", roots["lines"]), ("parquet", roots["typed"])):
            put(client, root, "prices", None, file_format)
            put(client, root, "customer_persons", None, file_format)
        _live_on(sandbox, roots, spans)
        yield roots


def _live_on(sandbox: Sandbox, roots: dict[str, Path], spans: list[Any]) -> None:
    start = sandbox.now - timedelta(hours=30)
    for _ in range(8):
        capture(sandbox, roots["history"], "transactions", start, history=True)
        sandbox.advance(seconds=2_700)
    client = client_of(sandbox)
    for span in spans:
        put(client, roots["lines"], "transactions", span)
        put(client, roots["typed"], "broker_transactions", span, "parquet")
    client.session.close()


@pytest.mark.parametrize("name", ["lines", "typed", "history"])
def test_an_untouched_tree_is_fine(trees: dict[str, Path], name: str) -> None:
    report = verify(trees[name])
    assert report.problems == ()
    assert report.notes == ()
    assert report.windows == len([path for path in trees[name].rglob(NAME) if path.parent.name != "_superseded"]) > 5
    assert report.records > 200
    assert json.loads(json.dumps(report.dump()))["fine"] is True


def test_the_trees_have_a_history(trees: dict[str, Path]) -> None:
    assert list(trees["lines"].rglob("_superseded/*.json"))
    patched = [json.loads(path.read_bytes()) for path in trees["history"].rglob(NAME)]
    assert any(manifest.get("patches") for manifest in patched)
    assert list(trees["history"].rglob("_readings/*/*.parquet"))


def test_it_starts_at_any_level(trees: dict[str, Path]) -> None:
    root = trees["lines"]
    window = sorted(root.rglob("transactions/*Z-*Z"))[-1]
    at = {level: verify(level).windows for level in (window, window.parent, window.parent.parent, root)}
    assert list(at.values())[:2] == [1, 2]
    assert at[root] == at[window.parent.parent] == 8
    reading = next(path.parent for path in trees["history"].rglob(f"_readings/*/{NAME}"))
    assert (verify(reading).windows, verify(reading).problems) == (1, ())


def test_nothing_to_check_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(NexusConfigurationError, match="there is no sync in"):
        verify(tmp_path)
    with pytest.raises(NexusConfigurationError, match="there is no sync in"):
        verify(tmp_path / "20260101T000000Z-20260102T000000Z")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def edited(folder: Path, **members: Any) -> None:
    manifest = json.loads((folder / NAME).read_bytes())
    (folder / NAME).write_text(json.dumps({**manifest, **members}, indent=2, sort_keys=True))


_WINDOW = {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z", "how": "arguments"}
_ELSEWHERE = "20200101T000000Z-20200102T000000Z"
_DEEP = '{"manifest_version": 1, "run": ' + "[" * 5_000 + "]" * 5_000 + "}"


def moved_by_a_day(folder: Path) -> None:
    first, *others = json.loads((folder / NAME).read_bytes())["days"]
    edited(folder, days=[first | {"day": "2020-01-01"}, *others])


def of_proof(folder: Path, **members: Any) -> None:
    edited(folder, proof={**json.loads((folder / NAME).read_bytes())["proof"], **members})


def of_request(folder: Path, **members: Any) -> None:
    edited(folder, request={**json.loads((folder / NAME).read_bytes())["request"], **members})


def with_digests(folder: Path) -> None:
    """The manifest names files as they are now, as one who covers his tracks would do."""
    files = json.loads((folder / NAME).read_bytes())["files"]
    for file in files:
        data = (folder / file["name"]).read_bytes()
        file |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edited(folder, files=files)


def _part(folder: Path) -> Path:
    return sorted(folder.glob("part-*"))[0]


def _edit_line(folder: Path) -> None:
    lines = gzip.decompress(_part(folder).read_bytes()).splitlines(keepends=True)
    record = json.loads(lines[1])
    record["transactionCode"] = "TX-EDITED"
    lines[1] = json.dumps(record).encode() + b"\n"
    _part(folder).write_bytes(gzip.compress(b"".join(lines)))
    with_digests(folder)


def _edit_amount(folder: Path) -> None:
    lines = gzip.decompress(_part(folder).read_bytes()).splitlines(keepends=True)
    place = next(place for place, line in enumerate(lines) if json.loads(line)["executedAmounts"])
    record = json.loads(lines[place])
    record["executedAmounts"]["fiatValue"] = 123456.78
    lines[place] = json.dumps(record).encode() + b"\n"
    _part(folder).write_bytes(gzip.compress(b"".join(lines)))
    with_digests(folder)


def _cut_line(folder: Path) -> None:
    lines = gzip.decompress(_part(folder).read_bytes()).splitlines(keepends=True)
    _part(folder).write_bytes(gzip.compress(b"".join(lines[:-1])))
    with_digests(folder)


def _edit_cell(folder: Path) -> None:
    table = pq.read_table(_part(folder))
    place = table.schema.get_field_index("status")
    values = ["Edited", *table["status"].to_pylist()[1:]]
    pq.write_table(table.set_column(place, table.schema.field(place), [values]), _part(folder))
    with_digests(folder)


def _cut_row(folder: Path) -> None:
    pq.write_table(pq.read_table(_part(folder)).slice(1), _part(folder))
    with_digests(folder)


BOTH: dict[str, tuple[Tamper, str]] = {
    "a byte": (lambda folder: flip(_part(folder)), "SHA-256"),
    "a part gone": (lambda folder: _part(folder).unlink(), "is missing"),
    "a part too many": (lambda folder: (folder / "part-00007.parquet").write_bytes(b"x"), "not named by"),
    "a file beside": (lambda folder: (folder / "more.jsonl.gz").write_bytes(b"x"), "not named by"),
    "a part cut": (lambda folder: _part(folder).write_bytes(_part(folder).read_bytes()[:-9]), "bytes instead of"),
    "no manifest": (lambda folder: (folder / NAME).unlink(), "has no _manifest.json"),
    "half a manifest": (lambda folder: (folder / NAME).write_bytes((folder / NAME).read_bytes()[:99]), "manifest"),
    "a manifest without members": (
        lambda folder: (folder / NAME).write_text('{"manifest_version": 1}'),
        "what a whole manifest has",
    ),
    "records": (lambda folder: edited(folder, records=3), "records say 3"),
    "key digest": (lambda folder: edited(folder, key_digest="sha256-sum:" + "0" * 64), "key_digest"),
    "sums": (lambda folder: edited(folder, sums={"executedAmounts.fiatValue": {"EUR": "1"}}), "sums"),
    "days": (lambda folder: moved_by_a_day(folder), "days say something else than the rows"),
    "days that don't add up": (lambda folder: edited(folder, days=[]), "days don't add up"),
    "another resource": (lambda folder: edited(folder, resource="unicorns"), "unicorns"),
    "a rejected file": (lambda folder: _write(folder / "_rejected" / "records.jsonl"), "not named by"),
    "what it replaced": (lambda folder: edited(folder, replaces="0" * 64), "is missing, and _manifest.json says"),
}
CLAIMS: dict[str, tuple[Tamper, str]] = {
    "unique": (lambda folder: of_proof(folder, unique=3), "its verdict is 'proved', and 3 unique records"),
    "a total": (lambda folder: of_proof(folder, total_last=1), "unique records with totals of"),
    "no total": (lambda folder: of_proof(folder, total_last=None), "make that 'unproved'"),
    "unique and totals": (lambda folder: of_proof(folder, unique=3, total_first=3, total_last=3), "its proof is of 3 records"),
    "outside": (lambda folder: of_proof(folder, outside=7), "7 of them around the edges"),
    "a negative count": (lambda folder: of_proof(folder, outside=-1), "outside' holds -1, which is not a count"),
    "a count in words": (lambda folder: of_proof(folder, unique="all"), "unique' holds 'all', which is not a count"),
    "a verdict of its own": (lambda folder: of_proof(folder, verdict="sure"), "verdict is 'sure', which is none"),
    "no verdict": (lambda folder: of_proof(folder, verdict=None), "verdict' holds None, which is not a text"),
    "a shrunk one": (
        lambda folder: of_proof(folder, verdict="proved_shrunk", total_first=1, total_last=2),
        "make that 'unproved'",
    ),
    "one that did not shrink": (lambda folder: of_proof(folder, verdict="proved_shrunk"), "make that 'proved'"),
    "strategy": (lambda folder: of_proof(folder, strategy="faith"), "strategy is 'faith', which is none"),
    "totals that differ": (lambda folder: of_proof(folder, totals="differ"), "says that the totals differ"),
    "agreeing": (lambda folder: of_proof(folder, agreeing=2), "2 of 1 readings agreed"),
    "window deleted": (lambda folder: edited(folder, window=None), "it names no window"),
    "window moved": (lambda folder: edited(folder, window=_WINDOW), "was read by"),
    "window backwards": (
        lambda folder: edited(folder, window={"start": _WINDOW["end"], "end": _WINDOW["start"]}),
        "which is none",
    ),
    "window in words": (
        lambda folder: edited(folder, window="January"),
        "field 'window' holds 'January', which",
    ),
    "window and all of it moved": (
        lambda folder: edited(folder, window=_WINDOW, read_by="created 20200101T000000Z-20200102T000000Z"),
        "it is that of 20200101T000000Z-20200102T000000Z, and its folder is called",
    ),
    "folder moved": (lambda folder: folder.rename(folder.parent / _ELSEWHERE), f"its folder is called '{_ELSEWHERE}'"),
    "folder named": (lambda folder: folder.rename(folder.parent / "november"), "its folder is called 'november'"),
    "a copy of the folder": (lambda folder: shutil.copytree(folder, folder.parent / _ELSEWHERE), "its folder is called"),
    "feed": (lambda folder: edited(folder, feed="open"), "its feed is 'open', which has none"),
    "no feed": (lambda folder: edited(folder, feed="dream"), "feed is 'dream', which is none"),
    "environment": (lambda folder: edited(folder, environment="production"), "its environment is 'production', and its base_url"),
    "base url": (lambda folder: edited(folder, base_url="https://api.quantoznexus.com"), "is that of 'production'"),
    "no base url": (lambda folder: edited(folder, base_url="ftp://x"), "no sync reads there"),
    "version": (lambda folder: edited(folder, manifest_version=7), "holds 7, which is not 1, the only version"),
    "resource": (lambda folder: edited(folder, resource="orders"), "lies among those of 'transactions'"),
    "protected invented": (lambda folder: edited(folder, protected={"transactioncode": "hash"}), "transactioncode"),
    "protected of no field": (lambda folder: edited(folder, protected={"moon": "mask"}), "have no field 'moon'"),
    "protected by prayer": (lambda folder: edited(folder, protected={"status": "pray"}), "'pray'"),
    "protected in words": (
        lambda folder: edited(folder, protected="all"),
        "field 'protected' holds 'all', which",
    ),
    "fingerprint": (
        lambda folder: edited(folder, schema={"fingerprint": "sha256:" + "0" * 64, "fields": [], "unknown_fields": []}),
        "its schema's fingerprint is not that of its fields",
    ),
    "path": (lambda folder: of_request(folder, path="/orders"), "its request has the path '/orders', and transactions is read"),
    "date filter": (lambda folder: of_request(folder, date_filter=["from", "to"]), "its request has the date_filter"),
    "nested too deep": (lambda folder: (folder / NAME).write_text(_DEEP), "which is not a manifest"),
}
LINES: dict[str, tuple[Tamper, str]] = {
    "a line": (_edit_line, "key_digest"),
    "an amount": (_edit_amount, "sums"),
    "a line gone": (_cut_line, "records instead of"),
    "first": (lambda folder: edited(folder, first={"key": "x", "stamp": ""}), "first"),
}
TYPED: dict[str, tuple[Tamper, str]] = {
    "a cell": (_edit_cell, "the row of key"),
    "a row gone": (_cut_row, "records instead of"),
    "content": (lambda folder: edited(folder, content="sha256-sum:" + "0" * 64), "content"),
}
CASES = [
    *((tree, *case) for tree in ("lines", "typed") for case in (BOTH | CLAIMS).items()),
    *(("lines", *case) for case in LINES.items()),
    *(("typed", *case) for case in TYPED.items()),
]


def _write(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"{}\n")


@pytest.mark.parametrize(("tree", "name", "case"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_tampering_is_found(trees: dict[str, Path], tmp_path: Path, tree: str, name: str, case: tuple[Tamper, str]) -> None:
    tamper, said = case
    root = tmp_path / "copy"
    shutil.copytree(trees[tree], root)
    last = sorted(root.rglob("transactions/*Z-*Z"))[-1]
    tamper(last)
    report = verify(root)
    assert not report.is_fine
    assert any(said in problem.what for problem in report.problems), report.problems
    assert all("/transactions" in problem.where for problem in report.problems)


@pytest.mark.parametrize("tree", ["lines", "typed"])
def test_a_window_cut_to_what_it_does_not_hold_is_found_by_its_records(trees: dict[str, Path], tmp_path: Path, tree: str) -> None:
    """All that names the window agrees, so that the records alone tell."""
    shutil.copytree(trees[tree], tmp_path / "copy")
    folder = sorted(tmp_path.rglob("transactions/*Z-*Z"))[-1]
    window = json.loads((folder / NAME).read_bytes())["window"]
    middle = datetime.fromisoformat(window["start"]) + timedelta(hours=6)
    label = f"{folder.name.partition('-')[0]}-{middle:%Y%m%dT%H%M%SZ}"
    edited(folder, window=window | {"end": f"{middle:%FT%TZ}"}, read_by=f"created {label}")
    moved = folder.rename(folder.parent / label)
    found = {problem.what for problem in verify(moved).problems}
    assert any("outside of the window" in what for what in found), found
    assert all("outside of the window" in what for what in found)


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_what_was_done_with_personal_data_is_held_against_the_records(tmp_path: Path, file_format: str) -> None:
    treatments: dict[str, Treatment] = {"customerCode": "hash", "bankAccount": "drop", "email": "mask"}
    with sandbox_and_client() as (sandbox, client):
        protection = Protection(fields=treatments, secret="s")
        folder = put(client, tmp_path, "customers", hours_of(sandbox, start=48, until=0), file_format, protection=protection)
    told = json.loads((folder / NAME).read_bytes())["protected"]
    assert told == {"customercode": "hash", "bankaccount": "drop", "email": "mask"}
    assert verify(folder).problems == ()
    wrong = {
        "contains a hash in customercode, of which": {name: told[name] for name in told if name != "customercode"},
        "email that is not treated with 'hash'": told | {"email": "hash"},
        "email that is not treated with 'drop'": told | {"email": "drop"},
        "countrycode that is not treated with 'mask'": told | {"countrycode": "mask"},
    }
    for said, protected in wrong.items():
        edited(folder, protected=protected)
        assert any(said in problem.what for problem in verify(folder).problems), (said, verify(folder).problems[:2])


def test_totals_of_a_manifest_are_counted_again(trees: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(trees["typed"], tmp_path / "copy")
    folder = sorted(tmp_path.rglob("broker_transactions/*Z-*Z"))[-1]
    totals = json.loads((folder / NAME).read_bytes())["totals"]
    totals[0]["count"] += 1
    edited(folder, totals=totals)
    assert [problem.what[:16] for problem in verify(folder).problems] == ["its totals say s"]


def test_a_manifest_that_others_were_written_after_can_t_be_edited(trees: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(trees["lines"], tmp_path / "copy")
    first, last = sorted(tmp_path.rglob("customers/*Z-*Z"))
    edited(first, calls=1)
    (problem,) = verify(tmp_path / "copy").problems
    assert problem.where == str(first / NAME)
    assert last.name in problem.what
    assert not verify(last).is_fine


@pytest.mark.parametrize("hours", [0, 2])
def test_the_window_before_is_missed_where_it_was_stored_long_before(trees: dict[str, Path], tmp_path: Path, hours: int) -> None:
    """Windows that are read at about the same time may be stored in any order."""
    shutil.copytree(trees["lines"], tmp_path / "copy")
    first, last = sorted(tmp_path.rglob("customers/*Z-*Z"))
    read_at = datetime.fromisoformat(json.loads((last / NAME).read_bytes())["read_at"]) + timedelta(hours=hours)
    edited(last, previous=None, read_at=f"{read_at:%FT%TZ}")
    said = [problem.what for problem in verify(tmp_path / "copy").problems]
    assert [f"names no window as the one before it, though {first.name} was stored already" in what for what in said] == (
        [True] if hours else []
    )


def test_a_window_is_held_against_the_server_of_the_others(trees: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(trees["lines"], tmp_path / "copy")
    last = sorted(tmp_path.rglob("customers/*Z-*Z"))[-1]
    edited(last, environment="production", base_url="https://api.quantoznexus.com")
    for root in (last, last.parent):
        assert [problem.what[:41] for problem in verify(root).problems] == ["contains windows of more than one server,"]


def test_a_kept_manifest_that_is_gone_or_edited_is_found(trees: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(trees["history"], tmp_path / "copy")
    kept = sorted(tmp_path.rglob("_superseded/*.json"))
    raw = kept[0].read_bytes()
    kept[0].unlink()
    assert any("is missing" in problem.what and kept[0].name in problem.where for problem in verify(tmp_path / "copy").problems)
    kept[0].write_bytes(raw.replace(b'"calls": ', b'"calls": 1'))
    assert any("SHA-256 is not its name" in problem.what for problem in verify(tmp_path / "copy").problems)
    kept[0].write_bytes(raw)
    assert verify(tmp_path / "copy").is_fine


def test_a_version_of_a_history_is_checked(trees: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(trees["history"], tmp_path / "copy")
    part = next(iter(sorted(tmp_path.rglob("_readings/*/part-*.parquet"))))
    _edit_cell(part.parent)
    assert any("the row of key" in problem.what and problem.where == str(part) for problem in verify(part.parent).problems)


def test_gaps_and_overlaps_are_noted(tmp_path: Path) -> None:
    with sandbox_and_client() as (sandbox, client):
        for start, until in ((30, 20), (18, 10), (12, 5)):
            put(client, tmp_path, "orders", hours_of(sandbox, start=start, until=until))
    report = verify(tmp_path)
    assert report.is_fine
    assert [note.what[:6] for note in report.notes] == ["a gap:", "an ove"]


def test_an_unproved_window_is_a_warning(tmp_path: Path) -> None:
    with sandbox_and_client() as (sandbox, client):
        sandbox.configure(total_error=1)
        put(client, tmp_path, "orders", hours_of(sandbox, start=30, until=20), strict=False)
    report = verify(tmp_path)
    assert report.is_fine
    assert "warning: its reading was never proved" in report.notes[0].what


def test_what_is_staged_and_what_remembers_is_left_alone(trees: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(trees["history"], tmp_path / "copy")
    collection = next(tmp_path.rglob("transactions"))
    (collection / "_staging" / "20260101T000000Z-20260102T000000Z").mkdir(parents=True)
    (collection / "_staging" / "20260101T000000Z-20260102T000000Z" / "part-00000.jsonl.gz").write_bytes(b"half")
    assert (collection / "_unsettled.json").exists()
    assert verify(tmp_path / "copy").problems == ()


def test_an_object_store_is_read_as_a_folder(trees: dict[str, Path]) -> None:
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

    attach(protocol="memory", fs=MemoryFileSystem())
    root = ObjectStoragePath("memory://verify/data")
    for path in trees["typed"].rglob("*"):
        if path.is_file():
            target = root / str(path.relative_to(trees["typed"]))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    report = verify(root)
    assert report == verify(trees["typed"])
    part = next(iter(sorted((trees["typed"]).rglob("transactions/*/part-*")))).relative_to(trees["typed"])
    (root / str(part)).unlink()
    assert ["is missing" in problem.what for problem in verify(root).problems] == [True]
