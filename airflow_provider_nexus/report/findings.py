"""What an auditor asks of a resource besides its windows: what changed later, what is open, what did not fit, new fields."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.report.collection import Collection
from airflow_provider_nexus.report.values import age, count, items, mapping, moment, stamp, text

_WORDS = ("inserted", "updated", "deleted")
_BUCKETS = (
    ("under a day", timedelta(days=1)),
    ("1 to 7 days", timedelta(days=7)),
    ("7 to 30 days", timedelta(days=30)),
    ("over 30 days", timedelta.max),
)
_OLDEST = 5


@dataclass(frozen=True)
class Change:
    """What a later reading changed.

    :param where: label of the window that was patched, or of the reading
    """

    where: str
    read_at: str
    read_by: str
    counts: tuple[int, ...]

    @property
    def told(self) -> str:
        """The counts in words, those of nothing left out."""
        return ", ".join(f"{number} {word}" for number, word in zip(self.counts, _WORDS, strict=True) if number) or "nothing"


def patches(collection: Collection) -> list[tuple[int, str, list[Change]]]:
    """The changes of each window that was changed, with its place in the collection and its label."""
    return [
        (place, entry.label, [_change(entry.label, mapping(patch), mapping(patch)) for patch in entry.patches])
        for place, entry in enumerate(collection.entries)
        if entry.patches
    ]


def readings(collection: Collection) -> list[Change]:
    """What each reading that is no window of its own changed, all windows together."""
    return [_change(label, facts, mapping(facts.get("changes"))) for label, facts in collection.readings]


def _change(where: str, facts: Any, counts: Any) -> Change:
    when = stamp(moment(facts.get("read_at")))
    return Change(where, when, text(facts.get("read_by")), tuple(count(counts.get(word)) for word in _WORDS))


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


def open_records(collection: Collection, now: datetime) -> OpenRecords | None:
    """The open records by age; ``None`` when they are not kept beside the data."""
    if collection.unsettled is None:
        return None
    parts = ((key, *kept.partition(" ")) for key, kept in collection.unsettled.items())
    found = sorted((created, key, status) for key, when, _, status in parts if (created := moment(when)))
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
    gone: list[str]


def schema_changes(collection: Collection) -> list[SchemaChange]:
    """Where the fields change, against all that were seen before.

    Windows without records show none and are passed over, and so are the members of objects that no record fills.
    """
    found, known = list[SchemaChange](), set[str]()
    for place, entry in enumerate(collection.entries):
        fields = {text(name) for name in items(mapping(entry.facts.get("schema")).get("fields"))}
        before, filled = _holders(known), _holders(fields)
        new = sorted(name for name in fields - known if _holder(name) in before)
        gone = sorted(name for name in known - fields if _holder(name) in filled)
        if new or gone:
            found.append(SchemaChange(place, entry.label, new, gone))
        known = (known - set(gone)) | fields
    return found


def _holders(names: set[str]) -> set[str]:
    return {_holder(name) for name in names}


def _holder(name: str) -> str:
    """The object that a field is a member of; the record itself is the empty one."""
    return name.rpartition(".")[0]


def unknown_fields(collection: Collection) -> list[str]:
    """The fields seen that the catalogue does not know."""
    schemas = (mapping(entry.facts.get("schema")) for entry in collection.entries)
    return sorted({text(name) for schema in schemas for name in items(schema.get("unknown_fields"))})


def untyped(collection: Collection) -> list[str]:
    """The fields that held values of another kind than declared, which typed rows keep as they came."""
    return sorted({text(name) for entry in collection.entries for name in mapping(entry.facts.get("untyped"))})
