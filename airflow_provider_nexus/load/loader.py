"""Readings on their way into a copy with typed columns: what fits is stored, what does not is put aside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.request import Contract
from airflow_provider_nexus.extract.tally import Tally
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import copy
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.collection import previous_of, snapshots_of
from airflow_provider_nexus.load.copy import Copy, Sealed
from airflow_provider_nexus.load.rejects import Rejects
from airflow_provider_nexus.load.rows import Conformer, Misfit
from airflow_provider_nexus.load.totals import Sum


class TableLoader:
    """Brings readings into a copy.

    :param copy: where they go
    :param max_rejected: records of one reading that may be put aside
    :param contract: under ``freeze`` a value of another kind than declared does not fit; else it is kept untyped
    :param since: records created before this are left out; ``None`` for none
    """

    def __init__(
        self, copy: Copy, max_rejected: int = 0, *, contract: Contract = "report", since: datetime | None = None
    ) -> None:
        self._copy, self._max_rejected, self._contract, self._since = copy, max_rejected, contract, since

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:
        """The fields of the reading before."""
        return self._copy.fields_before(window)

    def store(self, extracted: Extracted) -> Stored:
        """Bring a reading in.

        :raises NexusRejectedError: when more records don't fit than are allowed
        """
        conformer = Conformer(extracted.resource, keeps_untyped=self._contract != "freeze")
        load = _Load(extracted, conformer, self._max_rejected, self._since)
        applied = self._copy.apply(load.rows(), extracted.scope, load.seal)
        return Stored(
            applied.path,
            applied.manifest,
            applied.changed,
            load.rejects.count,
            applied.inserted,
            applied.updated,
            applied.deleted,
            load.untyped,
        )


class _Load:
    """The rows of one reading as they go by."""

    def __init__(self, extracted: Extracted, conformer: Conformer, max_rejected: int, since: datetime | None) -> None:
        self._extract, self._since, self._conformer = extracted, since, conformer
        self._content = Sum()
        self._left_out: set[int] = set()
        self.rejects = Rejects(extracted.resource.name, max_rejected)

    @property
    def untyped(self) -> dict[str, int]:
        """How many values were kept as they came, by dotted wire name."""
        return dict(sorted(self._conformer.untyped.items()))

    def rows(self) -> Iterator[copy.Row]:
        """Those that fit."""
        table = self._conformer.table
        created = table.place(table.created) if table.created else None
        for number, row in enumerate(self._extract.rows()):
            fitting = self._fitting(row)
            if fitting is None or (self._since and created and fitting[created] < self._since):
                self._left_out.add(number)
                continue
            self._content.add(fitting[3])
            yield fitting

    def _tally(self) -> Tally:
        """What the rows add up to that were not left out. Taking away from a sum would leave digits behind."""
        if not self._left_out:
            return self._extract.sink.tally
        tally = Tally(self._extract.sink.reader)
        for number, row in enumerate(self._extract.rows()):
            if number not in self._left_out:
                tally.add(row)
        return tally

    def _fitting(self, row: Row) -> copy.Row | None:
        try:
            return self._conformer.row(row, self._extract.origin)
        except Misfit as misfit:
            self.rejects.add(row, row.flaw if row.flaw and misfit.field == "?" else misfit.field, misfit.reason)
            self._content.add(hashlib.sha256(row.raw).hexdigest())
            return None

    def seal(self) -> Sealed:
        """What is stored with the rows, now that all have gone by.

        :raises NexusRejectedError: when more records don't fit than are allowed
        """
        self.rejects.refuse_too_many()
        extracted, window = self._extract, self._extract.window
        extracted.sink.tally = self._tally()
        return Sealed(
            label=extracted.label,
            feed=extracted.feed,
            read_at=extracted.origin.read_at,
            start=window.start if window else None,
            end=window.end if window else None,
            verdict=str(extracted.proof.verdict),
            records=extracted.sink.tally.records,
            content=self._content.digest,
            manifest=manifests.describe(extracted, manifests.TABLE, self.untyped),
            rejects=tuple(self.rejects.found),
        )


@dataclass(frozen=True)
class Stored:
    """Where a reading went.

    :param path: folder or table
    :param manifest: where its manifest is
    :param changed: whether anything was stored; a rerun that brings the same stores nothing
    :param rejected: records put aside
    :param inserted: records that were not there; ``None`` where that is not counted
    :param updated: records that were there in another version
    :param deleted: records that are gone from Nexus
    :param untyped: values of another kind than declared that were kept as they came, by dotted wire name of their field
    """

    path: str
    manifest: str
    changed: bool
    rejected: int = 0
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    untyped: Mapping[str, int] = field(default_factory=dict)


class Loader(Protocol):
    """A place for readings."""

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:
        """Member ``schema`` of the manifest that a reading is compared with; ``None`` when there is none."""

    def store(self, extracted: Extracted) -> Stored:
        """Store what was read, all or nothing."""


def fields_before(collection: Any, window: Window | None) -> dict[str, Any] | None:
    """Member ``schema`` of the manifest of the window before, or of the latest snapshot where there are no windows."""
    if window:
        before = previous_of(collection, window)
        names = [before.window] if before else []
    else:
        names = [name for name in snapshots_of(collection) if "-of-" not in name][-1:]
    found = manifests.load(collection / names[0]) if names else None
    return found.schema.dump() if found else None
