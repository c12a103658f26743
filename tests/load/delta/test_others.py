"""Columns that somebody has added to a Delta table keep their values, whatever their type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from deltalake import DeltaTable, Field, write_deltalake

from tests.load.delta.writing import copy_in, day, load_day

VALUES: dict[str, tuple[Any, Any]] = {
    "text": (pa.string(), "seen"),
    "number": (pa.int32(), 7),
    "amount": (pa.decimal128(10, 2), "1.50"),
    "moment": (pa.timestamp("us", tz="UTC"), "2026-01-01T00:00:00Z"),
    "list": (pa.list_(pa.string()), ["a", None]),
    "struct": (pa.struct([("a", pa.int64())]), {"a": 1}),
    "map": (pa.map_(pa.string(), pa.int64()), [("a", 1)]),
}


def annotate(folder: Path, kind: Any, value: Any) -> None:
    """Add a column, and give each row a value: as others do, by writing the files anew."""
    table = DeltaTable(folder)
    table.alter.add_columns([Field.from_arrow(pa.field("theirs", kind))])
    rows = DeltaTable(folder).to_pyarrow_table()
    plain = pa.scalar(value, pa.string()).cast(kind) if isinstance(value, str) else pa.scalar(value, kind)
    rows = rows.set_column(rows.schema.get_field_index("theirs"), rows.schema.field("theirs"), pa.repeat(plain, rows.num_rows))
    write_deltalake(folder, rows, mode="overwrite")


def theirs(folder: Path) -> dict[str, Any]:
    rows = DeltaTable(folder).to_pyarrow_table()
    return dict(zip(rows["_key"].to_pylist(), rows["theirs"].to_pylist(), strict=True))


@pytest.mark.parametrize("output", ["current", "history"])
@pytest.mark.parametrize("kind", VALUES)
def test_their_values_stay(tmp_path: Path, kind: str, output: Any) -> None:
    first, last = day(0, 20), day(0, 20, version=1)
    load_day(tmp_path, 0, first, output=output)
    annotate(tmp_path, *VALUES[kind])
    before = theirs(tmp_path)
    assert None not in before.values()
    load_day(tmp_path, 0, [*first[:10], *last[10:18]], output=output)  # eight are changed, two deleted
    for number in range(1, 20):  # small files become one
        load_day(tmp_path, number, day(number, 5), output=output)
    rows = DeltaTable(tmp_path).to_pyarrow_table().to_pylist()
    changed = {row[0] for row in last[10:18]}
    for key in (row[0] for row in first[:10]):
        assert [row["theirs"] for row in rows if row["_key"] == key] == [before[key]]
    for key in changed:
        found = [row["theirs"] for row in rows if row["_key"] == key]
        assert found == ([None] if output == "current" else found)
        assert None in found, "a new version has none"
    assert copy_in(tmp_path, output=output).check().problems == ()
