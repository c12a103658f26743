from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pendulum
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.api import resources as catalogue
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError, NexusStorageError
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.extract.totals import totals_of
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.copy import Reject, TableRow
from airflow_provider_nexus.sandbox import Sandbox
from tests.extract.serving import sandbox_and_client
from tests.load.parquet.rowing import rows_of as all_rows_of
from tests.load.sql.loading import END, START, copy_of, dump, later, load, rows_of, sealed, small, stored, transaction, truth

pytestmark = pytest.mark.databases
WINDOW = Window(START, END)
RESOURCES = ("transactions", "broker_transactions", "customers", "orders", "transfers", "hot_wallet_mutations", "balances")


class StopError(Exception):
    pass


@pytest.mark.parametrize("output", ["current", "history"])
@pytest.mark.parametrize("resource", RESOURCES)
def test_every_value_comes_back_as_it_was(engine: Engine, resource: str, output: Any) -> None:
    rows = rows_of(truth(resource), resource)
    copy = copy_of(engine, resource, output=output)
    assert rows
    assert load(copy, rows).inserted == len(rows)
    back = {row[0]: row[: len(rows[0])] for row in stored(engine, copy)}
    assert back == {row[0]: row for row in rows}
    assert all(str(back[row[0]]) == str(row) for row in rows), "digits and kinds, too"
    assert copy.check().problems == ()


@cache
def rows_of_the_others() -> dict[str, list[TableRow]]:
    with Sandbox(transactions=40, customers=14, days=2, clock_speed=0, amounts="awkward") as sandbox:
        return {name: all_rows_of(sandbox, name) for name in sorted(set(catalogue.RESOURCES) - set(RESOURCES))}


def test_every_other_resource_has_a_place(engine: Engine) -> None:
    for name, rows in rows_of_the_others().items():
        copy = copy_of(engine, name, name=f"copy_{name}")
        assert load(copy, rows).inserted == len(rows) > 0, name
        back = {row[0]: row[: len(rows[0])] for row in stored(engine, copy)}
        assert back == {row[0]: row for row in rows}, name
        assert all(str(back[row[0]]) == str(row) for row in rows), name
        assert copy.check().problems == (), name


def test_odd_values_come_back_too(engine: Engine) -> None:
    odd = [
        transaction("a", comment="x" * 70_000),
        transaction("A"),
        transaction("a "),
        transaction("\U0001f600 ü\\%'\""),
        transaction("min", confirmed="0001-01-01T00:00:00Z"),
        transaction("max", confirmed="9999-12-31T23:59:59.999999Z", created="1969-12-31T23:59:59.5+05:30"),
    ]
    rows, copy = rows_of(odd), copy_of(engine)
    load(copy, rows)
    assert {row[0]: row for row in stored(engine, copy)} == {row[0]: row for row in rows}
    assert copy.check().problems == ()


@pytest.mark.parametrize("output", ["current", "history"])
def test_a_rerun_changes_nothing(engine: Engine, output: Any) -> None:
    copy = copy_of(engine, output=output)
    first = load(copy, rows_of(truth("transactions")), ALL_TIME)
    tables = ("nexus_copy", "nexus_table", "nexus_manifest")
    before = [dump(engine, name) for name in tables]
    again = load(copy, rows_of(truth("transactions"), read_at=later(5)), ALL_TIME)
    assert (first.changed, again.changed, again.sha256) == (True, False, first.sha256)
    assert [dump(engine, name) for name in tables] == before


def test_new_versions_replace_old_ones(engine: Engine) -> None:
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated"), ("T2", "Initiated")))
    applied = load(copy, small(("T1", "Completed"), ("T2", "Initiated"), ("T3", "Initiated"), read_at=later(1)))
    assert (applied.inserted, applied.updated, applied.deleted) == (1, 1, 0)
    assert [(row[0], row[1]) for row in stored(engine, copy)] == [("T1", later(1)), ("T2", later(0)), ("T3", later(1))]


@pytest.mark.parametrize("output", ["current", "history"])
def test_an_older_reading_replaces_nothing(engine: Engine, output: Any) -> None:
    copy = copy_of(engine, output=output)
    load(copy, small(("T1", "Completed"), ("T2", "Completed"), read_at=later(2)))
    before = dump(engine)
    load(copy, small(("T1", "Initiated"), read_at=later(1)), WINDOW)
    assert dump(engine) == before
    assert copy.check().problems == ()


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_what_is_gone_from_a_window_is_taken_away(engine: Engine, batch: int) -> None:
    copy = copy_of(engine, batch=batch)
    outside = rows_of(
        [transaction("T9", created="2026-01-02T00:00:00Z"), transaction("T8", created="2025-12-31T23:59:59.999999Z")]
    )
    load(copy, [*small(("T1", "Initiated"), ("T2", "Initiated"), ("T3", "Initiated")), *outside])
    reject = Reject("T3", "status", "text", "{}")
    rows = small(("T2", "Completed"), read_at=later(1))
    applied = load(copy, rows, WINDOW, rejects=(reject,))
    assert (applied.inserted, applied.updated, applied.deleted) == (0, 1, 1)
    assert [row[0] for row in stored(engine, copy)] == ["T2", "T3", "T8", "T9"]
    assert load(copy, [], ALL_TIME, label="all", read_at=later(2)).deleted == 4
    assert copy.check().problems == ()


def test_a_history_keeps_every_version(engine: Engine) -> None:
    copy = copy_of(engine, output="history")
    steps: list[tuple[list[TableRow], Window | None]] = [
        (small(("T1", "Initiated"), ("T2", "Initiated")), WINDOW),
        (small(("T1", "Completed"), read_at=later(1)), WINDOW),
        (small(("T1", "Completed"), read_at=later(2)), WINDOW),
        (small(("T1", "Initiated"), ("T2", "Initiated"), read_at=later(3)), WINDOW),
    ]
    applied = [load(copy, rows, scope, label=str(number)) for number, (rows, scope) in enumerate(steps)]
    assert [(each.inserted, each.updated, each.deleted) for each in applied] == [(2, 0, 0), (0, 1, 1), (0, 0, 0), (1, 1, 0)]
    status = copy.model.names.index("status")
    seen = [(row[0], row[status], row[-2], row[-1]) for row in sorted(stored(engine, copy), key=lambda row: (row[0], row[-2]))]
    assert seen[:3] == [("T1", "Initiated", 1, False), ("T1", "Completed", 2, False), ("T1", "Initiated", 4, False)]
    assert seen[3:] == [("T2", "Initiated", 1, False), ("T2", None, 2, True), ("T2", "Initiated", 4, False)]
    assert copy.check().problems == ()
    assert copy.unsettled() == dict.fromkeys(("T1", "T2"), Open(datetime(2026, 1, 1, 1, tzinfo=UTC), "Initiated"))


def test_the_newest_version_counts_in_whatever_order_the_rows_lie(engine: Engine) -> None:
    copy = copy_of(engine, output="history")
    load(copy, small(("T1", "Initiated")))
    load(copy, small(("T1", "Completed"), read_at=later(1)))
    with engine.begin() as connection:
        # PostgreSQL puts a row that was written anew behind all others, and reads a small table as it lies.
        connection.execute(sa.text("UPDATE nexus_copy SET _read_by = 'x' WHERE _load = 1"))
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("ANALYZE nexus_copy"))
    assert load(copy, small(("T1", "Initiated"), read_at=later(2))).updated == 1
    assert load(copy, small(("T1", "Initiated"), read_at=later(3)), label="other").updated == 0


def test_a_record_that_changed_back_is_brought_although_the_window_reads_as_before(engine: Engine) -> None:
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated")))
    load(copy, small(("T1", "Completed"), read_at=later(1)), label="open", feed="open")
    assert load(copy, small(("T1", "Initiated"), read_at=later(2))).updated == 1


@pytest.mark.parametrize("output", ["current", "history"])
def test_totals_are_those_of_nexus(engine: Engine, output: Any) -> None:
    with sandbox_and_client(transactions=500) as (sandbox, client):
        copy = copy_of(engine, "broker_transactions", output=output)
        fields = copy.model.source.resource.totals_fields
        load(copy, rows_of(sandbox.truth("broker_transactions"), "broker_transactions"))
        answer = client.run("GET", "/transaction/totals")["totals"]
        ends = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        assert copy.totals(*ends).cut(None).same_as(totals_of(answer, fields))
        assert not copy.totals(ends[0], ends[0]).counts


def test_windows_are_known_with_their_last_reading(engine: Engine) -> None:
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated")), label="a")
    load(copy, [], label="b", window=Window(END, END + timedelta(days=1)), read_at=later(1))
    load(copy, small(("T1", "Completed"), read_at=later(2)), label="a2", feed="reread")
    load(copy, [], label="c", feed="open", window=None, read_at=later(3))
    assert [(each.start, each.end, read_at) for each, read_at in copy.windows()] == [
        (END, END + timedelta(days=1), later(1)),
        (START, END, later(2)),
    ]


def test_unknown_statuses_are_not_settled(engine: Engine) -> None:
    copy = copy_of(engine)
    load(copy, small(("T1", " COMPLETED "), ("T2", "initiated"), ("T3", "Brandnew"), ("T4", "")))
    assert sorted(copy.unsettled()) == ["T2", "T3", "T4"]


def test_rejects_are_kept_until_the_label_is_read_again(engine: Engine) -> None:
    copy = copy_of(engine)
    rejects = tuple(Reject(f"R{number}", "fees.x", "a number", '{"x": "y"}') for number in range(40))
    load(copy, small(("T1", "Initiated")), rejects=rejects)
    load(copy, small(("T2", "Initiated")), rejects=rejects[:1], label="other")
    assert len(dump(engine, "nexus_rejected")) == 41
    load(copy, small(("T1", "Completed"), read_at=later(1)), rejects=rejects[:2])
    assert len(dump(engine, "nexus_rejected")) == 3


def test_moments_of_pendulum_are_taken(engine: Engine) -> None:
    copy, zone = copy_of(engine), pendulum.timezone("Europe/Amsterdam")
    start, end = (pendulum.instance(value).in_timezone(zone) for value in (START, END))
    load(copy, small(("T1", "Initiated")), read_at=pendulum.instance(later(1)), window=Window(start, end))
    assert copy.windows() == [(Window(START, END), later(1))]
    assert copy.check().problems == ()


def test_a_table_in_another_schema(url: str, engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no schemas")
    schema = f"s{uuid.uuid4().hex[:12]}"
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    copy = copy_of(engine, name=f"{schema}.nexus_copy")
    load(copy, small(("T1", "Initiated"), ("T2", "Initiated")), ALL_TIME)
    assert load(copy, small(("T1", "Completed"), read_at=later(1)), ALL_TIME).deleted == 1
    assert [row[0] for row in dump(engine, f"{schema}.nexus_copy")] == ["T1"]
    assert copy.check().problems == ()
    assert not sa.inspect(engine).get_table_names()


def test_what_was_staged_goes_with_its_load(engine: Engine) -> None:
    copy = copy_of(engine)
    copy.prepare()

    def seal() -> Any:
        raise StopError

    for rows in (small(("T1", "Initiated")), small(("T1", "Initiated"), ("T1", "Initiated"))):
        with pytest.raises((StopError, NexusStorageError)):
            copy.apply([rows], None, seal)
    load(copy, small(("T1", "Initiated")))
    if engine.dialect.name == "mysql":
        # MySQL tells of no temporary tables.
        return
    with engine.connect() as connection:
        assert sa.inspect(connection).get_temp_table_names() == []


@pytest.mark.parametrize("error", [StopError(), NexusError("no")])
def test_what_sealing_raises_leaves_no_trace(engine: Engine, error: Exception) -> None:
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated")))
    before = [dump(engine, name) for name in ("nexus_copy", "nexus_table", "nexus_manifest")]

    def seal() -> Any:
        raise error

    with pytest.raises(type(error)):
        copy.apply([small(("T2", "Initiated"))], WINDOW, seal)
    assert [dump(engine, name) for name in ("nexus_copy", "nexus_table", "nexus_manifest")] == before


def test_errors_name_the_table_and_no_values(engine: Engine) -> None:
    copy = copy_of(engine)
    with pytest.raises(NexusStorageError, match="could not load table nexus_copy") as caught:
        load(copy, small(("SECRET", "Initiated"), ("SECRET", "Completed")))
    assert "SECRET" not in str(caught.value)
    assert dump(engine) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"environment": "production"}, "environment 'test', not 'production'"),
        ({"base_url": "https://x"}, "base url 'https://testapi.quantoznexus.com', not 'https://x'"),
        ({"output": "history"}, "output 'current', not 'history'"),
        ({"resource": "orders"}, "resource 'transactions', not 'orders'"),
    ],
)
def test_a_table_of_something_else_is_refused(engine: Engine, options: dict[str, Any], said: str) -> None:
    load(copy_of(engine), small(("T1", "Initiated")))
    other = copy_of(engine, **options)
    with pytest.raises(NexusError, match=said):
        other.apply([], None, lambda: sealed([]))


NAMES = [
    "",
    " ",
    "None",
    "a.b.c",
    "a.b.c.d",
    ".a",
    "a.",
    "1a",
    "a-b",
    'a"b',
    " a",
    "a\n",
    "\u00e9",
    "nexus_table",
    "x" * 64,
    7,
    None,
]


@pytest.mark.parametrize("name", [*NAMES, ["a"], "main.nexus_MANIFEST"])
def test_bad_names_are_refused(name: Any) -> None:
    with pytest.raises(NexusConfigurationError, match="table is "):
        copy_of(sa.create_engine("sqlite://"), name=name)
