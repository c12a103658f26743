"""The log of a Delta table, read backwards: which books belong to the rows that are there, also after a ``RESTORE``.

The version of the application ``nexus`` in the table's state is that of the last load, whatever has been restored since, as rows
alone go back. The library's history is that of the latest version, numbered by the version of its handle, so it is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.load.delta.library import OR_AWAY

APPLICATION = "nexus"
"""Name of the application whose version names the books of a load."""
_RESTORE = "RESTORE"


class LogCutError(NexusStorageError):
    """The log does not go back to the last load, so that it is not known whether the table was restored since."""


def books_at(folder: Any, version: int) -> int | None:
    """Names the books of the rows that a version of the table in a folder has; ``None`` before the first load.

    :raises LogCutError: when the log does not go back to the load that brought them
    :raises NexusStorageError: when it is damaged
    """
    while version >= 0:
        entry = _entry(folder, version)
        for action in entry:
            said = action.get("txn") or {}
            if said.get("appId") == APPLICATION:
                return int(said["version"])
        is_restore = any((action.get("commitInfo") or {}).get("operation") == _RESTORE for action in entry)
        version = _restored(folder, version, entry) if is_restore else version - 1
    return None


def _restored(folder: Any, version: int, entry: list[dict[str, Any]]) -> int:
    """The version that a ``RESTORE`` went back to; of several with the same files the last one, when only its time is known."""
    parameters = next(action["commitInfo"].get("operationParameters") or {} for action in entry if "commitInfo" in action)
    stated = str(parameters.get("version"))
    if stated.isdigit() and int(stated) < version:
        return int(stated)
    more, fewer = set(_paths(entry, "remove")), set(_paths(entry, "add"))
    while version > 0:
        version -= 1
        if not more and not fewer:
            return version
        before = _entry(folder, version)
        added, removed = set(_paths(before, "add")), set(_paths(before, "remove"))
        more, fewer = (more - added) | (removed - fewer), (fewer - removed) | (added - more)
    raise _lost(folder, version)


def _paths(entry: list[dict[str, Any]], action: str) -> Iterator[str]:
    return (unquote(each[action]["path"]) for each in entry if each.get(action))


def _entry(folder: Any, version: int) -> list[dict[str, Any]]:
    """The actions of a commit."""
    raw = store.read(folder / "_delta_log" / f"{version:020}.json")
    if raw is None:
        raise _lost(folder, version)
    try:
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in raw.splitlines() if line.strip()]
    except msgspec.MsgspecError:
        log = folder / "_delta_log"
        raise NexusStorageError(f"{log} is damaged at version {version}: take its file back from a backup, {OR_AWAY}") from None


def _lost(folder: Any, version: int) -> LogCutError:
    return LogCutError(
        f"the log of {folder} has no version {version} any more, and the table has other rows than after its last load, so it "
        f"may have been restored since: take the files of _delta_log back from a backup, {OR_AWAY}"
    )
