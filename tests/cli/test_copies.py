"""The commands that make copies and check them: what they print, and how they end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_nexus.__main__ import main
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.sandbox import Fault, Sandbox
from airflow_provider_nexus.sync.job import SyncJob
from tests.airflow.nexus import connection
from tests.extract.serving import client_of
from tests.load.storing import hours_of
from tests.report.pages import Page

BIN = Path(sys.executable).parent
PYTHON, AIRFLOW = (sys.executable, "-m", "airflow_provider_nexus"), (str(BIN / "airflow"), "nexus")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with (
        Sandbox(customers=40, transactions=900, days=3, clock_speed=0) as made,
        connection(made),
    ):
        yield made


def token() -> str:
    """What must never be printed."""
    return str(json.loads(os.environ["AIRFLOW_CONN_NEXUS_DEFAULT"])["password"])


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """A command in this process: exit code and what was printed."""
    try:
        code = main([str(each) for each in arguments])
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    assert token() not in said.out + said.err
    assert "Traceback" not in said.err
    return code, said.out, said.err


def process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command as a person runs it."""
    done = subprocess.run([str(each) for each in arguments], capture_output=True, text=True, timeout=90, env=dict(os.environ))
    assert token() not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def day(sandbox: Sandbox) -> tuple[str, ...]:
    requested = hours_of(sandbox, start=24, until=0)
    return ("--window-start", f"{requested.start:%FT%TZ}", "--window-end", f"{requested.end:%FT%TZ}")


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_from_plan_to_verify_as_processes(sandbox: Sandbox, tmp_path: Path, file_format: str) -> None:
    program = PYTHON if file_format == "jsonl" else AIRFLOW
    planned = process(*program, "plan", "transactions", *day(sandbox), "--max-windows", "2", "--output", "json")
    windows = json.loads(planned.stdout)
    assert [set(window) for window in windows] == [{"window_start", "window_end", "records"}] * 2
    for window in windows:
        span = ("--window-start", window["window_start"], "--window-end", window["window_end"])
        asked = ("transactions", tmp_path, *span, "--file-format", file_format, "--output", "json")
        synced = process(*program, "sync", *asked)
        assert json.loads(synced.stdout)["verdict"] == "proved"
        assert "transactions: window" in synced.stderr
    verified = process(*program, "verify", tmp_path, "--against-nexus", "--output", "json")
    report = json.loads(verified.stdout)
    assert (verified.returncode, report["fine"], report["windows"], report["calls"]) == (0, True, 2, 2)
    assert report["records"] == sum(window["records"] for window in windows)
    replayed = process(*program, "replay", tmp_path)
    assert (replayed.returncode, replayed.stdout) == (0, "Fit now: 0 records. Still do not: 0\n")
    next(tmp_path.rglob("part-00000*")).unlink()
    tampered = process(*program, "verify", tmp_path)
    assert tampered.returncode == 1
    assert "is missing" in tampered.stdout
    assert "1 problem:" in tampered.stdout


def test_a_sync_goes_on_where_the_last_ended(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "sync", "orders", tmp_path, *day(sandbox))[0] == 0
    code, out, _ = run(capsys, "sync", "orders", tmp_path, "--output", "json")
    assert (code, json.loads(out)["window_start"]) == (0, day(sandbox)[3])
    code, out, _ = run(capsys, "sync", "prices", tmp_path)
    assert (code, "as of" in out or "prices" in out) == (0, True)
    assert run(capsys, "verify", tmp_path)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("program", [PYTHON, AIRFLOW], ids=["python", "airflow"])
def test_stdout_is_the_result_alone_when_calls_are_tried_again(tmp_path: Path, program: tuple[str, ...]) -> None:
    broken = Fault("status", "/transactions")
    with Sandbox(customers=20, transactions=300, days=3, clock_speed=0, faults=(broken,)) as flaky, connection(flaky):
        done = process(*program, "sync", "transactions", tmp_path, *day(flaky), "--output", "json")
    assert json.loads(done.stdout)["verdict"] == "proved"
    (again,) = [line for line in done.stderr.splitlines() if "attempt 1" in line]
    assert re.match(r"\d\d:\d\d:\d\d GET /transactions/custodian: ", again), "as all else that is said on the way"


def test_personal_data_is_dropped_where_that_is_asked(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "sync", "transactions", tmp_path, *day(sandbox), "--personal", "drop")[0] == 0
    manifest = json.loads(next(tmp_path.rglob(NAME)).read_bytes())
    assert set(manifest["protected"].values()) == {"drop"}
    assert manifest["run"] == {"command": "airflow nexus sync"}


def test_a_field_is_protected_by_its_name(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Customers have a personal field in their key, so nothing but this flag lets their personal data be masked."""
    asked = ("sync", "customers", tmp_path, "--window-start", "2000-01-01", "--personal", "mask")
    code, _, err = run(capsys, *asked)
    assert (code, "protect it by its name" in err) == (2, True)
    assert run(capsys, *asked, "--protect", "customerCode=keep", "--protect", "bank_account=drop")[0] == 0
    protected = json.loads(next(tmp_path.rglob(NAME)).read_bytes())["protected"]
    assert "customerCode" not in protected
    assert (protected["bankaccount"], protected["email"]) == ("drop", "mask")


@pytest.mark.parametrize(
    "options",
    [("email",), ("=drop",), ("email=",), ("email=shred",), ("emial=drop",), ("created=drop",), ("email=drop", "email=keep")],
    ids="; ".join,
)
def test_a_protection_that_is_none_is_refused(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    flags = [part for option in options for part in ("--protect", option)]
    code, out, err = run(capsys, "sync", "customers", tmp_path, *day(sandbox), *flags)
    assert (code, out, list(tmp_path.iterdir())) == (2, "", [])
    assert options[0].partition("=")[0] in err or "twice" in err or "--protect" in err


OTHER_CONNECTIONS = {
    "IN_MEMORY": {"conn_type": "sqlite", "host": ":memory:"},
    "SNOW": {"conn_type": "snowflake"},
}


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_window_is_read_twice_where_that_is_asked(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], file_format: str
) -> None:
    options = ("--file-format", file_format, "--readings", "2", "--output", "json")
    code, out, _ = run(capsys, "sync", "orders", tmp_path, *day(sandbox), *options)
    assert (code, json.loads(out)["verdict"]) == (0, "proved")
    proof = json.loads(next(tmp_path.rglob(NAME)).read_bytes())["proof"]
    assert (proof["readings"], proof["agreeing"]) == (2, 2)


def test_readings_that_never_agree_are_unproved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Sandbox(customers=5, transactions=20, days=2, clock_speed=0, seconds_per_call=3600) as moving, connection(moving):
        code, out, err = run(capsys, "sync", "prices", tmp_path, "--readings", "2")
        assert (code, out) == (1, "")
        assert "of 6 readings no 2 in a row brought the same records and contents" in err
        assert not list(tmp_path.rglob(NAME))
        assert run(capsys, "sync", "prices", tmp_path)[0] == 0


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "resource": (("plan", "unicorns", "--window-start", "2026-01-01"), "unknown Nexus resource"),
    "no windows": (("plan", "prices", "--window-start", "2026-01-01"), "has no windows"),
    "moment": (("plan", "orders", "--window-start", "yesterday"), "ISO 8601"),
    "no start": (("sync", "orders", "HERE"), "could be continued: give --window-start"),
    "snapshot with a start": (("sync", "prices", "HERE", "--window-start", "2026-01-01"), "has no window"),
    "nothing there": (("verify", "HERE"), "there is no sync in"),
    "nothing to replay": (("replay", "HERE"), "there is no sync in"),
    "connection": (("plan", "orders", "--window-start", "2026-01-01", "--nexus-conn-id", "nowhere"), "AIRFLOW_CONN_NOWHERE"),
    "database": (("verify", "copied", "--sql-conn-id", "nowhere"), "AIRFLOW_CONN_NOWHERE"),
    "no database": (("verify", "copied", "--sql-conn-id", "nexus_default"), "of the type 'nexus', which is no SQL database"),
    "memory": (("verify", "copied", "--sql-conn-id", "in_memory"), "leads to a SQLite database in memory"),
    "no provider": (("verify", "copied", "--sql-conn-id", "snow"), "of the type 'snowflake', which no installed provider knows"),
    "database of a report": (("report", "copied", "--sql-conn-id", "nowhere", "-o", "HERE/x.html"), "AIRFLOW_CONN_NOWHERE"),
    "no reading": (("sync", "orders", "HERE", "--readings", "0"), "argument --readings: '0': give a whole number, 1 or more"),
    "store": (("verify", "gopher://x/y"), "gopher"),
    "nothing to report": (("report", "HERE", "-o", "HERE/report.html"), "no manifest under"),
    "no folder for the page": (("report", "HERE", "-o", "HERE/missing/report.html"), "there is no folder"),
    "no folder for the page of a reconciliation": (
        ("reconcile", "transactions=HERE", "-o", "HERE/missing/report.html"),
        "there is no folder",
    ),
    "store of the page": (("report", "HERE", "-o", "gopher://x/y.html"), "gopher"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_sentence(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for conn_id, given in OTHER_CONNECTIONS.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", json.dumps(given))
    arguments, said = WRONG[name]
    code, out, err = run(capsys, *(each.replace("HERE", str(tmp_path)) for each in arguments))
    assert (code, out) == (2, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["page.html", "copy/page.html", "copy/sandbox/orders/page.html", "else where/#1/page.html"])
def test_each_link_of_a_report_leads_to_its_manifest(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    page = tmp_path / where
    run(capsys, "sync", "orders", tmp_path / "copy", *day(sandbox))
    page.parent.mkdir(parents=True, exist_ok=True)
    code, out, _ = run(capsys, "report", tmp_path / "copy", "-o", page)
    assert (code, out) == (0, f"{page}: {page.stat().st_size:,} bytes\n")
    links = [link for link in Page.of(page.read_text()).links if not link.startswith("#")]
    assert [(page.parent / link).resolve() for link in links] == list((tmp_path / "copy").rglob(NAME))
    assert run(capsys, "verify", tmp_path / "copy")[0] == 0
    code, _, err = run(capsys, "report", next((tmp_path / "copy").rglob(NAME)).parent, "-o", page)
    assert (code, "is the folder of one window: give that of its resource" in err) == (2, True)


def test_a_report_that_fails_leaves_the_one_before(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    page.write_text("before")
    assert run(capsys, "report", tmp_path, "-o", page)[0] == 2
    assert page.read_text() == "before"
    run(capsys, "sync", "orders", tmp_path / "copy", *day(sandbox))
    (tmp_path / "copy" / "folder.html").mkdir()
    code, _, err = run(capsys, "report", tmp_path, "-o", tmp_path / "copy" / "folder.html")
    assert (code, f"{tmp_path}/copy/folder.html can't be written: there is a folder where a file is needed" in err) == (2, True)
    assert {each.name for each in tmp_path.iterdir()} == {"report.html", "copy"}


def test_a_report_goes_to_any_store(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = MemoryFileSystem()
    attach(protocol="memory", fs=files)
    run(capsys, "sync", "orders", tmp_path, *day(sandbox))
    assert run(capsys, "report", tmp_path, "-o", "memory://bucket/reports/orders.html")[0] == 0
    links = Page.of(files.cat_file("/bucket/reports/orders.html").decode()).links
    assert [link for link in links if not link.startswith("#")] == [path.as_uri() for path in tmp_path.rglob(NAME)]


def test_a_copy_that_differs_from_nexus_ends_with_1(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "sync", "orders", tmp_path, *day(sandbox))
    sandbox.configure(total_error=2)
    try:
        code, out, _ = run(capsys, "verify", tmp_path, "--against-nexus")
    finally:
        sandbox.configure(total_error=0)
    assert code == 1
    assert "2 more than are stored" in out


def test_an_unproved_sync_ends_with_1(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.configure(total_error=1)
    try:
        code, _, err = run(capsys, "sync", "orders", tmp_path, *day(sandbox))
    finally:
        sandbox.configure(total_error=0)
    assert code == 1
    assert "can't be proved complete" in err


@pytest.fixture
def warehouse(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A connection to a database with a copy of the orders."""
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    engine, client, entry = sa.create_engine(f"sqlite:///{path}"), client_of(sandbox), get_resource("orders")
    where = client.session.environment
    copy = SqlCopy(engine, "copied", Table(entry), environment=where.name, base_url=where.base_url)
    SyncJob(client, SyncRequest(resource=entry, requested=hours_of(sandbox, start=24, until=0)), Loader(copy)).run()
    client.session.close()
    engine.dispose()
    return f"sqlite:///{path}"


def test_a_table_by_the_name_of_its_connection(warehouse: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked: tuple[Any, ...] = ("verify", "copied", "--sql-conn-id", "warehouse")
    code, out, _ = run(capsys, *asked, "--against-nexus", "--output", "json")
    assert (code, json.loads(out)["fine"], json.loads(out)["calls"]) == (0, True, 1)
    assert run(capsys, *asked)[1] == f"All is well: 1 manifest, {json.loads(out)['records']:,} rows\n"
    assert run(capsys, "replay", *asked[1:])[:2] == (0, "Fit now: 0 records. Still do not: 0\n")
    engine = sa.create_engine(warehouse)
    with engine.begin() as changing:
        changing.execute(sa.text("UPDATE copied SET status = 'EDITED' WHERE _key = (SELECT MIN(_key) FROM copied)"))
    engine.dispose()
    code, out, _ = run(capsys, *asked)
    assert code == 1
    assert "was edited" in out
    code, _, err = run(capsys, "verify", "other", *asked[2:])
    assert code == 2
    assert "no table that a sync has made" in err


def test_a_report_on_a_table(warehouse: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "orders.html"
    code, out, _ = run(capsys, "report", "copied", "--sql-conn-id", "warehouse", "-o", page)
    assert (code, out) == (0, f"{page}: {page.stat().st_size:,} bytes\n")
    shown = Page.of(page.read_text())
    assert "1 of 1 window is proved complete" in shown.text
    assert "#copied-1" in shown.links
    code, _, err = run(capsys, "report", "other", "--sql-conn-id", "warehouse", "-o", tmp_path / "other.html")
    assert (code, "no table that a sync has made" in err, (tmp_path / "other.html").exists()) == (2, True, False)
