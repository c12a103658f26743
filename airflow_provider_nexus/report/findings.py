"""What a resource shows besides its windows: what changed later, what is open, what did not fit, new fields."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.load.manifest import ChangeCounts, Manifest, PatchedBy
from airflow_provider_nexus.report.collection import ResourceCopy
from airflow_provider_nexus.report.text import age, stamp

_WORDS = ("inserted", "updated", "deleted")
_BUCKETS = (
    ("under a day", timedelta(days=1)),
    ("1 to 7 days", timedelta(days=7)),
    ("7 to 30 days", timedelta(days=30)),
    ("over 30 days", timedelta.max),
)
_OLDEST = 5


@dataclass(frozen=True)
class LaterChange:
    """What a later reading changed.

    :param where: label of the window that was patched, or of the reading
    """

    where: str
    read_at: str
    read_by: str
    counts: tuple[int, ...]

    @property
    def text(self) -> str:
        """The counts in words, those of nothing left out."""
        return ", ".join(f"{number} {word}" for number, word in zip(self.counts, _WORDS, strict=True) if number) or "nothing"


def patches(collection: ResourceCopy) -> list[tuple[int, str, list[LaterChange]]]:
    """The changes of each window that was changed, with its place in the collection and its label."""
    return [
        (place, entry.label, [_change(entry.label, patch, patch) for patch in entry.manifest.patches])
        for place, entry in enumerate(collection.entries)
        if entry.manifest and entry.manifest.patches
    ]


def readings(collection: ResourceCopy) -> list[LaterChange]:
    """What each reading that is no window of its own changed, all windows together."""
    return [_change(label, manifest, manifest.changes) for label, manifest in collection.readings]


def _change(where: str, reading: Manifest | PatchedBy, counts: ChangeCounts | None) -> LaterChange:
    numbers = (counts.inserted, counts.updated, counts.deleted) if counts else (0, 0, 0)
    return LaterChange(where, stamp(reading.read_moment), reading.read_by, numbers)


@dataclass(frozen=True)
class OpenRecords:
    """The records whose end has not been seen.

    :param ages: words for an age, with the count of each status in it
    :param statuses: all statuses, sorted
    :param oldest: key, creation stamp, age and status of the oldest; without keys where those are personal
    """

    number: int
    ages: list[tuple[str, list[int]]]
    statuses: list[str]
    oldest: list[tuple[str, str, str, str]]


def open_records(collection: ResourceCopy, now: datetime) -> OpenRecords | None:
    """The open records by age; ``None`` when they are not known."""
    if collection.unsettled is None:
        return None
    found = sorted((each.created, key, each.status) for key, each in collection.unsettled.items())
    statuses = sorted({status for *_, status in found})
    counted = Counter((_bucket(now - created), status) for created, _, status in found)
    ages = [(name, [counted[name, status] for status in statuses]) for name, _ in _BUCKETS]
    shows_keys = has_plain_keys(collection.resource)
    oldest = [
        (key if shows_keys else "not shown", stamp(created), age(now - created), status)
        for created, key, status in found[:_OLDEST]
    ]
    return OpenRecords(len(found), ages, statuses, oldest)


def _bucket(passed: timedelta) -> str:
    return next(name for name, limit in _BUCKETS if passed < limit)


def has_plain_keys(name: str) -> bool:
    """Whether a resource is known and no part of its key is personal."""
    resource = RESOURCES.get(name)
    if resource is None:
        return False
    personal = {field.name for field in resource.schema.fields if field.personal}
    return not {part.partition(".")[0] for part in resource.key} & personal


@dataclass(frozen=True)
class SchemaChange:
    """A window whose records carry other fields than those before."""

    place: int
    label: str
    new: list[str]
    missing: list[str]


def schema_changes(collection: ResourceCopy) -> list[SchemaChange]:
    """Where the fields change, against all that were seen before.

    Windows without records show none and are passed over, and so are the members of objects that no record fills.
    """
    found, known = list[SchemaChange](), set[str]()
    for place, entry in enumerate(collection.entries):
        fields = set(entry.manifest.schema.fields if entry.manifest else ())
        before, filled = _parents(known), _parents(fields)
        new = sorted(name for name in fields - known if _parent(name) in before)
        missing = sorted(name for name in known - fields if _parent(name) in filled)
        if new or missing:
            found.append(SchemaChange(place, entry.label, new, missing))
        known = (known - set(missing)) | fields
    return found


def _parents(names: set[str]) -> set[str]:
    return {_parent(name) for name in names}


def _parent(name: str) -> str:
    """The object that a field is a member of; the record itself is the empty one."""
    return name.rpartition(".")[0]


def unknown_fields(collection: ResourceCopy) -> list[str]:
    """The fields seen that the catalogue does not know."""
    return sorted({name for each in _manifests(collection) for name in each.schema.unknown_fields})


def untyped(collection: ResourceCopy) -> list[str]:
    """The fields that had values of another kind than declared, which typed rows store as they came."""
    return sorted({name for each in _manifests(collection) for name in each.untyped})


def _manifests(collection: ResourceCopy) -> list[Manifest]:
    return [entry.manifest for entry in collection.entries if entry.manifest]
