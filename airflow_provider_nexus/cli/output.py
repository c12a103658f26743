"""Output of the commands: tables for a person, JSON for a program, and a progress bar on the last line of a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from airflow_provider_nexus.exceptions import printable
from airflow_provider_nexus.extract.progress import Follow

Cell = str | Sequence[str]
"""A text, or several that stand below each other."""
_GAP, _NARROW, _INDENT = 2, 24, 2
_WIDTH_OF_A_FILE = 10_000


def console() -> Console:
    """The standard output. Where that is no terminal, lines are as long as they need to be, unless ``COLUMNS`` is set."""
    found = Console(highlight=False, markup=False, emoji=False)  # text of data is no markup
    if not found.is_terminal and not os.environ.get("COLUMNS"):
        found.width = _WIDTH_OF_A_FILE
    return found


def print_text(text: str, indent: str = "", *, on: Console | None = None, style: str = "") -> None:
    """A sentence, broken between words; the lines after the first are indented."""
    where = on or console()
    lines = _wrapped(text, where.width - len(indent))
    where.print(f"\n{indent}".join(lines), style=style, soft_wrap=True)


def print_json(value: Any) -> None:
    """A result for a program, exact and whole."""
    is_unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(value, indent=2, ensure_ascii=not is_unicode)
    print("".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text))


def short(place: object) -> str:
    """A path or URL as a person types it: local ones below the current folder begin there."""
    text = unquote(str(place).removeprefix("file://")) if str(place).startswith("file://") else str(place)
    here = Path.cwd()
    return os.path.relpath(text, here) if text.startswith("/") and Path(text).is_relative_to(here) else text


def print_table(
    title: str,
    names: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """A result for a person. Lines break between words only; where the columns don't fit, each row is a paragraph.

    :param right: names of the columns of numbers
    :param whole: names of the columns of paths, which are not broken at blanks either
    """
    where = console()
    table = [[_pieces(cell) for cell in row] for row in rows]
    if title:
        print_text(printable(title), on=where, style="bold")
    if not table:
        where.print("none")
        return
    widths = _widths(names, table, where.width, whole)
    rule = "\u2500" if where.encoding.lower().startswith("utf") else "-"
    lines = _paragraphs(names, table, where.width) if widths is None else _columns(names, table, widths, right, rule)
    for line in lines:
        where.print(line, soft_wrap=True)


def _pieces(cell: Cell) -> list[str]:
    return [printable(each) for each in ([cell] if isinstance(cell, str) else cell)] or [""]


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def _widths(names: Sequence[str], table: list[list[list[str]]], room: int, whole: Sequence[str]) -> list[int] | None:
    """The width of each column; ``None`` where they don't fit. Columns of sentences give way, down to their longest word."""
    columns = [[[name], *cells] for name, cells in zip(names, zip(*table, strict=True), strict=True)]
    widths = [max(cell_len(text) for cell in column for text in cell) for column in columns]
    least = [
        width
        if name in whole
        else max(min(width, _NARROW), *(cell_len(word) for cell in column for text in cell for word in text.split(" ")))
        for name, width, column in zip(names, widths, columns, strict=True)
    ]
    if sum(least) + _GAP * (len(least) - 1) > room:
        return None
    while sum(widths) + _GAP * (len(widths) - 1) > room:
        widest = max(range(len(widths)), key=lambda place: (widths[place] > least[place], widths[place]))
        widths[widest] -= 1
    return widths


def _columns(
    names: Sequence[str], table: list[list[list[str]]], widths: list[int], right: Sequence[str], rule: str
) -> Iterator[str]:
    def lines(cells: Iterable[list[str]]) -> Iterator[str]:
        wrapped = [[line for text in cell for line in _wrapped(text, width)] for cell, width in zip(cells, widths, strict=True)]
        for number in range(max(map(len, wrapped))):
            parts = []
            for name, width, cell in zip(names, widths, wrapped, strict=True):
                text = cell[number] if number < len(cell) else ""
                blank = " " * (width - cell_len(text))
                parts.append(f"{blank}{text}" if name in right else f"{text}{blank}")
            yield (" " * _GAP).join(parts).rstrip()

    yield from lines([name] for name in names)
    yield (" " * _GAP).join(rule * width for width in widths)
    for row in table:
        yield from lines(row)


def _paragraphs(names: Sequence[str], table: list[list[list[str]]], room: int) -> Iterator[str]:
    label = max(map(cell_len, names[1:]), default=0)
    for row in table:
        yield from row[0]
        for name, cell in zip(names[1:], row[1:], strict=True):
            texts = [line for text in cell for line in _wrapped(text, room - _INDENT - label - _GAP)] if any(cell) else []
            for number, text in enumerate(texts):
                yield f"{' ' * _INDENT}{'' if number else name:{label}}{' ' * _GAP}{text}".rstrip()


@contextmanager
def following(what: str, unit: str, console: Console | None = None) -> Iterator[Follow]:
    """A bar that is removed at the end, short where the terminal is narrow; where the console is no terminal, nothing is written.

    :return: to be called with how much is done, and of how much
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        _Done(unit),
        TimeRemainingColumn(elapsed_when_finished=True, table_column=Column(no_wrap=True)),
    )
    where = console or Console(stderr=True)
    is_shown = where.is_terminal and not where.is_dumb_terminal
    with Progress(*columns, console=where, transient=True, disable=not is_shown) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


class _Done(ProgressColumn):
    """How much is done, and of how much where that is known."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        of = "" if task.total is None else f" of {task.total:,.0f}"
        return Text(f"{task.completed:,.0f}{of} {self._unit}", style="progress.download")
