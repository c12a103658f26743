"""Rows of sandbox records, for tests of what keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from airflow_provider_nexus.api.envelope import decode, inject
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.parquet.writer import ParquetWriter, read_rows
from airflow_provider_nexus.sandbox import Sandbox
from tests.extract.serving import client_of
from tests.load.converting import converted

READ_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def origin(hours: float = 0) -> Origin:
    """A reading."""
    return Origin(READ_AT + timedelta(hours=hours), "created 20260303T000000Z-20260304T000000Z")


def rows_of(sandbox: Sandbox, resource: str) -> list[TableRow]:
    """All records of a resource, those of all parents where it has them."""
    return converted(get_resource(resource), _records(sandbox, resource), origin())


def _records(sandbox: Sandbox, resource: str) -> Iterator[bytes]:
    """As they are answered and read, with what the reader keeps of the answer around them."""
    entry, client = get_resource(resource), client_of(sandbox)
    for parent in _parents(sandbox, entry):
        found = client.fetch(entry, parent, {"limit": 5000}).value.raw
        if not entry.parent or entry.parent_field in entry.lifted:
            yield from found
        else:
            yield from (inject(raw, {entry.parent_field: msgspec.json.encode(parent)}) for raw in found)
    client.session.close()


def _parents(sandbox: Sandbox, entry: Resource) -> Iterator[str]:
    if not entry.parent:
        yield ""
        return
    reader = RowReader(get_resource(entry.parent))
    for parent in sandbox.truth(entry.parent):
        if not entry.parent_only or decode(parent)[entry.parent_only]:
            yield reader.read(parent).key


def saved(writer: ParquetWriter, folder: Path) -> list[Path]:
    """The writer's parts as files."""
    folder.mkdir(exist_ok=True)
    for part in writer.parts():
        (folder / part.name).write_bytes(part.spool.read())
    return sorted(folder.iterdir())


def read(paths: Iterable[Path]) -> list[TableRow]:
    """All rows of files."""
    return [row for path in paths for rows in read_rows(path) for row in rows]
