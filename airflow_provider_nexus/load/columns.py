"""Columns of a resource's table, from its schema: one for each value, those of nested objects flattened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.schemas.field import Field

ColumnKind = Literal["text", "time", "date", "money", "integer", "flag", "json"]
"""Of what kind a column's values are. ``json`` is the JSON text of a list or a dictionary, every digit as it came."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    :param name: snake_case; that of a nested value begins with those of its objects
    :param path: wire names down to the value; empty for a column that is not of the record
    :param meaning: one line for a person
    :param personal: whether it can identify a person
    """

    name: str
    path: tuple[str, ...]
    kind: ColumnKind
    meaning: str
    personal: bool = False
    scale: int = 0
    """Digits after the point of a ``money`` column; before and after it there are :data:`PRECISION` in all."""


SYSTEM = (
    Column("_key", (), "text", "The record's key: its code, or the parts of its key joined by a bar"),
    Column("_read_at", (), "time", "When this version was read, by the server's clock"),
    Column("_read_by", (), "text", "Which reading brought it: the feed and the window it asked for"),
    Column("_content", (), "text", "SHA-256 of the record's values in this table; two versions of a record differ in it"),
    Column(
        "_raw_extra",
        (),
        "json",
        "What has no column: fields that are not known, values of another kind; JSON text by dotted wire name, null when none",
    ),
)
"""Columns that every table has beside those of the record."""
KEY, CONTENT = 0, 3
"""The indexes of ``_key`` and ``_content``."""
DIGESTED = 4
"""The columns from this index on, ``_raw_extra`` and those of the record, are what ``_content`` is the digest of."""


@dataclass(frozen=True)
class Table:
    """The columns of a resource of the catalogue, in order: the system's, then the record's."""

    resource: Resource

    @cached_property
    def fields(self) -> tuple[Column, ...]:
        """The columns of the record."""
        return tuple(_columns((), (), self.resource.schema.fields, personal=False))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns."""
        return (*SYSTEM, *self.fields)

    def place(self, name: str) -> int:
        """The index of a column among all."""
        return [column.name for column in self.columns].index(name)

    @cached_property
    def by_path(self) -> dict[str, Column]:
        """The record's columns by their dotted wire name."""
        return {".".join(column.path): column for column in self.fields}

    @property
    def created(self) -> str:
        """The column of the creation stamp; empty where the resource has none."""
        stamp = self.resource.created.stamp if self.resource.created else self.resource.stamp
        return self.by_path[stamp].name if stamp in self.by_path else ""

    @property
    def status(self) -> str:
        """The column of the status; empty where the resource has none."""
        lifecycle = self.resource.lifecycle
        return self.by_path[lifecycle.status_field].name if lifecycle else ""


def _columns(path: tuple[str, ...], names: tuple[str, ...], fields: tuple[Field, ...], *, personal: bool) -> Iterator[Column]:
    for field in fields:
        here, spelt = (*path, field.name), (*names, field.column_name)
        hidden = personal or field.personal
        if field.kind == "object" and field.children:
            yield from _columns(here, spelt, field.children, personal=hidden)
        else:
            yield Column("_".join(spelt), here, _kind(field), field.meaning, hidden, field.scale)


def _kind(field: Field) -> ColumnKind:
    return "json" if field.kind == "object" or field.kind == "list" or field.kind == "map" else field.kind


class UnsettledRule:
    """Which records of a resource are unsettled, by their status; none where it has no lifecycle.

    One whose status no source explains counts as unsettled, unless it carries the time of its end.
    """

    def __init__(self, table: Table) -> None:
        self.status, self.ended = table.status, table.by_path["finished"].name if "finished" in table.by_path else ""
        """The columns of the status and of the time of the end, empty where there are none."""
        self._places = [table.place(name) if name else None for name in (self.status, self.ended)]
        lifecycle = table.resource.lifecycle
        self._phase = cache(lifecycle.phase if lifecycle else lambda _: Phase.SUCCEEDED)

    def is_unsettled_row(self, row: Sequence[Any]) -> bool:
        """Whether a row's record is unsettled."""
        return self.is_unsettled(*(None if place is None else row[place] for place in self._places))

    def is_unsettled(self, status: str | None, ended: Any) -> bool:
        """Whether a record is, by its status and the time of its end."""
        phase = self._phase(status)
        return ended is None if phase is Phase.UNKNOWN else not phase.is_settled
