from __future__ import annotations

import gzip
import hashlib

import pytest

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract import jsonl
from airflow_provider_nexus.extract.jsonl import JsonLinesWriter


def rows(count: int, start: int = 0) -> list[Row]:
    return [Row("", str(n), b'{"n":%d,"x":1.10,"text":"\\u00e9\xc3\xa9"}' % n) for n in range(start, start + count)]


def contents(writer: JsonLinesWriter) -> list[bytes]:
    return [gzip.decompress(part.spool.read()) for part in writer.parts()]


def test_lines_are_the_bytes_that_came() -> None:
    writer = JsonLinesWriter()
    writer.write(rows(3))
    assert contents(writer) == [b"".join(row.raw + b"\n" for row in rows(3))]


def test_size_and_hash_are_those_of_the_file() -> None:
    writer = JsonLinesWriter()
    writer.write(rows(5))
    (part,) = writer.parts()
    data = part.spool.read()
    assert (part.name, part.records, part.size, part.sha256) == (
        "part-00000.jsonl.gz",
        5,
        len(data),
        hashlib.sha256(data).hexdigest(),
    )


@pytest.mark.parametrize("batches", [[10], [3, 3, 4], [1] * 10])
def test_parts_are_bounded_and_do_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch, batches: list[int]) -> None:
    monkeypatch.setattr(jsonl, "PART_RECORDS", 4)
    writer, start = JsonLinesWriter(), 0
    for size in batches:
        writer.write(rows(size, start))
        start += size
    assert [part.records for part in writer.parts()] == [4, 4, 2]
    assert [part.name for part in writer.parts()] == [f"part-0000{n}.jsonl.gz" for n in range(3)]
    assert b"".join(contents(writer)) == b"".join(row.raw + b"\n" for row in rows(10))


def test_the_same_rows_give_the_same_bytes() -> None:
    hashes = set()
    for _ in range(2):
        writer = JsonLinesWriter()
        writer.write(rows(100))
        hashes.add(writer.parts()[0].sha256)
    assert len(hashes) == 1


def test_an_empty_window_is_an_empty_part() -> None:
    assert contents(JsonLinesWriter()) == [b""]
