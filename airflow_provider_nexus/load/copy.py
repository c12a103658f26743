"""The protocol of copies: what every copy of a resource can do, whatever its format, and the names that it has in common."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.origin import Feed, Open, Origin
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.account import Account
from airflow_provider_nexus.load.manifest import Manifest, TableLoad

TableRow = tuple[Any, ...]
"""The values of one version of a record, in the order of ``Table.columns``."""
R = TypeVar("R")
Output = Literal["current", "history"]
"""``current``: one row for each record, as it is. ``history``: one for each version that was seen, none ever changed."""
_log = logging.getLogger(__name__)


class RejectedRecord(Exception):  # noqa: N818 - it is the record's fault, and never leaves this package
    """A record that does not fit: the dotted wire name of a field, and what was expected there, without the value."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


@dataclass(frozen=True)
class Reject:
    """A record that does not fit: key, dotted wire name of what does not fit, what was expected, its JSON text as it was read."""

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
    :param account: of the rows
    :param rejects: records that are not among the rows
    """

    label: str
    feed: Feed
    read_at: datetime
    window: Window | None
    verdict: str
    records: int
    content: str
    manifest: Manifest
    account: Account[Any]
    rejects: tuple[Reject, ...] = ()

    def load(self, number: int, belongs: Mapping[str, str], **others: Any) -> TableLoad:
        """The load into a table of a resource, environment and base URL, with the members that are not of the reading."""
        others |= {name: belongs[name] for name in ("resource", "environment", "base_url")}
        others |= {name: getattr(self, name) for name in ("feed", "label", "content", "verdict", "records")}
        return TableLoad(number=number, rejected=len(self.rejects), **others)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What a copy stored of a reading.

    :param path: folder or table that has the records
    :param manifest: where the manifest is
    :param changed: whether anything was stored at all; a rerun that brings the same stores nothing
    :param sha256: digest of the manifest that is stored
    :param inserted: records that were not there; ``None`` where that is not counted
    :param updated: records that were there in another version
    :param deleted: records that are deleted in Nexus
    :param repaired: rows among these that put right what somebody else has changed, deleted or added
    :param records: records of the reading that fit
    :param key_digest: of the set of their keys
    :param rejected: records put aside
    :param untyped: values of another kind than declared that were stored as they came, by dotted wire name of their field
    :param damage: what was wrong with the stored files that were replaced, by name
    """

    path: str
    manifest: str
    changed: bool
    sha256: str
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    repaired: int = 0
    records: int = 0
    key_digest: str = ""
    rejected: int = 0
    untyped: Mapping[str, int] = field(default_factory=dict)
    damage: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """What a check of a table found.

    :param problems: one line each, naming the table and the row's key or the manifest; empty when all is well
    :param records: rows that were looked at
    :param manifests: manifests that were looked at
    :param bytes: size of the files that were looked at, where the table has some
    :param of_rows: in a database, the problems of rows that are no old versions; reading their windows again puts these right
    """

    problems: tuple[str, ...] = ()
    records: int = 0
    manifests: int = 0
    bytes: int = 0
    of_rows: frozenset[str] = frozenset()


class Converter(Protocol[R]):
    """Makes records what a copy stores.

    :ivar untyped: how many values of another kind than declared were stored as they came, by dotted wire name
    """

    untyped: Counter[str]

    def rows(self, records: Sequence[Row], origin: Origin) -> Sequence[R | RejectedRecord]:
        """Records as they are stored, each in its place, or why one does not fit."""

    def account(self) -> Account[R]:
        """An account of records that are stored so."""


class Target(Protocol[R]):
    """What readings are stored in."""

    takes_streams: bool
    """Whether rows can come while Nexus is read. If not, they come when their reading is proved."""

    def converter(self, resource: Resource, *, keeps_untyped: bool) -> Converter[R]:
        """Makes records what is stored here.

        :param keeps_untyped: whether a value of another kind than declared is stored as it came; if not, its record does not fit
        """

    def apply(self, batches: Iterable[Sequence[R]], scope: Window | None, seal: Callable[[], Sealed]) -> Stored:
        """Bring versions of records in, all or none.

        A version that was read before the one that is stored never replaces it.

        :param batches: rows in any order, each key once; what it raises leaves the copy as it was
        :param scope: what the rows are the whole of: stored records in it that are not among them are deleted; ``None`` when they
            are no more than themselves
        :param seal: called once when all rows were taken, before anything is changed; what it raises leaves the copy as it was
        """

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:
        """Member ``schema`` of the manifest that a reading's fields are compared with; ``None`` when there is none."""


class Copy(Target[TableRow], Protocol):
    """A copy with typed columns, that changes can be captured in."""

    def unsettled(self) -> dict[str, Open]:
        """The records whose end has not been seen, by key."""

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Counts and sums of the records that were created in a span, as they are stored now."""

    def windows(self) -> list[tuple[Window, datetime]]:
        """The windows read whole, each with the time of its last reading, oldest reading first."""

    def torn(self, asked: Window) -> list[Window]:
        """The windows to be read again: those without their proof, be it that a load was cut off or that they were deleted.

        :param asked: the window of the run; the windows in it are to be read again also where their files are damaged
        """


def warn_outdated(where: str, count: int) -> None:
    """Log that records came in an older version than the stored one of a table, named with its kind, which stays."""
    _log.warning(
        "%s has %s of these records in a version that was read later, which stays: another run has read them, or the clock of "
        "Nexus has stepped back, and then they are stale until it has caught up",
        where,
        f"{count:,}",
    )
