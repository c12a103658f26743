"""The report reads the books of each kind of database alike."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.load.copy import Reject
from airflow_provider_nexus.load.sql.bookkeeping import Bookkeeping
from airflow_provider_nexus.report.table import collection_of
from airflow_provider_nexus.verify.tables import open_table
from tests.load.sql.loading import END, START, TABLE, copy_of, later, load, small

pytestmark = pytest.mark.databases
WINDOW = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}


def test_books_are_read_alike(engine: Engine) -> None:
    manifest = {"manifest_version": 1, "window": WINDOW, "proof": {"verdict": "proved"}}
    misfit = Reject("X", "requestedAmounts.fiatValue", "a number", "{}")
    for hours, codes in enumerate((("A",), ("A", "B"))):
        rows = small(*((code, "Initiated") for code in codes), read_at=later(hours))
        load(copy_of(engine), rows, manifest=manifest, rejects=(misfit,) * (hours + 1))
    found = collection_of(open_table(engine, TABLE))
    (entry,) = found.entries
    assert (entry.start, entry.end, entry.verdict, entry.flaws) == (START, END, "proved", [])
    assert (entry.rejected, entry.put_aside) == (2, {(misfit.field, misfit.reason): 2})
    assert (found.chain.links, found.chain.superseded, found.chain.broken) == (1, 1, [])
    assert found.unsettled == dict.fromkeys(("A", "B"), Open(START + timedelta(hours=1), "Initiated"))
    assert [each.anchor for each in found.manifests] == [f"{TABLE}-1", f"{TABLE}-2"]
    with engine.begin() as connection:
        books = Bookkeeping(connection, copy_of(engine).model).tables[1]
        connection.execute(books.update().where(books.c.number == 1).values(window_start=later(0)))
    assert len(collection_of(open_table(engine, TABLE)).chain.broken) == 1
