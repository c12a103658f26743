from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.parquet import writer as parquet
from airflow_provider_nexus.load.parquet.batches import arrow_schema, load
from airflow_provider_nexus.load.parquet.writer import ParquetWriter, batch_of, read_columns, read_rows
from airflow_provider_nexus.load.rows import content_of
from airflow_provider_nexus.sandbox import Sandbox
from tests.load.parquet.rowing import read, rows_of, saved

TRANSACTIONS = Table(get_resource("transactions"))
SAID = {"version": "1.2.3", "resource": "transactions", "environment": "test"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(transactions=300, customers=40, clock_speed=0, amounts="awkward") as running:
        yield running


@pytest.fixture(scope="module")
def rows(sandbox: Sandbox) -> list[TableRow]:
    return rows_of(sandbox, "transactions")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_RECORDS", 7)


def writer_of(rows: list[TableRow], *, table: Table = TRANSACTIONS, step: int = 50, part_records: int = 1000) -> ParquetWriter:
    writer = ParquetWriter(table, SAID, part_records)
    for start in range(0, len(rows), step):
        writer.write(rows[start : start + step])
    return writer


def digests(writer: ParquetWriter) -> list[str]:
    return [part.sha256 for part in writer.parts()]


@pytest.mark.parametrize("resource", sorted(RESOURCES))
def test_rows_come_back_as_they_were(sandbox: Sandbox, tmp_path: Path, resource: str) -> None:
    rows = rows_of(sandbox, resource)
    back = read(saved(writer_of(rows, table=Table(get_resource(resource))), tmp_path))
    assert rows
    assert back == rows
    assert [content_of(row[4:]) for row in back] == [row[3] for row in rows]


def test_values_have_the_types_of_python(rows: list[TableRow], tmp_path: Path) -> None:
    back = read(saved(writer_of(rows), tmp_path))
    assert [[type(value) for value in row] for row in back] == [[type(value) for value in row] for row in rows]
    assert {repr(value.tzinfo) for row in back for value in row if isinstance(value, datetime)} == {"datetime.timezone.utc"}
    scales = {column.name: column.scale for column in TRANSACTIONS.columns}
    for row in back:
        for name, value in zip(scales, row, strict=True):
            assert not isinstance(value, Decimal) or value.as_tuple().exponent == -scales[name]


def test_the_schema_says_what_columns_are() -> None:
    pa = load()
    schema = arrow_schema(TRANSACTIONS, SAID)
    assert schema.field("_read_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("_raw_extra").metadata[b"content"] == b"json"
    amount = schema.field("requested_amounts_crypto_amount")
    assert amount.type == pa.decimal128(38, 24)
    assert amount.metadata[b"wire_name"] == b"requestedAmounts.cryptoAmount"
    assert amount.metadata[b"meaning"] == b"Amount of crypto"
    assert amount.metadata[b"personal"] == b"false"
    assert list(schema.metadata.items()) == [(f"nexus.{name}".encode(), SAID[name].encode()) for name in sorted(SAID)]


@pytest.mark.parametrize("resource", sorted(RESOURCES))
def test_every_column_has_a_field_of_its_kind(resource: str) -> None:
    kinds = {"money": "decimal128", "time": "timestamp[us, tz=UTC]", "date": "date32[day]", "integer": "int64", "flag": "bool"}
    table = Table(get_resource(resource))
    found = list(arrow_schema(table, {}))
    assert [field.name for field in found] == [column.name for column in table.columns]
    wanted = [(".".join(each.path), kinds.get(each.kind, "string"), str(each.personal).lower()) for each in table.columns]
    assert [
        (field.metadata[b"wire_name"].decode(), str(field.type), field.metadata[b"personal"].decode()) for field in found
    ] == [
        (name, f"decimal128(38, {column.scale})" if kind == "decimal128" else kind, personal)
        for (name, kind, personal), column in zip(wanted, table.columns, strict=True)
    ]


def test_the_values_of_an_object_without_any_are_null(rows: list[TableRow], tmp_path: Path) -> None:
    names = [column.name for column in TRANSACTIONS.columns]
    bare = tuple(None if name.startswith("fees_") else value for name, value in zip(names, rows[0], strict=True))
    (path,) = saved(writer_of([bare, rows[1]]), tmp_path)
    fees = load("pyarrow.parquet").read_table(path, columns=["fees_partner_fee_fiat"])["fees_partner_fee_fiat"]
    assert [fees[number].is_valid for number in range(2)] == [False, True]
    assert read([path]) == [bare, rows[1]]


def test_size_and_digest_are_those_of_the_file(rows: list[TableRow]) -> None:
    (part,) = writer_of(rows).parts()
    data = part.spool.read()
    assert (part.name, part.records) == ("part-00000.parquet", len(rows))
    assert (part.size, part.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("step", [1, 6, 7, 50, 300])
def test_the_same_rows_give_the_same_bytes(rows: list[TableRow], tmp_path: Path, step: int) -> None:
    writer = writer_of(rows, step=step, part_records=40)
    assert digests(writer) == digests(writer_of(rows, step=13, part_records=40))
    paths = saved(writer, tmp_path)
    assert [path.name for path in paths] == [f"part-0000{number}.parquet" for number in range(8)]
    assert read(paths) == rows
    files = [load("pyarrow.parquet").ParquetFile(path) for path in paths]
    assert [file.metadata.num_rows for file in files] == [40] * 7 + [20]
    assert max(file.metadata.row_group(n).num_rows for file in files for n in range(file.num_row_groups)) == 7


@pytest.mark.usefixtures("small")
def test_batches_and_rows_keep_their_order(rows: list[TableRow], tmp_path: Path) -> None:
    (path,) = saved(writer_of(rows[10:20]), tmp_path)
    writer = writer_of(rows[:10])
    for batch in load("pyarrow.parquet").ParquetFile(path).iter_batches():
        writer.write_batch(batch)
    writer.write(rows[20:])
    assert digests(writer) == digests(writer_of(rows))


def test_pages_do_not_end_where_batches_do(rows: list[TableRow]) -> None:
    many = [(*row[:4], f"{number:0400d}", *row[5:]) for number, row in enumerate(rows * 30)]
    writer = ParquetWriter(TRANSACTIONS, SAID)
    for start in range(0, len(many), 700):
        writer.write_batch(batch_of(many[start : start + 700], writer.schema))
    assert digests(writer) == digests(writer_of(many, part_records=10_000))


def test_no_rows_are_an_empty_file_with_all_columns(tmp_path: Path) -> None:
    (path,) = saved(writer_of([]), tmp_path)
    assert read([path]) == []
    assert load("pyarrow.parquet").read_schema(path).equals(arrow_schema(TRANSACTIONS, SAID), check_metadata=False)
    assert load("pyarrow.parquet").read_schema(path).metadata == arrow_schema(TRANSACTIONS, SAID).metadata


def test_closing_gives_files_back(rows: list[TableRow]) -> None:
    writer = writer_of(rows[:250], part_records=100)
    (first, *_) = writer.parts()
    writer.close()
    assert first.spool.closed
    open_part = writer_of(rows, step=300)
    open_part.close()


_FULL = """
import resource
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.load.parquet.writer import ParquetWriter

table = Table(get_resource("transactions"))
writer = ParquetWriter(table, {})
resource.setrlimit(resource.RLIMIT_FSIZE, (%d, %d))
try:
    for place in range(40):
        row = (f"T{place}", None, None, "", *[None] * (len(table.columns) - 4))
        writer.write([(f"{place}-{number}-" + "x" * 50, *row[1:]) for number in range(1000)])
    writer.parts()
except NexusStorageError as error:
    print(error)
writer.close()
"""


@pytest.mark.parametrize("room", [1000, 50_000])
def test_a_disk_that_is_full_is_named_and_nothing_more_is_said(room: int) -> None:
    """By a limit on the size of files, as a disk that is really full takes another machine down with it."""
    said = subprocess.run([sys.executable, "-c", _FULL % (room, room)], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"temporary files in .+ can't be written: .+\n", said.stdout)
    assert said.stderr == ""


def test_some_columns(rows: list[TableRow], tmp_path: Path) -> None:
    names = [column.name for column in TRANSACTIONS.columns]
    wanted = ("created", "fees_bank_fee_fiat", "_key", "requested_amounts_crypto_amount", "status")
    (path,) = saved(writer_of(rows), tmp_path)
    found = [row for some in read_columns(path, wanted) for row in some]
    assert found == [tuple(row[names.index(name)] for name in wanted) for row in rows]


def test_columns_of_objects_in_objects(sandbox: Sandbox, tmp_path: Path) -> None:
    table = Table(get_resource("payment_methods"))
    rows = rows_of(sandbox, "payment_methods")
    (path,) = saved(writer_of(rows, table=table), tmp_path)
    place = [column.name for column in table.columns].index("fees_bank_fixed")
    assert [value for some in read_columns(path, ["fees_bank_fixed"]) for (value,) in some] == [row[place] for row in rows]


def test_a_missing_column_is_named(rows: list[TableRow], tmp_path: Path) -> None:
    (path,) = saved(writer_of(rows), tmp_path)
    with pytest.raises(NexusError, match="no column colour: it was written by another version"):
        list(read_columns(path, ["status", "colour"]))


def test_paths_of_object_stores(rows: list[TableRow]) -> None:
    upath = pytest.importorskip("upath")
    path = upath.UPath("memory://nexus/part-00000.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(writer_of(rows).parts()[0].spool.read())
    assert [row for some in read_rows(path) for row in some] == rows


@pytest.mark.parametrize("damage", [lambda data: b"{}", lambda data: data[:-100], lambda data: b""])
def test_what_is_no_parquet_is_refused(rows: list[TableRow], tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "part-00000.parquet"
    path.write_bytes(damage(writer_of(rows).parts()[0].spool.read()))
    with pytest.raises(NexusError, match="is no Parquet file, or not a whole one"):
        list(read_rows(path))


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NexusConfigurationError, match=r"pip install 'airflow-provider-nexus\[parquet\]'"):
        ParquetWriter(TRANSACTIONS, SAID)
    with pytest.raises(NexusConfigurationError, match="'parquet' extra"):
        list(read_rows(tmp_path / "none.parquet"))


@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)])
def test_times_at_the_ends_of_the_calendar(rows: list[TableRow], tmp_path: Path, moment: datetime) -> None:
    row = (rows[0][0], moment, *rows[0][2:])
    assert read(saved(writer_of([row]), tmp_path)) == [row]


@pytest.mark.parametrize("text", ["9" * 14 + "." + "9" * 24, "-" + "9" * 14 + "." + "9" * 24, "1E-24", "0E-24"])
def test_amounts_of_38_digits(rows: list[TableRow], tmp_path: Path, text: str) -> None:
    place = [column.name for column in TRANSACTIONS.columns].index("fees_bank_fee_crypto")
    row = (*rows[0][:place], Decimal(text), *rows[0][place + 1 :])
    (back,) = read(saved(writer_of([row]), tmp_path))
    assert str(back[place]) == text


MEMORY = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.rows import TableConverter
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.parquet.changes import rewrite
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.load.parquet.writer import ParquetWriter
from tests.load.parquet.rowing import origin, saved

folder, count = Path(sys.argv[2]), int(sys.argv[3])
entry = get_resource("transactions")
raw = b'{"transactionCode":"T","created":"2026-01-01T10:00:00Z","requestedAmounts":{"cryptoAmount":1.25}}'
first = TableConverter(entry).row(RowReader(entry).read(raw), origin())
writer = ParquetWriter(Table(entry), {})
if sys.argv[1] == "write":
    for start in range(0, count, 500):
        writer.write([(f"T{number:09d}", *first[1:]) for number in range(start, start + 500)])
elif sys.argv[1] == "copy":
    def seal():
        print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        raise SystemExit

    day = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    starts = range(0, count, 500)
    batches = ([(f"T{number:09d}", *first[1:]) for number in range(start, start + 500)] for start in starts)
    ParquetCopy(folder, Table(entry)).apply(batches, day, seal)
else:
    key = f"T{count // 2:09d}"
    rewrite(sorted((folder / "old").iterdir()), writer, {key: (key, *first[1:3], "other", *first[4:])})
print(sum(part.records for part in writer.parts()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
saved(writer, folder / ("old" if sys.argv[1] == "write" else "new"))
"""


def peak(what: str, folder: Path, count: int) -> float:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", MEMORY, what, str(folder), str(count)]
    plain = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}  # mimalloc keeps what it was given back, more or less of it
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280, env=plain)
    records, kilobytes = done.stdout.split()
    assert int(records) == count
    return int(kilobytes) / 1024


@pytest.mark.slow
@pytest.mark.parametrize("what", ["write", "copy", "rewrite"])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, what: str) -> None:
    if what == "rewrite":
        for count in (20_000, 400_000):
            peak("write", tmp_path / str(count), count)
    small, large = (peak(what, tmp_path / str(count), count) for count in (20_000, 400_000))
    assert large - small <= 16, f"{small:.1f} MB for 20,000 rows, {large:.1f} MB for 400,000"
