"""Check of personal data: finds stored values that are not treated as their manifest says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import cast

import msgspec

from airflow_provider_nexus import __version__
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.protect import Place, Protection, Treatment, check_protection, tree_of
from airflow_provider_nexus.load.columns import Column
from airflow_provider_nexus.load.manifest import Manifest

_HASH = re.compile(rb'"h:[0-9a-f]{32}"')
_MASK = b'"***"'
_NOTHING = (b"null", b'""')


class PersonalData:
    """Finds values that are not treated as a manifest says, and hashes of which it says nothing.

    A value that was masked or dropped may be one that Nexus itself masks, or does not know, so of those it proves nothing.

    :param manifest: of a folder whose rows are all of its own reading
    """

    def __init__(self, resource: Resource, manifest: Manifest) -> None:
        named = {tuple(name.split(".")): treatment for name, treatment in manifest.protected.items()}
        texts = (tuple(name.lower() for name in path) for path, field in resource.schema.walk() if field.kind == "text")
        wanted = {path: "none" for path in texts if not any(path[:depth] in named for depth in range(1, len(path) + 1))} | named
        self._found: list[str] = []
        self._root = tree_of(resource, {path: partial(self._look, path, treatment) for path, treatment in wanted.items()})

    def in_record(self, raw: bytes) -> list[str]:
        """What is wrong with a record, one line for each value."""
        self._found.clear()
        self._root.of_object(raw)
        return list(self._found)

    def in_column(self, column: Column, value: object) -> list[str]:
        """What is wrong with the value of a column."""
        self._found.clear()
        place: Place | None = self._root
        for name in column.path:
            place = place.places.get(name.lower()) if place and not place.change else place
        if place and value is not None:
            is_text = isinstance(value, str)
            place.of(str(value).encode() if is_text and column.kind == "json" else msgspec.json.encode(value if is_text else 1))
        return list(self._found)

    def _look(self, path: tuple[str, ...], treatment: str, raw: bytes) -> bytes:
        name, is_hash = ".".join(path), _HASH.fullmatch(raw) is not None
        if treatment == "none" and is_hash:
            self._found.append(f"contains a hash in {name}, of which protected says nothing")
        fits = raw in _NOTHING or is_hash if treatment == "hash" else raw in (*_NOTHING, _MASK) if treatment == "mask" else None
        if fits is False or (treatment == "drop" and raw != b"null"):
            self._found.append(f"contains a value in {name} that is not treated with {treatment!r}, as protected says")
        return raw


def impossible_treatments(resource: Resource, manifest: Manifest) -> Iterator[str]:
    """What is wrong with the treatments that a manifest names; another version may know other fields."""
    if manifest.provider_version == __version__:
        try:
            # what is no treatment is refused there
            check_protection(resource, Protection(fields=cast("dict[str, Treatment]", manifest.protected)))
        except NexusConfigurationError as error:
            yield f"its protected can't be: {error}"
