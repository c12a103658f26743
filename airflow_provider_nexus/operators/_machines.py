"""Machines: whether tasks run on several of them, and which folders these share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.compat import conf, is_dag_test
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.storage import is_local

if TYPE_CHECKING:
    from sqlalchemy import Engine

_OF_ONE_MACHINE = ("LocalExecutor", "SequentialExecutor")
_IN_CONTAINERS = ("AIRFLOW_IS_K8S_EXECUTOR_POD", "AIRFLOW_IS_EXECUTOR_CONTAINER")
"""Variables of executors that give each task a container, in which ``[core] executor`` may name another one."""


def look_at_place(operator: Any, name: str, place: Any, *, needed: str = "") -> None:
    """Look whether a place is a folder or file of one machine while tasks run on several.

    :param operator: warns in its task's log
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


def look_at_database(operator: Any, name: str, engine: Engine, *, needed: str = "") -> None:
    """Look whether a database is a file of one machine while tasks run on several; see :func:`look_at_place`.

    :param name: of the argument that names its connection
    """
    if engine.dialect.name == "sqlite":
        look_at_place(operator, f"the database of {name}", engine.url.database, needed=needed)


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

    :param asked: the task's own argument ``executor``
    """
    if any(os.environ.get(name) for name in _IN_CONTAINERS):
        return "an executor that gives each task a container"
    default = conf.get("core", "executor", fallback=_OF_ONE_MACHINE[0])
    teams = [[_alias_and_path(each) for each in team.partition("=")[2 * ("=" in team)].split(",")] for team in default.split(";")]
    if not conf.getboolean("core", "multi_team", fallback=False):
        teams = teams[:1]
    named = [path for team in teams for alias, path in team if asked in (alias, path, _class(path))]
    paths = named or ([asked] if asked else [team[0][1] for team in teams])
    return next((_class(path) for path in paths if _class(path) not in _OF_ONE_MACHINE), "")


def _alias_and_path(entry: str) -> tuple[str, str]:
    alias, mark, path = entry.strip().partition(":")
    return alias, path if mark else alias


def _class(path: str) -> str:
    return path.rpartition(".")[2]
