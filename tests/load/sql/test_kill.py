"""Loads that are killed before any of their statements, and loads that meet."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.copy import TableRow
from tests.load.sql.databases import count_statements
from tests.load.sql.loading import END, START, copy_of, dump, later, load, small
from tests.repeated import times

pytestmark = pytest.mark.databases
FORK = multiprocessing.get_context("fork")
BEFORE = small(("T1", "Initiated"), ("T2", "Initiated"), ("T3", "Initiated"))
AFTER = small(("T1", "Completed"), ("T3", "Initiated"), ("T4", "Initiated"), read_at=later(1))
TABLES = ("nexus_copy", "nexus_table", "nexus_manifest", "nexus_rejected")


def books(engine: Engine) -> list[Any]:
    return [dump(engine, name) for name in TABLES]


def made_beside(engine: Engine) -> tuple[list[str], list[str]]:
    """Indexes and views."""
    found = sa.inspect(engine)
    indexes = [
        (index["name"], index["column_names"], [str(each) for each in index.get("dialect_options", {}).values()])
        for index in found.get_indexes("nexus_copy")
    ]
    return sorted(map(str, indexes)), found.get_view_names()


def run(url: str, output: Any, rows: list[TableRow], kill_at: int = 0) -> None:
    """A load that kills itself before a statement; or none with 0. In a process of its own."""
    engine = sa.create_engine(url)
    copy, seen = copy_of(engine, output=output, batch=2), iter(range(1, sys.maxsize))

    def each(_statement: str) -> None:
        if next(seen) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    count_statements(engine, each)
    load(copy, rows, Window(START, END))


def apart(*arguments: Any) -> int | None:
    process = FORK.Process(target=run, args=arguments)
    process.start()
    process.join()
    return process.exitcode


@pytest.mark.parametrize("output", ["current", "history"])
def test_a_load_killed_before_any_statement_leaves_all_or_nothing(url: str, undisturbed: str, output: Any) -> None:
    engine, other = (sa.create_engine(each, poolclass=sa.pool.NullPool) for each in (url, undisturbed))
    first = times(2 if output == "history" else 1, 1)
    for each in (url, undisturbed):
        assert apart(each, output, BEFORE) == 0
    assert apart(undisturbed, output, AFTER) == 0
    start, end, number, seen = books(engine), books(other), first, []
    while apart(url, output, AFTER, number) == -signal.SIGKILL:
        seen.append(books(engine))
        number += times(3, 1)
    assert start != end
    assert number > 20
    assert seen == [start] * seen.count(start) + [end] * seen.count(end)
    assert books(engine) == end
    assert copy_of(engine, output=output).check().problems == ()


def test_a_first_load_killed_before_any_statement_is_made_good(url: str, undisturbed: str) -> None:
    engine, other = (sa.create_engine(each, poolclass=sa.pool.NullPool) for each in (url, undisturbed))
    assert apart(undisturbed, "current", BEFORE) == 0
    number = times(3, 1)
    while apart(url, "current", BEFORE, number) == -signal.SIGKILL:
        number += times(3, 1)
    assert number > 20
    assert books(engine) == books(other)
    assert made_beside(engine) == made_beside(other)
    assert all(made_beside(other))
    assert copy_of(engine).check().problems == ()


def many(url: str, worker: int, gate: Any) -> None:
    copy = copy_of(sa.create_engine(url), batch=7)
    gate.wait(600)
    for step in range(8):
        same = small(*((f"S{number:03}", f"Status {step}") for number in range(30)), read_at=later(step))
        own = small(*((f"W{worker}-{number:03}", f"Status {step}") for number in range(30)), read_at=later(step))
        load(copy, same, label="same")
        load(copy, own, label=f"own {worker}")


def test_loads_at_the_same_time_wait_for_each_other(url: str) -> None:
    gate = FORK.Barrier(3)
    workers = [FORK.Process(target=many, args=(url, number, gate)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    copy = copy_of(engine)
    assert len(dump(engine)) == 4 * 30
    with engine.connect() as connection:
        states = set(connection.execute(sa.select(copy.model.data.c.status)).scalars())
    assert states == {"Status 7"}
    assert copy.check().problems == ()
