"""The manifest of a reading: what was read, how it was proved, which files or rows store it. It is the commit point.

Readers list manifests, not files: a folder without a manifest is no window. Each manifest names the digest of the one of
the window before, so that a change to published history shows. One that replaces another names that too, and the replaced
one is stored beside it, so that one can see what was known when.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from airflow_provider_nexus import __version__
from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusDataError, NexusWindowError
from airflow_provider_nexus.extract.jsonl import PART
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.days import Days, DayTotals
from airflow_provider_nexus.load.members import Count, Digits, Members, Sha256, Sums, refuse

if TYPE_CHECKING:
    from airflow_provider_nexus.api.rows import Row
    from airflow_provider_nexus.extract.extracted import Extracted
    from airflow_provider_nexus.load.account import Account

VERSION = 1
TABLE = "table"
"""The format of what is stored in a database."""
NAME = "_manifest.json"
SUPERSEDED = "_superseded"
REJECTED = "_rejected/records.jsonl"
"""Where a folder stores the records that were put aside."""
READINGS = "_readings"
"""Where the folder of a resource stores the readings of a copy that are no window."""
WINDOW_FOLDER = re.compile(r"(?P<start>\d{8}T\d{6}Z)-(?P<end>\d{8}T\d{6}Z)")
"""Name of the folder of a window."""

LoadBefore = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z", description="the window before")]
"""SHA-256 of the manifest of the load before into the same table; empty for the first load."""
SetDigest = Annotated[str, Meta(pattern=r"^sha256-sum:[0-9a-f]{64}\Z", description="the digest of a set")]
_A_FILE = "a name that a sync gives to a file"


class File(Members, frozen=True):
    """A data file beside the manifest."""

    name: Annotated[str, Meta(pattern=rf"^{PART.pattern}\Z", description=_A_FILE)]
    bytes: Count
    records: Count
    sha256: Sha256


class RejectsFile(File, frozen=True):
    """The file of the records that were put aside."""

    name: Annotated[str, Meta(pattern=rf"^{re.escape(REJECTED)}\Z", description=_A_FILE)]


class NamedWindow(Members, frozen=True):
    """A window, as a manifest names it."""

    start: str
    end: str
    how: str = ""


class NamedProof(Members, frozen=True):
    """A :class:`~airflow_provider_nexus.extract.proof.Proof`, as a manifest states it."""

    verdict: str
    strategy: str
    readings: Count
    total_first: Count | None
    total_last: Count | None
    unique: Count
    outside: Count
    totals: str
    reasons: list[str]
    agreeing: Count


class EndRecord(Members, frozen=True):
    """The first or the last record that was read."""

    key: str
    stamp: str


class SeenFields(Members, frozen=True):
    """The fields of the records, see :class:`~airflow_provider_nexus.extract.fields.FieldWatch`."""

    fingerprint: str
    fields: list[str]
    unknown_fields: list[str]


class Previous(Members, frozen=True):
    """The window before: its folder, and the SHA-256 of its manifest."""

    window: Annotated[str, Meta(pattern=rf"^{WINDOW_FOLDER.pattern}\Z", description="the name of a window's folder")]
    sha256: Sha256


class ChangeCounts(Members, frozen=True):
    """How many records a reading changed in a copy."""

    inserted: Count
    updated: Count
    deleted: Count


class PatchedBy(ChangeCounts, frozen=True):
    """A later reading that changed rows of a window."""

    read_at: str
    read_by: str

    @property
    def read_moment(self) -> datetime:
        """When the reading began, in UTC."""
        return moment(self.read_at, "read_at")


class GroupTotals(Members, frozen=True):
    """Count and sums of a group, see :class:`~airflow_provider_nexus.extract.totals.Totals`."""

    status: str
    currency: str
    flag: bool | None
    count: Count
    sums: Annotated[dict[str, Digits], Meta(description="sums in digits, by field")]


class TableState(Members, frozen=True):
    """What a table contains after a load."""

    records: Count
    digest: SetDigest
    versions: Count | None = None
    versions_digest: SetDigest | None = None


class TableLoad(Members, frozen=True):
    """A load into a table, in the words of ``nexus_manifest``.

    :param repaired: rows among the changes that put right what somebody else had changed, deleted or added
    :param rejects: digest of the rows in ``nexus_rejected``, whatever their order; empty when there are none
    """

    table_name: str
    number: Count
    resource: str
    environment: str
    base_url: str
    feed: str
    label: str
    content: str
    verdict: str
    records: Count
    rejected: Count
    columns: list[str]
    repaired: Count = 0
    rejects: SetDigest = ""


class Manifest(Members, frozen=True):
    """What a reading was, and what stores it.

    :param window: null for what has none
    :param records: those stored
    :param rejected: the file of those put aside; in a table their number is in ``load``
    :param first: key and stamp of the first record
    :param key_digest: of the set of keys, whatever their order
    :param sums: exact, by field and currency
    :param days: counts and sums by the UTC day of creation, by month where there are more than 400; without sums where there is
        only one. The empty day is of records without a stamp
    :param schema: the fields seen, and those that the catalogue does not know
    :param untyped: how many values of each field were of another kind than declared, and stored as they came
    :param files: data files; a table has none
    :param content: digest of the rows, whatever their order
    :param totals: counts and sums by group, for resources with a totals endpoint
    :param changes: what the reading changed in a copy
    :param patches: later readings that changed rows of the window
    :param previous: the window before; in a table the SHA-256 of the load before. Readings of a copy have none
    :param replaces: SHA-256 of the manifest that this one replaced
    :param state: what the table contains after the load
    :param load: the load, in the words of ``nexus_manifest``
    """

    manifest_version: int
    provider_version: str
    airflow_version: str
    environment: str
    base_url: str
    resource: str
    feed: str
    format: str
    read_at: str
    read_by: str
    server_date: str
    request: dict[str, Any]
    run: dict[str, Any]
    pages: Count
    calls: Count
    seconds: int | float
    protected: dict[str, str]
    window: NamedWindow | None
    proof: NamedProof
    records: Count
    rejected: list[RejectsFile]
    first: EndRecord | None
    last: EndRecord | None
    key_digest: SetDigest
    sums: Sums
    days: list[DayTotals]
    schema: SeenFields
    untyped: dict[str, Count] = msgspec.field(default_factory=dict)
    files: list[File] = msgspec.field(default_factory=list)
    content: SetDigest = ""
    totals: list[GroupTotals] | None = None
    changes: ChangeCounts | None = None
    patches: list[PatchedBy] = msgspec.field(default_factory=list)
    previous: Previous | LoadBefore | UnsetType | None = UNSET
    replaces: Sha256 = ""
    state: TableState | None = None
    load: TableLoad | None = None

    def dump(self) -> dict[str, Any]:
        """JSON-able members. A manifest of files names them even where there are none."""
        found = super().dump()
        return found if self.format == TABLE else {"files": [], **found}

    @property
    def span(self) -> Window | None:
        """The window that it names; ``None`` when it has none, or none that can be."""
        if self.window is None:
            return None
        try:
            window = Window(moment(self.window.start, "start"), moment(self.window.end, "end"))
        except NexusWindowError:
            return None
        return window if (to_wire(window.start), to_wire(window.end)) == (self.window.start, self.window.end) else None

    @property
    def read_moment(self) -> datetime:
        """When the reading began, in UTC."""
        return moment(self.read_at, "read_at")

    @property
    def put_aside(self) -> int:
        """How many records were put aside."""
        return self.load.rejected if self.load else sum(file.records for file in self.rejected)

    @property
    def group_totals(self) -> Totals:
        """Counts and sums by group."""
        return Totals.load(each.dump() for each in self.totals or ())

    @property
    def day_totals(self) -> Days:
        """Counts and sums by day."""
        return Days.load(self.days, self.sums)


def describe(extracted: Extracted, account: Account[Any], file_format: str, untyped: Mapping[str, int] | None = None) -> Manifest:
    """The manifest of a reading; what stores it adds the members of the files or the table.

    :param account: of the records that are stored
    :param file_format: ``jsonl``, ``parquet`` or ``table``
    :param untyped: how many values of each field were of another kind than declared
    """
    window, proof = extracted.window, asdict(extracted.proof)
    return Manifest(
        **asdict(extracted.facts),
        manifest_version=VERSION,
        provider_version=__version__,
        resource=extracted.resource.name,
        feed=extracted.feed,
        format=file_format,
        read_at=to_wire(extracted.origin.read_at),
        read_by=extracted.origin.read_by,
        window=NamedWindow(start=to_wire(window.start), end=to_wire(window.end), how=window.how) if window else None,
        proof=NamedProof(**proof | {"reasons": list(extracted.proof.reasons)}),
        **account.counts,
        rejected=[],
        first=end_record(account.first),
        last=end_record(account.last),
        schema=SeenFields(**extracted.fields.summary()),
        untyped=dict(untyped or {}),
    )


def end_record(row: Row | None) -> EndRecord | None:
    """A row as the first or the last one of a reading."""
    return EndRecord(key=row.key, stamp=row.stamp) if row else None


def to_json(manifest: Manifest) -> bytes:
    """A manifest as it is stored: sorted names, two blanks, a line break at the end."""
    return msgspec.json.format(msgspec.json.encode(manifest.dump(), order="sorted"), indent=2) + b"\n"


def digest_of(raw: bytes) -> str:
    """SHA-256 of a manifest, or of any text, as it is stored."""
    return hashlib.sha256(raw).hexdigest()


def load(folder: Any) -> Manifest | None:
    """The manifest in a folder; ``None`` when there is none.

    :raises NexusDataError: when it is no manifest
    """
    raw = store.read(folder / NAME)
    return None if raw is None else parse(raw, str(folder))


def parse(raw: bytes, where: str) -> Manifest:
    """A manifest from its text. Names in it can't lead out of the folder.

    :raises NexusDataError: when it is none or of another version, or a member is not what it has to be
    """
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):  # it may be nested deeper than any manifest
        found = None
    if not isinstance(found, dict) or "manifest_version" not in found:
        refuse(where, NAME, "what is stored there", "a manifest")
    if found["manifest_version"] != VERSION:
        hint = f"{VERSION}, the only version that provider {__version__} reads: upgrade the provider"
        raise NexusDataError("manifest", where, "manifest_version", found["manifest_version"], hint)
    manifest = Manifest.read(found, where)
    for name, read_at in [("read_at", manifest.read_at), *(("patches.read_at", patch.read_at) for patch in manifest.patches)]:
        try:
            moment(read_at, name)
        except NexusWindowError:
            refuse(where, name, read_at, "a moment")
    for each in manifest.days:
        if each.day and each.date is None:
            refuse(where, "days.day", each.day, "a day, a month or a year of the calendar")
    return manifest
