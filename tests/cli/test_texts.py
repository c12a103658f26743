"""What the commands print on terminals of two widths, as it is stored in `texts`, and what holds at any width."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.__main__ import main
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.cli.output import print_table
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.cli.texts import compare

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
SESSION = """\
check
resources
resources --filter callback
resources --filter zzz
describe transfers
describe trust_levels
describe ordres
plan transactions --window-start 2026-02-01 --max-windows 3
plan transactions --window-start 2026-02-28T23:00:00Z --max-windows 1
plan countries --window-start 2026-02-01
sync transactions nexus
sync transactions nexus --window-start 2026-02-01 --window-end 2026-02-15
sync transactions nexus --window-start 2026-02-01 --window-end 2026-02-15
sync transactions nexus
sync transactions nexus
sync transactions nexus --window-start 2026-02-15 --window-end 2026-02-01
sync transactions nexus --file-format parquet
sync label_partner nexus
sync label_partner nexus --window-start 2026-02-01
sync label_partner nexus --parallel 2
verify nexus
verify nexus --against-nexus
verify nothing
verify orders --sql-conn-id nexus_default
files nexus --resource transactions
files nexus --resource transactions --form snowflake
files nexus --resource transactions --form redshift
files nexus --resource orders
files nexus
reconcile transactions=nexus
replay nexus
report nexus -o proof.html
"""
_DIFFERENT = {
    r"127\.0\.0\.1:\d+": "127.0.0.1:PORT",
    r"the server's is [\d,]+ \w+": "the server's is N days",
    r"proof\.html: [\d,]+ bytes": "proof.html: N bytes",
}
"""What is another each time."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=7, customers=40, transactions=600, now=NOW, clock_speed=0) as running, connection(running):
        yield running


@pytest.mark.parametrize("width", [80, 120])
def test_the_session_looks_as_stored(
    width: int, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))
    pieces = []
    for line in SESSION.splitlines():
        with suppress(SystemExit):
            main(line.split())
        printed = capsys.readouterr()
        errors = [each for each in printed.err.splitlines(keepends=True) if not re.match(r"\d\d:\d\d:\d\d ", each)]
        pieces.append(f"$ airflow nexus {line}\n{printed.out}{''.join(errors)}\n")
    text = "".join(pieces).replace(str(tmp_path), "HERE")
    for pattern, sign in _DIFFERENT.items():
        text = re.sub(pattern, sign, text)
    compare(f"session-{width}.txt", text)


def words_of(lines: list[str]) -> list[str]:
    return [word for line in lines for word in line.split()]


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200, None])
@pytest.mark.parametrize("name", ["transactions", "trust_levels", "transaction_callbacks"])
def test_no_name_and_no_word_is_broken(
    name: str, width: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width)) if width else monkeypatch.delenv("COLUMNS", raising=False)
    assert main(["describe", name, "--output", "json"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    assert main(["describe", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    words = set(words_of(lines))
    assert {
        word for each in columns for text in (each["field"], each["column"], each["meaning"]) for word in text.split()
    } <= words
    longest = max(map(len, words))
    assert max(map(len, lines)) <= max(width or 300, longest + 20)
    if width is None:
        assert len(lines) < 3 + 4 * len(columns), "a pipe has all of a text on its line"


LONG = "x" * 60
ROWS = {
    "none": [],
    "one": [("orders", "1", "proved", ["EUR 1.00"])],
    "many currencies": [("orders", "9", "proved", [f"C{number:02} {10**number:,}.00" for number in range(12)])],
    "a long name": [(LONG, "9", "a sentence of many words that takes more than a line of a narrow terminal", [])],
    "other scripts": [("李明的公司", "1", "Zoë & Σία", ["€ 1"]), ("a", "22", "b", ["c"])],
    "markup": [("[bold]a[/]", ":x:", "[link=https://x.example]", ["[EUR] 1"])],
    "empty": [("", "", "", [])],
}


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_path_with_blanks_is_one_piece(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    place = "my data/of 2026/sandbox/orders"
    print_table("Problems", ("where", "what"), [(place, "is missing: sync this window again")], whole=("where",))
    assert place in capsys.readouterr().out


@pytest.mark.parametrize("width", [10, 40, 80])
@pytest.mark.parametrize("rows", ROWS.values(), ids=list(ROWS))
def test_all_that_is_in_a_table_is_shown_whole(
    rows: list[tuple[str, str, str, list[str]]], width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table("What", ("resource", "records", "verdict", "sums"), rows, right=("records",))
    lines = capsys.readouterr().out.splitlines()
    assert set(words_of([text for *cells, texts in rows for text in (*cells, *texts)])) <= set(words_of(lines))
    assert all(line == line.rstrip() for line in lines)
    if width == 80 and LONG not in str(rows):
        assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    "settings",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"TERM": "dumb", "NO_COLOR": "1"},
    ],
)
def test_any_locale_and_terminal_will_do(settings: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; from airflow_provider_nexus.cli import output, running\n"
        "@running.command\n"
        "def run(_):\n"
        "    output.print_table('Windows of 李', ('where', 'what'), [('Zoë/李', 'is missing')])\n"
        "    output.print_json({'where': 'Zoë/李'})\n"
        "    return 0\n"
        "run(None)",
        encoding="utf-8",
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    environment = {**plain, "PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8", "COLUMNS": "80", **settings}
    ended = subprocess.run([sys.executable, script], env=environment, capture_output=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    out = ended.stdout.decode("latin-1" if settings.get("PYTHONIOENCODING") == "latin-1" else "utf-8")
    assert "\x1b" not in out
    assert "is missing" in out
    assert json.loads(out[out.index("{") :]) == {"where": "Zoë/李"}


def test_every_resource_says_whom_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    main(["resources", "--output", "json"])
    told = {each["name"]: each["for"] for each in json.loads(capsys.readouterr().out)}
    assert told.keys() == RESOURCES.keys()
    assert set(told.values()) == {"brokers", "custodians", "brokers, custodians"}


def test_records_that_do_not_fit_are_allowed_by_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["sync", "orders", "nexus", "--window-start", "2026-02-27"]
    shape: dict[str, Any] = {"customers": 10, "transactions": 60, "days": 3, "misfit_share": 1.0, "misfits": ["amount"]}
    with Sandbox(now=NOW, clock_speed=0, **shape) as running, connection(running):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 1
        assert "and --max-rejected is 0, so nothing was stored" in (said := capsys.readouterr().err)
        assert "Allow them with --max-rejected: " in said
        assert main([*words, "--max-rejected", "99"]) == 0
    assert re.search(r"^rejected  [1-9]", capsys.readouterr().out, re.MULTILINE)
