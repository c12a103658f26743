"""Fields and schemas of Nexus records, and the functions that declare them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

Kind = Literal["text", "time", "date", "money", "integer", "flag", "object", "list", "map"]
"""How a value is read. ``money`` is any number that must stay decimal: amounts, prices, rates, percentages."""

Unit = Literal["", "fiat", "crypto", "price", "ratio", "MB"]
"""What a number counts. Amounts in ``fiat`` and ``crypto`` may be summed per currency, the others may not."""

PRECISION = 38
"""Digits of a money column in typed tables: the most of a 128-bit decimal, which Parquet and every database can store."""
_SCALES: dict[Unit, int] = {"fiat": 20, "price": 22}
SCALE = 24
"""Digits after the point of an amount of crypto."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field as Nexus sends it. Every field may be null or missing: the OpenAPI document marks none as required.

    :param name: the name on the wire, misspellings included
    :param meaning: one line for a person
    :param personal: whether it can identify a person
    :param surface: where it was seen: ``A`` (classic), ``B`` (CASP) or ``AB``
    :param children: the fields of an ``object``, or of the objects in a ``list`` or ``map``
    :param column: the column name in typed tables where it is not the plain snake_case of ``name``
    :param also: other kinds that a source allows. A ``text`` in place of an ``object`` is the object's first child
    """

    name: str
    meaning: str
    kind: Kind
    unit: Unit = ""
    personal: bool = False
    surface: str = "AB"
    children: tuple[Field, ...] = ()
    column: str = ""
    also: tuple[Kind, ...] = ()

    @property
    def column_name(self) -> str:
        """The snake_case name in typed tables, with the wire's misspellings put right."""
        return self.column or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.name).lower()

    @property
    def holds_money(self) -> bool:
        """Whether it is money, or has money in it."""
        return self.kind == "money" or any(child.holds_money for child in self.children)

    @property
    def scale(self) -> int:
        """Digits after the point in typed tables, no bound that Nexus states: enough for the noise of a binary fraction.

        A double shows up to 17 significant digits, and Nexus was seen to send such noise: 20 places are
        enough for an amount of a tenth of a cent, with 18 digits before the point; 22 for a price of 0.00001, with 16; 24 for
        0.00000001 of a crypto, with 14.
        """
        return _SCALES.get(self.unit, SCALE) if self.kind == "money" else 0


@dataclass(frozen=True)
class Schema:
    """The fields of one kind of record, found by name without regard to case."""

    name: str
    fields: tuple[Field, ...]

    @cached_property
    def by_folded_name(self) -> dict[str, Field]:
        """Fields by their lower-case wire name."""
        return {field.name.lower(): field for field in self.fields}

    def walk(self) -> Iterator[tuple[tuple[str, ...], Field]]:
        """Every field, nested ones included, with its path of wire names; objects inside lists and maps as well."""
        yield from _walk((), self.fields)

    def amounts(self) -> Iterator[tuple[tuple[str, ...], Field]]:
        """The money fields that may be summed per currency, each with its path; none from inside lists or maps."""
        yield from _amounts((), self.fields)


def schema(name: str, *fields: Field) -> Schema:
    """The schema of records that have these fields."""
    return Schema(name, fields)


def _walk(prefix: tuple[str, ...], fields: tuple[Field, ...]) -> Iterator[tuple[tuple[str, ...], Field]]:
    for field in fields:
        yield (*prefix, field.name), field
        yield from _walk((*prefix, field.name), field.children)


def _amounts(prefix: tuple[str, ...], fields: tuple[Field, ...]) -> Iterator[tuple[tuple[str, ...], Field]]:
    for field in fields:
        if field.kind == "money" and field.unit in ("fiat", "crypto"):
            yield (*prefix, field.name), field
        elif field.kind == "object":
            yield from _amounts((*prefix, field.name), field.children)


text = partial(Field, kind="text")
"""A string; ids and numbers-as-text included."""
time = partial(Field, kind="time")
"""A time stamp in UTC, in any form that Nexus is known to send."""
date = partial(Field, kind="date")
"""A calendar date, ``yyyy-MM-dd``."""
fiat = partial(Field, kind="money", unit="fiat")
"""An amount in the record's currency."""
crypto = partial(Field, kind="money", unit="crypto")
"""An amount in the record's crypto."""
price = partial(Field, kind="money", unit="price")
"""A price, rate or fee that is a number per unit of something and so has no meaningful sum."""
ratio = partial(Field, kind="money", unit="ratio")
"""A fraction."""
integer = partial(Field, kind="integer")
"""A whole number that is not money."""
flag = partial(Field, kind="flag")
"""True or false."""


def nested(name: str, meaning: str, *children: Field, surface: str = "AB", also: tuple[Kind, ...] = ()) -> Field:
    """An object with known fields."""
    return Field(name, meaning, "object", surface=surface, children=children, also=also)


def many(name: str, meaning: str, *children: Field, personal: bool = False, surface: str = "AB") -> Field:
    """An array; of objects when children are given, of strings when not."""
    return Field(name, meaning, "list", personal=personal, surface=surface, children=children)


def mapping(name: str, meaning: str, *children: Field, personal: bool = False, surface: str = "AB") -> Field:
    """An object with free keys; its values are objects when children are given, scalars when not."""
    return Field(name, meaning, "map", personal=personal, surface=surface, children=children)
