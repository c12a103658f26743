"""Memory of runs in Airflow: values in the state store of an asset (3.3 on)."""

from __future__ import annotations

from typing import Any

import msgspec

from airflow_provider_nexus.load.parquet.unsettled import Memory

ROOM = 32_768
"""Bytes of JSON that go into the store. Airflow's default for a value is twice as much (``[state_store]
max_value_storage_bytes``), counted with the blanks and escapes of its own JSON; beyond, it warns at each run and its REST API
refuses the value."""
BESIDE = "in the file beside the data"
"""What the store contains instead of an object that is too large."""


class AssetMemory:
    """One value in the state store of an asset: a watermark, or an object that may be too large for the store.

    The store names the file when the object is there, so it alone decides which of the two counts.

    :param store: of the asset
    :param key: name in it
    :param beside: stores what is too large. It is read, too, when the store has nothing, as after a task was given an asset
    """

    def __init__(self, store: Any, key: str, beside: Memory | None = None) -> None:
        self._store, self._key, self._beside = store, key, beside

    def get(self) -> Any:
        """The value; ``None`` before the first."""
        found = self._store.get(self._key)
        return self._beside.get() if self._beside and found in (None, BESIDE) else found

    def set(self, value: Any) -> None:
        """Replace the value."""
        if self._beside and len(msgspec.json.encode(value)) > ROOM:
            self._beside.set(value)
            value = BESIDE
        self._store.set(self._key, value)
