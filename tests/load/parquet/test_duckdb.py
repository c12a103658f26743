"""What anybody reads with SQL adds up to what Nexus says, to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.extract.totals import EXACT, Totals, group_of, totals_of
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.parquet.writer import ParquetWriter
from airflow_provider_nexus.sandbox import Sandbox
from tests.extract.serving import sandbox_and_client
from tests.load.parquet.rowing import rows_of, saved

BROKER = get_resource("broker_transactions")


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Sandbox, NexusClient]]:
    with sandbox_and_client(transactions=7_500, customers=100, days=30, lives="long") as both:
        yield both


def written(sandbox: Sandbox, resource: str, folder: Path) -> str:
    """The files of a resource as DuckDB wants them named."""
    writer = ParquetWriter(Table(get_resource(resource)), {}, 1_000)
    writer.write(rows_of(sandbox, resource))
    saved(writer, folder)
    return f"read_parquet('{folder}/*.parquet')"


def query(sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as database:
        return database.execute(sql).fetchall()


def test_counts_and_sums_are_those_of_the_totals(served: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, client = served
    source, table = written(sandbox, "broker_transactions", tmp_path), Table(BROKER)
    amounts = {path: table.by_path[path].name for path in BROKER.totals_fields.values()}
    sums = ", ".join(f"sum({name})" for name in amounts.values())
    totals = Totals()
    for status, currency, count, *found in query(
        f"select upper(status), currency_code, count(*), {sums} from {source} group by all"
    ):
        assert all(value is None or type(value) is Decimal for value in found)
        totals.add(group_of(status, currency, None), count, dict(zip(amounts, found, strict=True)))
    answer = client.run("GET", BROKER.totals_path)["totals"]
    wanted = totals_of(answer, BROKER.totals_fields)
    assert sum(totals.counts.values()) == 3_000
    assert totals.dump()
    assert len(wanted.counts) > 5
    assert totals.same_as(wanted)


def test_all_amounts_add_up_to_those_of_the_rows(served: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, _ = served
    columns = Table(BROKER).columns
    money = {column.name: number for number, column in enumerate(columns) if column.kind == "money"}
    source, rows = written(sandbox, "broker_transactions", tmp_path), rows_of(sandbox, "broker_transactions")
    (found,) = query(f"select {', '.join(f'sum({name})' for name in money)} from {source}")
    wanted = tuple(reduce(EXACT.add, (row[number] or Decimal(0) for row in rows)) for number in money.values())
    assert found == wanted
    assert len(money) > 10


def test_values_of_objects_are_columns(served: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, _ = served
    rows = rows_of(sandbox, "transactions")
    place = [column.name for column in Table(get_resource("transactions")).columns].index("requested_amounts_crypto_amount")
    source = written(sandbox, "transactions", tmp_path)
    found = query(f"select _key, requested_amounts_crypto_amount from {source} order by _key")
    assert found == sorted((row[0], row[place]) for row in rows)


def test_columns_have_the_types_of_sql(served: tuple[Sandbox, NexusClient], tmp_path: Path) -> None:
    sandbox, _ = served
    source = written(sandbox, "transactions", tmp_path)
    kinds = {name: kind for name, kind, *_ in query(f"describe select * from {source}")}
    assert kinds["created"] == "TIMESTAMP WITH TIME ZONE"
    assert kinds["fees_partner_fee_fiat"] == "DECIMAL(38,20)"
    assert list(kinds) == [column.name for column in Table(get_resource("transactions")).columns]
