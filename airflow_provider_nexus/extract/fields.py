"""Field watch: which fields the records have, and which of them the catalogue does not know.

One record in a hundred is looked at: a field that Nexus adds comes with every record, and a look at each would cost more than
all else in the walk. Under a frozen contract every record is: there one field too many must stop the sync.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.schemas.field import Field

_members = msgspec.json.Decoder(dict[str, Raw]).decode


class FieldWatch:
    """Collects names of fields in the records of a resource."""

    def __init__(self, resource: Resource) -> None:
        self._schema = resource.schema
        self.seen: set[str] = set()
        self.unknown: set[str] = set()
        self.holders: set[str] = set()
        """The objects that were seen filled, by dotted name; the record itself is the empty one."""
        self._sets = {"fields": self.seen, "unknown_fields": self.unknown, "holders": self.holders}

    def look(self, raw: bytes) -> None:
        """Look at one record; at nothing where it can't be read."""
        self._look(raw, "", self._schema.fields)

    def _look(self, raw: bytes, prefix: str, fields: tuple[Field, ...]) -> None:
        try:
            members = _members(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        known = {field.name.lower(): field for field in fields}
        self.holders.add(prefix.rstrip("."))
        for name, value in members.items():
            self.seen.add(prefix + name)
            field = known.get(name.lower())
            if field is None:
                self.unknown.add(prefix + name)
            elif field.kind == "object" and bytes(value)[:1] == b"{":
                self._look(bytes(value), f"{prefix}{name}.", field.children)

    def dump(self) -> dict[str, list[str]]:
        """What was seen, JSON-able."""
        return {name: sorted(seen) for name, seen in self._sets.items()}

    def restore(self, stored: Mapping[str, Collection[str]]) -> None:
        """Have seen what was dumped too, or what is in a :meth:`summary`."""
        for name, seen in self._sets.items():
            seen.update(stored.get(name, ()))

    def summary(self) -> dict[str, Any]:
        """For the manifest: a digest of the names seen, the names, and those of them that are unknown."""
        names = sorted(self.seen)
        return {"fingerprint": fingerprint_of(names), "fields": names, "unknown_fields": sorted(self.unknown)}


def fingerprint_of(names: Sequence[str]) -> str:
    """A digest of names of fields, in their order."""
    return f"sha256:{hashlib.sha256(chr(10).join(names).encode(errors='replace')).hexdigest()}"
