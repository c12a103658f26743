"""Shapes in which a record is sent: fields of a generation, other shapes, removed fields, and values that don't fit.

Filters, sorting and codes go by the record beneath.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import TypeVar

from msgspec import Raw

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.chance import salt_of, scatter, share
from airflow_provider_nexus.sandbox.data.vocabulary import COUNTRIES
from airflow_provider_nexus.sandbox.rows import Path, Record, RowSet
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import Stamp

Item = TypeVar("Item")

DIGITS = 40
"""Significant digits of an amount that has too many."""
NO_DATE, NO_AMOUNT = "2026-13-45T00:00:00Z", "n/a"
_FILLER = "1234567891011121314151617181920212223242"
_SINGLE_ALONE = {"transactions": ("data", "comments"), "customers": ("data",)}
"""Fields of the answer to a call for one record; lists of the classic generation have those of customers too."""


def fitted(name: str, record: Record, settings: SandboxSettings, start: int, *, single: bool) -> Record:
    """A record of a resource, which may be changed, in the shapes that the settings ask for; a single one has more fields."""
    for field in _not_offered(name, settings.classic, settings.casp):
        record.pop(field, None)
    if not single and (name != "customers" or not settings.classic):
        for field in _SINGLE_ALONE.get(name, ()):
            record.pop(field, None)
    if settings.unknown_fields:
        record["sandboxExtra"] = {"introduced": "2031-01"}
    return _reshaped(name, record, settings.other_shapes, start) if settings.other_shapes else record


@lru_cache(maxsize=256)
def _not_offered(name: str, classic: bool, casp: bool) -> tuple[str, ...]:
    offered = {surface for surface, is_offered in (("A", classic), ("B", casp)) if is_offered}
    return tuple(field.name for field in RESOURCES[name].schema.fields if not offered & set(field.surface))


def _reshaped(name: str, record: Record, other_shapes: Collection[str], start: int) -> Record:
    """Shapes that no source has seen on the wire; a record that has them already stays as it is."""
    if name == "banks":
        return _bank(record, other_shapes)
    if name == "customer_bank_accounts" and record.get("bank"):
        record["bank"] = _bank(record["bank"], other_shapes)
    if name == "documents" and "document_names" in other_shapes and record.get("documentStoreType"):
        record["documentStoreType"] = {key[:1].lower() + key[1:]: value for key, value in record["documentStoreType"].items()}
    if name == "trade_pairs" and "trade_pair_updated" in other_shapes:
        record["status"] = {**record["status"], "updated": Stamp(start)}
    return record


def _bank(bank: Record, other_shapes: Collection[str]) -> Record:
    shown = dict(bank)
    country, key = bank.get("country"), bank.get("id")
    if "bank_country" in other_shapes and isinstance(country, str):
        shown["country"] = {"code": country, "name": dict(COUNTRIES).get(country)}
    if "bank_id" in other_shapes and isinstance(key, str):
        shown["id"] = (codes.guid_row(key) or 0) + 1
    return shown


def spoiled(
    resource: Resource, rows: RowSet, row: int, record: Record, settings: SandboxSettings, *, digits_alone: bool = False
) -> Record:
    """The record of a row, which may be changed, with a value that doesn't fit, if it is one of those; in sums only 40 digits."""
    kind, path = _misfit(resource, rows, row, record, settings)
    if not kind or (digits_alone and kind != "digits"):
        return record
    within = record
    for name in path[:-1]:
        within[name] = dict(within[name])  # it may belong to what the record was made from
        within = within[name]
    name = path[-1]
    within[name] = many_digits(money.decimal(within[name])) if kind == "digits" else NO_DATE if kind == "date" else NO_AMOUNT
    return record


def _misfit(resource: Resource, rows: RowSet, row: int, record: Record, settings: SandboxSettings) -> tuple[str, Path]:
    """What is wrong with the record of a row, ``digits``, ``date``, ``amount`` or nothing, and in which field.

    It is decided by the row's number, and by its stamp, as children are numbered anew for every parent. An amount that is
    null is passed over.
    """
    if not settings.misfit_share:
        return "", ()
    bits = scatter(salt_of(settings.seed, f"{resource.name}-misfit") ^ rows.stamp(row), row)
    if share(bits) >= settings.misfit_share:
        return "", ()
    missing = removed(resource, settings)
    for kind in _turned(tuple(settings.misfits), bits >> 32):
        for path in _turned(_paths(resource.name, kind), bits >> 40):
            if path[0] not in missing and _can_be_spoiled(record, path, kind):
                return kind, path
    return "", ()


def removed(resource: Resource, settings: SandboxSettings) -> tuple[str, ...]:
    """The fields that records of a resource lack by ``removed_fields``, as they are spelt on the wire; none of its key."""
    return _removed(resource.name, tuple(settings.removed_fields)) if settings.removed_fields else ()


@lru_cache(maxsize=256)
def _removed(name: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    resource = RESOURCES[name]
    keys = {path.partition(".")[0] for path in resource.key}
    known = (resource.schema.by_folded_name.get(field.lower()) for field in fields)
    return tuple(field.name for field in known if field is not None and field.name not in keys)


def _turned(items: tuple[Item, ...], bits: int) -> Iterator[Item]:
    start = bits % len(items) if items else 0
    return chain(items[start:], items[:start])


@lru_cache(maxsize=256)
def _paths(name: str, kind: str) -> tuple[Path, ...]:
    """The fields that can be spoiled in a way: no key, no creation stamp, nothing inside lists and maps."""
    resource = RESOURCES[name]
    whole = {*resource.key, resource.created.stamp if resource.created else "created", resource.stamp}
    wanted = "time" if kind == "date" else "money"
    return tuple(
        path for path, field in _walk((), resource.schema.fields) if field.kind == wanted and ".".join(path) not in whole
    )


def _walk(prefix: Path, fields: tuple[Field, ...]) -> Iterator[tuple[Path, Field]]:
    for field in fields:
        yield (*prefix, field.name), field
        if field.kind == "object":
            yield from _walk((*prefix, field.name), field.children)


def _can_be_spoiled(record: Record, path: Path, kind: str) -> bool:
    within: object = record
    for name in path[:-1]:
        within = within.get(name) if isinstance(within, Mapping) else None
    if not isinstance(within, Mapping) or path[-1] not in within:
        return False
    return kind == "date" or within[path[-1]] is not None


def many_digits(value: Decimal) -> Raw:
    """The amount with digits added after its last one until there are 40 significant ones, without an exponent."""
    text = f"{value:f}"
    text = text if "." in text else f"{text}."
    have = len(text.replace(".", "").lstrip("-0"))
    return Raw(f"{text}{_FILLER[: DIGITS - have - 1]}7".encode())
