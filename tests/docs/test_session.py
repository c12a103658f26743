"""The session on the page of the command line, typed as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_provider_nexus.__main__ import main
from airflow_provider_nexus.cli.definition import COMMANDS
from tests.docs.pages import DOCS

PAGE = (DOCS / "cli.rst").read_text()
SESSION = PAGE[PAGE.index("A session\n---") : PAGE.index(".. include::")]
BLOCKS = [
    (kind, textwrap.dedent(text).strip())
    for kind, text in re.findall(r"^\.\. code-block:: (\w+)\n\n((?:(?:   .*)?\n)+)", SESSION, re.MULTILINE)
]
ELSEWHERE = {"demo": "tests/standalone/test_demo.py", "ui": "tests/standalone/test_ui.py"}
"""Commands that start a whole Airflow, and the tests that run them."""


def steps() -> list[tuple[list[str], list[str]]]:
    """The commands in their order, each with the lines that it is said to print."""
    found: list[tuple[list[str], list[str]]] = []
    for kind, text in BLOCKS:
        if kind == "shell":
            found += [(_words(line), []) for line in text.splitlines()]
        else:
            found[-1][1].extend(text.splitlines())
    return found


def _words(line: str) -> list[str]:
    words = shlex.split(line)
    assert words[:2] == ["airflow", "nexus"], line
    return words[2:]


@contextmanager
def started(words: list[str], said: list[str]) -> Iterator[str]:
    """The line to export of a sandbox that runs while the block lasts, on a free port."""
    command = [sys.executable, "-u", "-m", "airflow_provider_nexus", *words, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline() for _ in range(4)] if process.stdout else []
            assert [_without_port(line) for line in said] == [_without_port(line) for line in lines[:1]]
            yield next(line for line in lines if line.startswith("export "))
        finally:
            process.terminate()
            process.wait(20)


def _without_port(line: str) -> str:
    return re.sub(r"(127\.0\.0\.1):\d+", r"\1", line).strip()


def _is_in(lines: list[str], text: str) -> bool:
    """Whether the lines begin lines of a text, in their order."""
    printed = iter(text.splitlines())
    return all(any(_without_port(other).startswith(_without_port(line)) for other in printed) for line in lines)


def test_every_command_is_in_the_session() -> None:
    assert {words[0] for words, _ in steps()} == {command.name for command in COMMANDS}


def test_what_starts_an_airflow_is_run_by_a_test_of_its_own() -> None:
    for name, test in ELSEWHERE.items():
        assert f'"{name}"' in (DOCS.parent / test).read_text()


def test_the_session_goes_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    (sandbox, said), *rest = steps()
    with started(sandbox, said) as export:
        name, value = re.findall(r"export (\w+)='(.+)'", export)[0]
        monkeypatch.setenv(name, value)
        for words, lines in rest:
            if words[0] in ELSEWHERE:
                continue
            assert main(words) == 0, words
            printed = capsys.readouterr().out
            assert lines, f"{words} shows nothing"
            assert _is_in(lines, printed), f"{words} printed:\n{printed}"
    assert (tmp_path / "proof.html").exists()
