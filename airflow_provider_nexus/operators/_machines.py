"""Machines: whether tasks run on several of them, and which folders these share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.compat import conf, is_dag_test
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks._connections import engine_of
from airflow_provider_nexus.storage import is_local

if TYPE_CHECKING:
    from sqlalchemy import Engine

_OF_ONE_MACHINE = ("LocalExecutor", "SequentialExecutor")
_IN_CONTAINERS = ("AIRFLOW_IS_K8S_EXECUTOR_POD", "AIRFLOW_IS_EXECUTOR_CONTAINER")
"""Variables of executors that give each task a container, in which ``[core] executor`` may name another one."""


def look_at_place(operator: Any, name: str, place: Any, *, needed: str = "") -> None:
    """Look whether a place is a folder or file of one machine while tasks run on several.

    :param name: of the argument that names the place
    :param place: a path object, or the text of a path or URL
    :param needed: why other tasks have to find what this one stores there, as a clause; then the place is refused
    :raises NexusConfigurationError: when it is refused, or ``[nexus] shared_paths`` is no list of folders
    """
    folder = _on_this_machine(place)
    if folder is None or is_dag_test():
        return
    executor = _executor(operator.executor)
    if not executor or any(folder.is_relative_to(shared) for shared in _shared_paths()):
        return
    what = f"{name} is {folder}, a place on this worker's own disk, and {executor} runs tasks on several machines"
    hint = (
        "Use an object store, or a database on a server. If all workers have the same folder there, as they mount it or run on "
        "one machine, name it in [nexus] shared_paths of Airflow's configuration"
    )
    if needed:
        raise NexusConfigurationError(f"{what}, where {needed}. {hint}")
    operator.log.warning("%s: other tasks may not find it. %s", what, hint)


@contextmanager
def open_database(operator: Any, name: str, conn_id: str, *, needed: str = "") -> Iterator[Engine]:
    """An engine of a connection's database in the block, looked at where it is a file; see :func:`look_at_place`."""
    engine = engine_of(conn_id)
    try:
        if engine.dialect.name == "sqlite":
            look_at_place(operator, f"the database of {name}", engine.url.database, needed=needed)
        yield engine
    finally:
        engine.dispose()


def _on_this_machine(place: Any) -> PurePosixPath | None:
    scheme, mark, rest = str(place).partition("://")
    if not is_local(place) or (mark and scheme not in ("file", "local")):
        return None
    return PurePosixPath(os.path.normpath(rest if mark else scheme))


def _shared_paths() -> Iterator[PurePosixPath]:
    """The folders that all workers see, by Airflow's configuration."""
    given = conf.get("nexus", "shared_paths", fallback="") or ""
    for text in filter(None, map(str.strip, given.split(","))):
        folder = _on_this_machine(text)
        if folder is None or not folder.is_absolute():
            hint = "it is a list of folders, each from / on, with commas between, such as /mnt/nexus,/mnt/reports"
            raise NexusConfigurationError(f"[nexus] shared_paths has {text!r} in it: {hint}")
        yield folder


def _executor(asked: str | None) -> str:
    """The executor that may run a task on another machine; empty where all tasks run on one.

    Which team a task is of can't be seen in it, so where there are teams, any of their executors may run it.
    """
    if any(os.environ.get(name) for name in _IN_CONTAINERS):
        return "an executor that gives each task a container"
    default = conf.get("core", "executor", fallback=_OF_ONE_MACHINE[0])
    teams = [[_names(each) for each in team.rpartition("=")[2].split(",")] for team in default.split(";")]
    if not conf.getboolean("core", "multi_team", fallback=False):
        teams = teams[:1]
    named = [names[-1] for team in teams for names in team if asked in names]
    classes = named or ([asked.rpartition(".")[2]] if asked else [team[0][-1] for team in teams])
    return next((each for each in classes if each not in _OF_ONE_MACHINE), "")


def _names(entry: str) -> tuple[str, str, str]:
    """The alias, the path and the class of an executor, as ``[core] executor`` lists it."""
    alias, mark, path = entry.strip().partition(":")
    path = path if mark else alias
    return alias, path, path.rpartition(".")[2]
