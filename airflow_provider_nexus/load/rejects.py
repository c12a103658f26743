"""Rejects: records that don't fit, stored apart with the reason, so that nothing is lost and nothing wrong is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import NexusRejectedError
from airflow_provider_nexus.load.account import Digest
from airflow_provider_nexus.load.copy import Reject
from airflow_provider_nexus.load.manifest import REJECTED, RejectsFile

FOLDER = REJECTED.partition("/")[0]
_SHOWN = 3


class Rejects:
    """Collects the rejected records of one reading of a resource, which errors name, up to a limit.

    :ivar found: the first ones; no more than are allowed or shown
    :ivar contents: a digest of all of their texts
    """

    def __init__(self, resource: str, limit: int) -> None:
        self._resource, self._limit = resource, limit
        self.found: list[Reject] = []
        self.contents = Digest()

    @property
    def count(self) -> int:
        """How many there are."""
        return self.contents.records

    def add(self, row: Row, field: str, reason: str) -> None:
        """Reject a record; those beyond the limit are only counted."""
        self.contents.add_text(row.raw)
        if len(self.found) < max(self._limit, _SHOWN):
            self.found.append(Reject(row.key, field, reason, row.raw.decode("utf-8", "replace")))

    def refuse_too_many(self) -> None:
        """Check the limit.

        :raises NexusRejectedError: when there are more; it names the first ones
        """
        if self.count <= self._limit:
            return
        shown = "; ".join(f"{each.key}: {each.field} is not {each.reason}" for each in self.found[:_SHOWN])
        more = f" and {self.count - _SHOWN} more" if self.count > _SHOWN else ""
        misfits = f"{number_of(self.count, 'record')} {'does' if self.count == 1 else 'do'} not fit"
        raise NexusRejectedError(
            f"{self._resource}: {misfits} and max_rejected is {self._limit}, so nothing was stored: "
            f"{shown}{more}. Allow them with max_rejected: they are then stored apart, whole, to be replayed later"
        )


def dump(rejects: Iterable[Reject]) -> bytes:
    """One JSON object a line: key, field, reason and the record's text."""
    return b"".join(msgspec.json.encode(each) + b"\n" for each in rejects)


def described(raw: bytes, records: int) -> list[RejectsFile]:
    """How a manifest names the file that :func:`dump` has made; not at all when there are no records in it."""
    sha256 = hashlib.sha256(raw).hexdigest()
    return [RejectsFile(name=REJECTED, bytes=len(raw), records=records, sha256=sha256)] if records else []


def digest_of(rejects: Iterable[Reject]) -> str:
    """A digest of rejected records, whatever their order; empty when there are none."""
    found = Digest()
    for each in rejects:
        found.add_text(msgspec.json.encode(each))
    return found.digest if found.records else ""


def load(data: bytes) -> list[Reject]:
    """The records of a file that :func:`dump` has written."""
    return [msgspec.json.decode(line, type=Reject) for line in data.splitlines()]
