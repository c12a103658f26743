"""What every copy of a resource can do, whatever it is kept in: the names by which readings and copies talk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from airflow_provider_nexus.extract.origin import Feed, Open, Scope
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.manifest import Manifest

Row = tuple[Any, ...]
"""The values of one version of a record, in the order of ``Table.columns``."""
Output = Literal["current", "history"]
"""``current``: one row for each record, as it is. ``history``: one for each version that was seen, none ever changed."""


@dataclass(frozen=True)
class Reject:
    """A record that does not fit.

    :param key: its key
    :param field: dotted wire name of what does not fit
    :param reason: what was expected
    :param raw: its JSON text as it was read
    """

    key: str
    field: str
    reason: str
    raw: str


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """What is stored with the rows of a reading, known when all of them have been seen.

    :param label: names the reading; the same for a rerun of the same window
    :param content: digest of all that was read; a rerun that brings the same changes nothing
    :param manifest: of the reading, without the members that the copy adds, as ``previous``
    :param rejects: records that are not among the rows
    """

    label: str
    feed: Feed
    read_at: datetime
    start: datetime | None
    end: datetime | None
    verdict: str
    records: int
    content: str
    manifest: Manifest
    rejects: tuple[Reject, ...] = ()


@dataclass(frozen=True)
class Applied:
    """What a reading changed in a copy.

    :param changed: whether anything was stored at all; a rerun that brings the same stores nothing
    :param inserted: records that were not there
    :param updated: records that were there in another version
    :param deleted: records that are gone from Nexus
    :param sha256: digest of the manifest that is stored
    :param path: folder or table that holds the records
    :param manifest: where the manifest is
    """

    changed: bool
    inserted: int
    updated: int
    deleted: int
    sha256: str
    path: str = ""
    manifest: str = ""


@dataclass(frozen=True)
class Kept:
    """A window that a copy holds.

    :param read_at: when it was last read whole
    """

    start: datetime
    end: datetime
    read_at: datetime


class Copy(Protocol):
    """A copy of one resource."""

    def apply(self, rows: Iterable[Row], scope: Scope | None, seal: Callable[[], Sealed]) -> Applied:
        """Bring versions of records in, all or none.

        A version that was read before the one that is held never replaces it.

        :param rows: in any order, each key once
        :param scope: what the rows are the whole of; ``None`` when they are no more than themselves
        :param seal: called once when all rows were taken, before anything is changed; what it raises leaves the copy as it was
        """

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:
        """Member ``schema`` of the manifest that a reading's fields are compared with; ``None`` when there is none."""

    def unsettled(self) -> dict[str, Open]:
        """The records whose end has not been seen, by key."""

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Counts and sums of the records that were created in a span, as the copy holds them now."""

    def windows(self) -> list[Kept]:
        """The windows read whole, oldest reading first."""

    def torn(self) -> list[Window]:
        """The windows that a load which did not come to its end has left without proof, to be read again."""
