"""Progress bar on the last line of a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from airflow_provider_nexus.extract.progress import Follow


@contextmanager
def following(what: str, unit: str, console: Console | None = None) -> Iterator[Follow]:
    """A bar that is removed at the end. Where the console is no terminal, nothing is written.

    On a narrow terminal the bar is short, so that the numbers stay whole.

    :param what: is done
    :param unit: what is counted, such as ``records``
    :param console: to be on; stderr if left out
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
    """How much is done, and of how much where that is known.

    :param unit: what is counted
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        """The text of the column."""
        of = "" if task.total is None else f" of {task.total:,.0f}"
        return Text(f"{task.completed:,.0f}{of} {self._unit}", style="progress.download")
