"""What runs remember in Airflow: the state store of an asset (3.3 on)."""

from __future__ import annotations

from typing import Any


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
    """A small object in the state store of an asset.

    :param store: of the asset
    :param key: name in it
    """

    def __init__(self, store: Any, key: str) -> None:
        self._store, self._key = store, key

    def get(self) -> dict[str, str] | None:
        """What was kept; ``None`` before the first time."""
        found = self._store.get(self._key)
        return None if found is None else dict(found)

    def set(self, kept: dict[str, str]) -> None:
        """Keep something else."""
        self._store.set(self._key, kept)
