"""Records that don't fit, put aside with the reason: nothing is lost, and nothing wrong is stored."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from typing import Any

import msgspec

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.exceptions import NexusRejectedError
from airflow_provider_nexus.load.copy import Reject

FOLDER = "_rejected"
NAME = "records.jsonl"
_SHOWN = 3


class Rejects:
    """Collects the records of one reading that don't fit.

    :param resource: name of the resource, for the error
    :param limit: as many are allowed
    """

    def __init__(self, resource: str, limit: int) -> None:
        self._resource, self._limit = resource, limit
        self.found: list[Reject] = []
        self.count = 0

    def add(self, row: Row, field: str, reason: str) -> None:
        """Put a record aside; those that are too many are counted alone."""
        self.count += 1
        if len(self.found) < max(self._limit, _SHOWN):
            self.found.append(Reject(row.key, field, reason, row.raw.decode("utf-8", "replace")))

    def refuse_too_many(self) -> None:
        """Hold them to the limit.

        :raises NexusRejectedError: when there are more; it names the first ones
        """
        if self.count <= self._limit:
            return
        shown = "; ".join(f"{each.key}: {each.field} is not {each.reason}" for each in self.found[:_SHOWN])
        more = f" and {self.count - _SHOWN} more" if self.count > _SHOWN else ""
        raise NexusRejectedError(
            f"{self._resource}: {self.count} records don't fit and max_rejected is {self._limit}, so nothing was stored: "
            f"{shown}{more}. Allow them with max_rejected: they are then put aside, whole, to be replayed later"
        )


def dump(rejects: Iterable[Reject]) -> bytes:
    """One JSON object a line: key, field, reason and the record's text."""
    return b"".join(msgspec.json.encode(each) + b"\n" for each in rejects)


def load(data: bytes) -> list[Reject]:
    """What was dumped."""
    return [msgspec.json.decode(line, type=Reject) for line in data.splitlines()]


def entry(data: bytes, records: int) -> dict[str, Any]:
    """The file of rejects as a manifest names it."""
    digest = hashlib.sha256(data).hexdigest()
    return {"name": f"{FOLDER}/{NAME}", "bytes": len(data), "records": records, "sha256": digest}


def stream(data: bytes) -> io.BytesIO:
    """To be written to a file."""
    return io.BytesIO(data)
