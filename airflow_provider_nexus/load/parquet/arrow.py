"""Rows of a table as Arrow batches and back: nested objects are structs again, amounts decimals, times in UTC.

pyarrow belongs to the ``parquet`` extra and takes a tenth of a second to import, so it is imported when it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from airflow_provider_nexus.api.schemas.field import PRECISION, Field
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.columns import SYSTEM, Column, Table
from airflow_provider_nexus.load.copy import TableRow

Batch = Any
"""A ``pyarrow.RecordBatch``; pyarrow has no types for mypy."""


_EXTRAS = {"pandas": "pandas", "polars": "polars"}


def load(module: str = "pyarrow") -> Any:
    """Import pyarrow or a module of it, or what makes data frames.

    :raises NexusConfigurationError: when it is not installed
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        extra = _EXTRAS.get(module, "parquet")
        what = f"data frames need {module}" if module in _EXTRAS else "Parquet files and data frames need pyarrow"
        hint = f"pip install 'airflow-provider-nexus[{extra}]'"
        raise NexusConfigurationError(f"{what}: install the {extra!r} extra, {hint}") from None


@dataclass(frozen=True)
class _Object:
    """A nested object: its name in the struct that holds it, and what it holds in turn."""

    field: Field
    members: tuple[_Object | _Leaf, ...]

    @property
    def name(self) -> str:
        return self.field.column_name


@dataclass(frozen=True)
class _Leaf:
    name: str
    column: Column


def arrow_schema(table: Table, metadata: Mapping[str, str]) -> Any:
    """The ``pyarrow.Schema`` of a table's files.

    A column says its ``meaning``, its dotted ``wire_name`` and whether it is ``personal`` in its metadata, and ``content:
    json`` where it holds JSON text; a struct has its meaning and wire name.

    :param metadata: what the file shall say of itself; each name gets the prefix ``nexus.``
    :raises NexusConfigurationError: when pyarrow is not installed
    """
    kept = {f"nexus.{name}": metadata[name] for name in sorted(metadata)}
    return load().schema([_field(node, ()) for node in _tree(table)], metadata=kept)


class Batches:
    """Makes batches of rows.

    :param table: whose rows they are
    :param schema: its :func:`arrow_schema`
    """

    def __init__(self, table: Table, schema: Any) -> None:
        self._tree, self._schema, self._arrow = _tree(table), schema, load()

    def of(self, rows: Sequence[TableRow]) -> Batch:
        """Rows, at least one, as a batch."""
        values = iter(zip(*rows, strict=True))
        arrays = [self._array(node, field.type, values) for node, field in zip(self._tree, self._schema, strict=True)]
        return self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _array(self, node: _Object | _Leaf, kind: Any, values: Iterator[tuple[Any, ...]]) -> Any:
        if isinstance(node, _Leaf):
            return self._arrow.array(next(values), kind)
        fields = [kind.field(number) for number in range(kind.num_fields)]
        arrays = [self._array(member, field.type, values) for member, field in zip(node.members, fields, strict=True)]
        return self._arrow.StructArray.from_arrays(arrays, fields=fields, mask=_all_null(arrays))


def rows_of(batch: Batch) -> list[TableRow]:
    """The rows of a batch: the values of its columns, those of structs flattened, in their order."""
    columns = [_values(array) for column in batch.columns for array in _flat(column)]
    return list(zip(*columns, strict=True))


def leaves(schema: Any) -> dict[str, str]:
    """The flattened columns of a file: name as in ``Table.columns`` -> dotted path in the file."""
    return {"_".join(path): ".".join(path) for field in schema for path in _paths(field)}


def value_at(batch: Batch, path: str) -> list[Any]:
    """The values of one column of a batch.

    :param path: as in :func:`leaves`
    """
    first, *rest = path.split(".")
    array = batch.column(first)
    for name in rest:
        array = array.flatten()[array.type.get_field_index(name)]
    return _values(array)


def _tree(table: Table) -> tuple[_Object | _Leaf, ...]:
    columns = iter(table.fields)
    return (*(_Leaf(column.name, column) for column in SYSTEM), *_nodes(table.resource.schema.fields, columns))


def _nodes(fields: tuple[Field, ...], columns: Iterator[Column]) -> Iterator[_Object | _Leaf]:
    """The fields with their columns, which are in the order of a walk through the fields."""
    for field in fields:
        if field.kind == "object" and field.children:
            yield _Object(field, tuple(_nodes(field.children, columns)))
        else:
            yield _Leaf(field.column_name, next(columns))


def _field(node: _Object | _Leaf, path: tuple[str, ...]) -> Any:
    arrow = load()
    if isinstance(node, _Leaf):
        return arrow.field(node.name, arrow_type(node.column), metadata=_said(node.column))
    here = (*path, node.field.name)
    said = {"meaning": node.field.meaning, "wire_name": ".".join(here)}
    return arrow.field(node.name, arrow.struct([_field(member, here) for member in node.members]), metadata=said)


def _said(column: Column) -> dict[str, str]:
    said = {"meaning": column.meaning, "wire_name": ".".join(column.path), "personal": str(column.personal).lower()}
    return said | {"content": "json"} if column.kind == "json" else said


def arrow_type(column: Column) -> Any:
    """The Arrow type of a column's values."""
    arrow = load()
    if column.kind == "money":
        return arrow.decimal128(PRECISION, column.scale)
    if column.kind == "time":
        return arrow.timestamp("us", tz="UTC")
    kinds = {"date": arrow.date32, "integer": arrow.int64, "flag": arrow.bool_}
    return kinds.get(column.kind, arrow.string)()


def _all_null(arrays: Sequence[Any]) -> Any:
    both = load("pyarrow.compute").and_
    mask = arrays[0].is_null()
    for array in arrays[1:]:
        mask = both(mask, array.is_null())
    return mask


def _flat(array: Any) -> Iterator[Any]:
    if not load().types.is_struct(array.type):
        yield array
        return
    for member in array.flatten():
        yield from _flat(member)


def _paths(field: Any) -> Iterator[tuple[str, ...]]:
    if not load().types.is_struct(field.type):
        yield (field.name,)
        return
    for number in range(field.type.num_fields):
        yield from ((field.name, *path) for path in _paths(field.type.field(number)))


def _values(array: Any) -> list[Any]:
    """Values as Python has them. Times are read without their zone, as pyarrow's choice of a zone object has changed."""
    arrow = load()
    if not arrow.types.is_timestamp(array.type):
        return list(array.to_pylist())
    plain = array.cast(arrow.timestamp("us")).to_pylist()
    return [value if value is None else value.replace(tzinfo=UTC) for value in plain]
