"""Exit codes, errors, connections, places and log of the commands."""

from __future__ import annotations

import functools
import logging
import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.cli.definition import COMMANDS
from airflow_provider_nexus.client.settings import EXTRAS
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusContractError,
    NexusError,
    NexusRejectedError,
    NexusUnprovedError,
    printable,
)
from airflow_provider_nexus.load.paths import place_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from airflow_provider_nexus.hooks.nexus import NexusHook
    from airflow_provider_nexus.load.delta.copy import DeltaCopy


PROBLEMS, FAILED, STOPPED = 1, 2, 130
"""Exit codes: the data is not as it should be; the command could not be carried out; Ctrl-C ended it."""
_OF_THE_DATA = (NexusUnprovedError, NexusRejectedError, NexusContractError)


_FLAGS = {
    name: flag
    for flag in (each.flag for command in COMMANDS for each in command.arguments if each.flag.startswith("--"))
    if (name := flag[2:].replace("-", "_")) not in EXTRAS
}
_ARGUMENT = re.compile(
    rf"(?<![\w.-])(?:({'|'.join(name for name in _FLAGS if '_' in name)})(?!\w)|^({'|'.join(_FLAGS)})(?= is ))"
)


def _text_of(error: NexusError | OSError) -> str:
    """An error without the number that this machine has for it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def command(function: Callable[[Namespace], int]) -> Callable[[Namespace], None]:
    """A command whose errors are one sentence, and whose end is the process' exit code, under Airflow too."""

    @functools.wraps(function)
    def run(arguments: Namespace) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # names are in any script, and a terminal is perhaps not
        try:
            code = function(arguments)
        except (NexusError, OSError) as error:
            place = f"{function.__module__}.{function.__name__}"
            name = next((each.name for each in COMMANDS if each.function == place), function.__name__)
            text = _ARGUMENT.sub(lambda found: _FLAGS[found[1] or found[2]], _text_of(error))  # as it is named at a shell
            print(printable(f"{name}: {text}"), file=sys.stderr)
            code = PROBLEMS if isinstance(error, _OF_THE_DATA) else FAILED
        except KeyboardInterrupt:
            code = STOPPED
        if code:
            raise SystemExit(code)

    return run


@contextmanager
def nexus(conn_id: str) -> Iterator[NexusHook]:
    """The hook of a connection, from the environment, a secrets backend or Airflow's database.

    What the hook logs meanwhile goes to stderr: nothing of the result may be printed before the end.
    """
    with _connections():
        from airflow_provider_nexus.hooks.nexus import NexusHook

        hook = NexusHook(conn_id)
        log: Any = log_to_stderr()
        hook._log = log  # as a person reads it: Airflow's own is for the log of a task
        _ = hook.settings
    with hook, redirect_stdout(sys.stderr):
        yield hook


@contextmanager
def database(conn_id: str) -> Iterator[Engine]:
    """The database of a connection; ``NexusConfigurationError`` where there is none, or tables can't be stored in it."""
    with _connections():
        from airflow_provider_nexus.hooks._connections import engine_of

        engine = engine_of(conn_id)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _connections() -> Iterator[None]:
    """Let Airflow look up connections in the block. What it logs meanwhile goes to stderr, as stdout is for the result.

    It reads them from its database only in processes with the mark that is set here, as its own commands do.
    """
    before = os.environ.get("_AIRFLOW_PROCESS_CONTEXT")
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if before is None:
            os.environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)
        else:
            os.environ["_AIRFLOW_PROCESS_CONTEXT"] = before


def place(target: str, name: str = "TARGET") -> Any:
    """A folder of this machine, or one of any store that Airflow knows, by path or URL; the error has the argument's name.

    :raises NexusConfigurationError: when it can't be a place, or the store or its connection is not known
    """
    text = place_of(name, target, relative=True)
    if "://" not in text:
        return Path(text).absolute()
    with _connections():
        from airflow_provider_nexus.hooks._connections import opened

        return opened(name, text)


def page_at(target: str) -> Any:
    """The file of a page that ``-o`` names; ``NexusConfigurationError`` when it can't be a place, or its folder is missing."""
    page = place(target, "-o")
    if store.is_local(page) and not page.parent.is_dir():
        raise NexusConfigurationError(f"there is no folder {page.parent} to write {page.name} into: make it first")
    return page


def delta_table(folder: Any) -> DeltaCopy:
    """The copy in a Delta table, opened by the connection of its folder."""
    with _connections():
        from airflow_provider_nexus.hooks._stores import delta_table as opened

        return opened(folder)


def log_to_stderr() -> logging.Logger:
    """A log that a person at a terminal follows; what is on stdout stays the result alone."""
    log = logging.getLogger("airflow_provider_nexus.cli")
    log.setLevel(logging.INFO)
    log.propagate = False
    handler = _Stderr()
    handler.setFormatter(_Printable("%(asctime)s %(message)s", "%H:%M:%S"))
    log.handlers = [handler]
    return log


class _Printable(logging.Formatter):
    """Writes out what a terminal would obey."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it
        return printable(super().formatMessage(record))


class _Stderr(logging.StreamHandler[Any]):
    """Writes to what stderr is at the moment: while a bar is shown, that puts lines above the bar."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)
