"""What is done to a record on its way out: values that do not fit its schema, and fields that are gone.

Filters, sorting and codes go by the record beneath.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import TypeVar

from msgspec import Raw

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.chance import salt_of, scatter, share
from airflow_provider_nexus.sandbox.collection import Collection, Path, Record
from airflow_provider_nexus.sandbox.settings import SandboxSettings

Item = TypeVar("Item")

DIGITS = 40
"""Significant digits of an amount that has too many."""
NO_DATE, NO_AMOUNT = "2026-13-45T00:00:00Z", "n/a"
_FILLER = "1234567891011121314151617181920212223242"


@dataclass(frozen=True, slots=True)
class Misfit:
    """What is wrong with a record.

    :param kind: ``digits``, ``date`` or ``amount``
    :param path: of the field
    """

    kind: str
    path: Path


def outgoing(resource: Resource, collection: Collection, row: int, record: Record, settings: SandboxSettings) -> Record:
    """The record of a row as it is sent; the one given may be changed."""
    misfit = misfit_of(resource, collection, row, record, settings)
    if misfit is not None:
        _spoil(record, misfit)
    for name in removed(resource, settings):
        record.pop(name, None)
    return record


def added_up(resource: Resource, collection: Collection, row: int, record: Record, settings: SandboxSettings) -> Record:
    """The record of a row as sums see it: with 40 digits where it shows them, else with the amounts beneath."""
    misfit = misfit_of(resource, collection, row, record, settings)
    if misfit is not None and misfit.kind == "digits":
        _spoil(record, misfit)
    return record


def misfit_of(resource: Resource, collection: Collection, row: int, record: Record, settings: SandboxSettings) -> Misfit | None:
    """What is wrong with the record of a row; an amount that is null is passed over.

    It is decided by the row's number, and by its stamp, as children are numbered anew for every parent.
    """
    if not settings.misfit_share:
        return None
    bits = scatter(_salt(settings.seed, resource.name) ^ collection.stamp(row), row)
    if share(bits) >= settings.misfit_share:
        return None
    kinds = tuple(settings.misfits)
    gone = removed(resource, settings)
    for kind in _turned(kinds, bits >> 32):
        for path in _turned(_paths(resource.name, kind), bits >> 40):
            if path[0] not in gone and _fits(record, path, kind):
                return Misfit(kind, path)
    return None


def removed(resource: Resource, settings: SandboxSettings) -> tuple[str, ...]:
    """The fields that records of a resource do not carry, as they are spelt on the wire; none of its key."""
    if not settings.removed_fields:
        return ()
    return _removed(resource.name, tuple(settings.removed_fields))


@lru_cache(maxsize=256)
def _removed(name: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    resource = RESOURCES[name]
    keys = {path.partition(".")[0] for path in resource.key}
    known = (resource.schema.by_folded_name.get(field.lower()) for field in fields)
    return tuple(field.name for field in known if field is not None and field.name not in keys)


@lru_cache(maxsize=256)
def _salt(seed: int, name: str) -> int:
    return salt_of(seed, f"{name}-misfit")


def _turned(items: tuple[Item, ...], bits: int) -> Iterator[Item]:
    start = bits % len(items) if items else 0
    return chain(items[start:], items[:start])


@lru_cache(maxsize=256)
def _paths(name: str, kind: str) -> tuple[Path, ...]:
    """The fields that can be spoiled in a way: no key, no creation stamp, nothing inside lists and maps."""
    resource = RESOURCES[name]
    kept = {*resource.key, resource.created.stamp if resource.created else "created", resource.stamp}
    wanted = "time" if kind == "date" else "money"
    return tuple(path for path, field in _walk((), resource.schema.fields) if field.kind == wanted and ".".join(path) not in kept)


def _walk(prefix: Path, fields: tuple[Field, ...]) -> Iterator[tuple[Path, Field]]:
    for field in fields:
        yield (*prefix, field.name), field
        if field.kind == "object":
            yield from _walk((*prefix, field.name), field.children)


def _fits(record: Record, path: Path, kind: str) -> bool:
    held: object = record
    for name in path[:-1]:
        held = held.get(name) if isinstance(held, Mapping) else None
    if not isinstance(held, Mapping) or path[-1] not in held:
        return False
    return kind == "date" or held[path[-1]] is not None


def _spoil(record: Record, misfit: Misfit) -> None:
    """Objects on the path are copied: they may belong to what the record was made from."""
    for name in misfit.path[:-1]:
        record[name] = dict(record[name])
        record = record[name]
    name = misfit.path[-1]
    if misfit.kind == "digits":
        record[name] = many_digits(money.decimal(record[name]))
    else:
        record[name] = NO_DATE if misfit.kind == "date" else NO_AMOUNT


def many_digits(value: Decimal) -> Raw:
    """The amount with digits added after its last one until there are 40 significant ones, without an exponent."""
    text = f"{value:f}"
    text = text if "." in text else f"{text}."
    have = len(text.replace(".", "").lstrip("-0"))
    return Raw(f"{text}{_FILLER[: DIGITS - have - 1]}7".encode())
