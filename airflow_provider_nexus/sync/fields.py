"""Which fields the records carry, and which of them the catalogue does not know.

One record a page is looked at: a field that Nexus adds comes with every record, and a look at each would cost more than
all else in the walk.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.schemas.field import Field

_decode = msgspec.json.Decoder(float_hook=str).decode


class FieldWatch:
    """Collects field names.

    :param resource: the resource that the records are of
    """

    def __init__(self, resource: Resource) -> None:
        self._schema = resource.schema
        self.seen: set[str] = set()
        self.unknown: set[str] = set()
        self.holders: set[str] = set()
        """The objects that were seen filled, by dotted name; the record itself is the empty one."""

    def look(self, raw: bytes) -> None:
        """Look at one record."""
        self._look(_decode(raw), "", self._schema.fields)

    def _look(self, record: dict[str, Any], prefix: str, fields: tuple[Field, ...]) -> None:
        known = {field.name.lower(): field for field in fields}
        self.holders.add(prefix.rstrip("."))
        for name, value in record.items():
            self.seen.add(prefix + name)
            field = known.get(name.lower())
            if field is None:
                self.unknown.add(prefix + name)
            elif field.kind == "object" and isinstance(value, dict):
                self._look(value, f"{prefix}{name}.", field.children)

    def summary(self) -> dict[str, Any]:
        """For the manifest: a digest of the names seen, the names, and those of them that are unknown."""
        names = sorted(self.seen)
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
        return {"fingerprint": f"sha256:{digest}", "fields": names, "unknown_fields": sorted(self.unknown)}
