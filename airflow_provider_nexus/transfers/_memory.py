"""What runs remember in Airflow: the state store of an asset (3.3 on)."""

from __future__ import annotations

from typing import Any

import msgspec

from airflow_provider_nexus.load.parquet.unsettled import Memory

ROOM = 32_768
"""Bytes of JSON that go into the store. Airflow's default for a value is twice as much (``[state_store]
max_value_storage_bytes``), counted with the blanks and escapes of its own JSON; beyond, it warns at each run and its REST API
refuses the value."""
BESIDE = "in the file beside the data"
"""What the store holds instead of an object that is too large."""


class AssetWatermark:
    """A watermark in the state store of an asset.

    :param store: of the asset
    :param key: name in it
    """

    def __init__(self, store: Any, key: str) -> None:
        self._store, self._key = store, key

    def get(self) -> str | None:
        """The stamp; ``None`` before the first sync."""
        found = self._store.get(self._key)
        return None if found is None else str(found)

    def set(self, moment: str) -> None:
        """Replace the stamp."""
        self._store.set(self._key, moment)


class AssetMemory:
    """A small object in the state store of an asset, or in a file where it is too large for that.

    The store is told when the object lies in the file, so it alone says which of the two counts.

    :param store: of the asset
    :param key: name in it
    :param beside: keeps what is too large; it is asked, too, when the store has nothing, as after a task was given an asset
    """

    def __init__(self, store: Any, key: str, beside: Memory) -> None:
        self._store, self._key, self._beside = store, key, beside

    def get(self) -> dict[str, str] | None:
        """What was kept; ``None`` before the first time."""
        found = self._store.get(self._key)
        return dict(found) if isinstance(found, dict) else self._beside.get()

    def set(self, kept: dict[str, str]) -> None:
        """Keep something else."""
        if len(msgspec.json.encode(kept)) <= ROOM:
            self._store.set(self._key, kept)
            return
        self._beside.set(kept)
        self._store.set(self._key, BESIDE)
