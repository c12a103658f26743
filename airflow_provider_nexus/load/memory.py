"""Memories: small objects that outlive a run, such as a watermark, and where they are stored."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusStorageError, NexusWindowError

T = TypeVar("T")
_DAMAGED = (msgspec.MsgspecError, NexusWindowError, TypeError, KeyError, ValueError, RecursionError)


class Memory(Protocol[T]):
    """Stores one small object from run to run."""

    def get(self) -> T | None:
        """What was stored last; ``None`` before the first time."""

    def set(self, value: T) -> None:
        """Store another one."""


class FileMemory(Generic[T]):
    """A JSON file.

    :param read: makes the object of the file's JSON, and raises what any reader of JSON may when it is another
    :param write: makes the file's JSON of the object
    :param damage: what is not known when the file is damaged, and what to do
    """

    def __init__(self, path: Any, read: Callable[[Any], T], write: Callable[[T], Any], damage: str) -> None:
        self._path, self._read, self._write, self._damage = path, read, write, damage

    def get(self) -> T | None:
        """What was stored last; ``None`` before the first time.

        :raises NexusStorageError: when the file is damaged
        """
        raw = store.read(self._path)
        if raw is None:
            return None
        try:
            return self._read(msgspec.json.decode(raw))
        except _DAMAGED:
            raise NexusStorageError(f"{self._path} is damaged, so it is not known {self._damage}") from None

    def set(self, value: T) -> None:
        """Store another one."""
        store.put(self._path, io.BytesIO(msgspec.json.encode(self._write(value), order="sorted") + b"\n"))
