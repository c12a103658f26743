"""Whether personal data was treated as a manifest says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from airflow_provider_nexus import __version__
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.protect import Place, Protection, check_protection, tree_of
from airflow_provider_nexus.load.columns import Column

_HASH = re.compile(rb'"h:[0-9a-f]{32}"')
_MASK = b'"***"'
_NOTHING = (b"null", b'""')


class Treated:
    """Looks for values that are not treated as the manifest says, and for hashes of which it says nothing.

    A value that was masked or dropped may be one that Nexus itself masks, or does not know, so of those it proves nothing.

    :param manifest: of a folder whose rows are all of its own reading
    """

    def __init__(self, resource: Resource, manifest: Mapping[str, Any]) -> None:
        told = {tuple(name.split(".")): str(treatment) for name, treatment in manifest["protected"].items()}
        texts = (tuple(name.lower() for name in path) for path, field in resource.schema.walk() if field.kind == "text")
        wanted = {path: "none" for path in texts if not any(path[:depth] in told for depth in range(1, len(path) + 1))} | told
        self._found: list[str] = []
        self._root = tree_of(resource, {path: partial(self._look, path, treatment) for path, treatment in wanted.items()})

    def record(self, raw: bytes) -> list[str]:
        """What is wrong with a record, one line for each value."""
        self._found.clear()
        self._root.of_object(raw)
        return list(self._found)

    def value(self, column: Column, value: object) -> list[str]:
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
            self._found.append(f"holds a hash in {name}, of which protected says nothing")
        fits = raw in _NOTHING or is_hash if treatment == "hash" else raw in (*_NOTHING, _MASK) if treatment == "mask" else None
        if fits is False or (treatment == "drop" and raw != b"null"):
            self._found.append(f"holds a value in {name} that is not treated with {treatment!r}, as protected says")
        return raw


def treatments(resource: Resource, manifest: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the treatments that a manifest names; another version may know other fields."""
    told = manifest["protected"]
    if not isinstance(told, Mapping):
        yield f"its protected is {told!r}, and has to name fields and what was done with each"
    elif manifest["provider_version"] == __version__:
        try:
            check_protection(resource, Protection(fields=told))
        except NexusConfigurationError as error:
            yield f"its protected can't be: {error}"
