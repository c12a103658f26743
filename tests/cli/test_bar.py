"""How far long work is: on a terminal's last line, and nowhere else."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

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

pytestmark = pytest.mark.slow
PYTHON = (sys.executable, "-m", "airflow_provider_nexus")
AIRFLOW = (str(Path(sys.executable).with_name("airflow")), "nexus")
_HEARS_CTRL_C = (
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
)
"""A shell lets what it runs in the background, such as these tests, ignore Ctrl-C, and so does all that is started from there."""
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LOGGED = re.compile(r"\x1b\[2K\d\d:\d\d:\d\d transactions: window [^\x1b\r\n]* \(arguments\)\r?\n")
"""A line that stands where the bar was, which has been wiped away before."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=40, transactions=900, days=3, clock_speed=0) as made, connection(made):
        yield made


class Terminal:
    """A process whose stderr is a terminal, and its stdout a pipe.

    :param command: arguments of the program
    """

    def __init__(self, *command: str | Path, program: tuple[str, ...] = PYTHON, width: int = 150) -> None:
        ours, its = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(width), "LINES": "40"}
        words = [*_HEARS_CTRL_C, *program, *map(str, command)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=its, env=environment, text=True)
        os.close(its)
        self.seen, self._ours = "", ours
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while piece := _some(self._ours):
            self.seen += piece.decode()

    def wait_for(self, pattern: str) -> None:
        for _ in range(2_400):
            if re.search(pattern, self.text):
                return
            threading.Event().wait(0.1)
        raise AssertionError(self.text[-2_000:])

    @property
    def text(self) -> str:
        """What was shown, without what moves the cursor and colours."""
        return _CONTROL.sub("", self.seen)

    def end(self) -> str:
        """What it wrote on stdout."""
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        self.process.wait(240)
        self._reader.join(10)
        os.close(self._ours)
        return out


def _some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the terminal's other side is closed
        return b""


@contextmanager
def terminal(*command: str | Path, **options: Any) -> Iterator[Terminal]:
    started = Terminal(*command, **options)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()


def shown(*command: str | Path, **options: Any) -> tuple[Terminal, str]:
    with terminal(*command, **options) as run:
        out = run.end()
    assert run.process.returncode == 0, run.text[-2_000:]
    assert 0 <= run.seen.rfind(HIDDEN) < run.seen.rfind(SHOWN)
    assert "\x1b" not in out
    return run, out


def day(sandbox: Sandbox) -> tuple[str, ...]:
    requested = hours_of(sandbox, start=24, until=0)
    return ("--window-start", f"{requested.start:%FT%TZ}", "--window-end", f"{requested.end:%FT%TZ}")


@pytest.fixture(scope="module")
def synced(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Terminal, str]:
    """A copy, and what making it showed."""
    root = tmp_path_factory.mktemp("synced")
    return root, *shown("sync", "transactions", root, *day(sandbox), "--output", "json")


def test_a_sync_shows_records_of_all(synced: tuple[Path, Terminal, str]) -> None:
    _, run, out = synced
    told = json.loads(out)
    numbers = [tuple(map(int, each)) for each in re.findall(r"reading transactions\s.*?(\d+) of (\d+) records", run.text)]
    assert numbers, run.text[-2_000:]
    assert all(done <= total and total >= told["records"] for done, total in numbers)


def test_log_lines_stand_whole_above_the_bar(synced: tuple[Path, Terminal, str]) -> None:
    _, run, _ = synced
    assert _LOGGED.search(run.seen), run.seen[:2_000]


def test_a_check_of_files_shows_folders_and_windows(synced: tuple[Path, Terminal, str]) -> None:
    run, out = shown("verify", synced[0], "--against-nexus", "--output", "json")
    assert json.loads(out)["fine"]
    assert re.search(r"checking\s.*1 of 1 folders", run.text), run.text[-2_000:]
    assert re.search(r"asking Nexus\s.*1 of 1 windows", run.text), run.text[-2_000:]


def test_on_a_narrow_terminal_the_numbers_stay_whole(synced: tuple[Path, Terminal, str]) -> None:
    run, _ = shown("verify", synced[0], width=45)
    assert re.search(r"checking\s.*1 of 1 folders \d:\d\d:\d\d", run.text), run.text[-2_000:]


def test_replay_shows_folders(synced: tuple[Path, Terminal, str]) -> None:
    run, out = shown("replay", synced[0], "--output", "json")
    assert json.loads(out) == []
    assert re.search(r"replaying\s.*1 of 1 folders", run.text), run.text[-2_000:]


def test_a_plan_shows_what_was_counted(sandbox: Sandbox) -> None:
    run, out = shown("plan", "transactions", *day(sandbox), "--max-windows", "2", "--output", "json")
    assert len(json.loads(out)) == 2
    assert re.search(r"planning\s.*[1-9]\d* counts", run.text), run.text[-2_000:]


def test_a_check_of_a_connection_shows_findings(sandbox: Sandbox) -> None:
    run, out = shown("check", "--output", "json")
    assert json.loads(out)
    assert re.search(r"looking\s.*[1-9]\d* findings", run.text), run.text[-2_000:]


def test_a_check_of_a_table_shows_windows(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, client = sa.create_engine(f"sqlite:///{tmp_path / 'warehouse.db'}"), client_of(sandbox)
    entry = get_resource("transactions")
    made_of = client.session.environment
    copy = SqlCopy(engine, "copied", Table(entry), environment=made_of.name, base_url=made_of.base_url)
    SyncJob(client, SyncRequest(resource=entry, requested=hours_of(sandbox, start=24, until=0)), Loader(copy)).run()
    stored = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(stored))
    run, out = shown("verify", "copied", "--sql-conn-id", "warehouse", "--against-nexus", "--output", "json")
    assert json.loads(out)["fine"]
    assert re.search(r"checking\s.*[1-9]\d* of \d+ rows", run.text), run.text[-2_000:]
    assert re.search(r"asking Nexus\s.*1 of 1 windows", run.text), run.text[-2_000:]


def test_nothing_moves_where_there_is_no_terminal(sandbox: Sandbox, tmp_path: Path) -> None:
    for output in ("json", "table"):
        command = [*PYTHON, "sync", "transactions", str(tmp_path), *day(sandbox)]
        done = subprocess.run([*command, "--output", output], capture_output=True, text=True, timeout=280, env=dict(os.environ))
        assert done.returncode == 0, done.stderr
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", done.stderr + done.stdout)
        assert re.search(r"transactions: window", done.stderr)


@pytest.mark.parametrize("program", [PYTHON, AIRFLOW], ids=["python", "airflow"])
def test_ctrl_c_gives_the_cursor_back_and_publishes_nothing(tmp_path: Path, program: tuple[str, ...]) -> None:
    slowly = Fault("slow", seconds=0.4, times=-1)
    with (
        Sandbox(customers=40, transactions=3_000, days=3, clock_speed=0, max_limit=50, faults=(slowly,)) as slow,
        connection(slow),
        terminal("sync", "transactions", tmp_path, *day(slow), program=program) as run,
    ):
        run.wait_for(r"[1-9][\d,]* of [\d,]+ records")
        run.process.send_signal(signal.SIGINT)
        out = run.end()
    assert (run.process.returncode, out) == (130, "")
    assert HIDDEN in run.seen
    assert run.seen.rfind(SHOWN) > run.seen.rfind(HIDDEN)
    assert "Traceback" not in run.seen
    assert list(tmp_path.rglob(NAME)) == []
    assert not [path for path in tmp_path.rglob("part-*") if "_staging" not in path.parts]
