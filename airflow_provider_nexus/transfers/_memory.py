"""Memories in the state store of an Airflow asset (3.3 on)."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

import msgspec

from airflow_provider_nexus.load.memory import Memory

T = TypeVar("T")
ROOM = 32_768
"""Bytes of JSON that go into the store. Airflow's default for a value is twice as much (``[state_store]
max_value_storage_bytes``), counted with the blanks and escapes of its own JSON; beyond, it warns at each run and its REST API
refuses the value."""
BESIDE = "in the file beside the data"
"""What the store has instead of an object that is too large."""


class AssetMemory(Generic[T]):
    """A small object in the state store of an asset, or beside it where it is too large for that.

    The store contains a mark when the object lies beside it, so it alone decides which of the two counts.

    :param beside: stores what is too large; it is asked, too, when the store has nothing, as after a task was given an asset
    """

    def __init__(self, store: Any, key: str, beside: Memory[T] | None = None) -> None:
        self._store, self._key, self._beside = store, key, beside

    def get(self) -> T | None:
        """What was stored last; ``None`` before the first time."""
        found = self._store.get(self._key)
        if found is None or found == BESIDE:
            return self._beside.get() if self._beside else None
        return cast("T", found)

    def set(self, value: T) -> None:
        """Store another one."""
        if self._beside and len(msgspec.json.encode(value)) > ROOM:
            self._beside.set(value)
            self._store.set(self._key, BESIDE)
        else:
            self._store.set(self._key, value)
