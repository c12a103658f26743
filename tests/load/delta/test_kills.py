"""Loads that are killed, and two of them at once: the table is always that of a whole number of loads, and its books say so."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.load.copy import TableRow
from tests.load.delta.writing import DAY, START, copy_in, day, held, load_day, load_some
from tests.repeated import times

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.load.delta.writing", "deltalake", "pyarrow.parquet", "pyarrow.compute"])
DAYS, RECORDS = 4, 30
KILLS = PAIRS = times(25, 100)
FILES = 12
"""Files after which a load is killed at most: each load puts some five, its commit last."""


def files_in(folder: Path) -> set[str]:
    """All that is there, what is being written too."""
    return {str(path) for path in folder.rglob("*")}


def load_for_ever(folder: str, begun: Any) -> None:
    """Loads of a few days, each in another version, one after the other, from where the table stands."""
    begun.set()
    while True:
        number = copy_in(Path(folder)).books().number
        load_day(Path(folder), number % DAYS, rows_of(number))


def rows_of(number: int) -> list[TableRow]:
    """What a load brings: some records more than the one before it of that day, or some fewer, each in another version."""
    return day(number % DAYS, RECORDS, version=number)[: RECORDS - number % 7]


def expected(loads: int) -> dict[str, TableRow]:
    """The table after so many of them."""
    last = {number % DAYS: number for number in range(loads)}
    return {row[0]: row for number in last.values() for row in rows_of(number)}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_load_that_is_killed_leaves_the_table_before_it_or_after_it(tmp_path: Path) -> None:
    chance, cut, loads = random.Random(17), 0, 0
    load_day(tmp_path, 0, rows_of(0))
    for _ in range(KILLS):
        begun = FORKS.Event()
        process = FORKS.Process(target=load_for_ever, args=(str(tmp_path), begun))
        process.start()
        assert begun.wait(60)
        seen = files_in(tmp_path)
        wanted = chance.randrange(FILES)
        while len(files_in(tmp_path) - seen) < wanted:
            time.sleep(chance.random() * 0.01)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join(20)
        loads = copy_in(tmp_path).books().number
        assert held(tmp_path) == expected(loads)
        cut += len(list((tmp_path / "_nexus" / "books").iterdir())) > loads
    assert loads > KILLS / 4, "they did get through now and then"
    assert cut, "some were killed between their files and their commit"


def load_beside(folder: str, which: int, together: Any, told: Any) -> None:
    """One of two: all records of a day, or a newer version of half of them with some of the next day."""
    try:
        for number in range(PAIRS):
            together.wait(60)
            if which:
                load_day(Path(folder), number, day(number, RECORDS, version=number))
            else:
                load_some(Path(folder), newer(number))
        told.put("")
    except BaseException as error:  # noqa: BLE001 - the test shows it
        told.put(repr(error))
        together.abort()


def newer(number: int) -> list[TableRow]:
    """A newer version of half of a day's records, and others that the day has not."""
    ours = day(number, RECORDS, version=number + 1)[: RECORDS // 2]
    strange = [(f"S{number:06}{row[0]}", *row[1:]) for row in day(number + 500, 3, version=number)]
    return [*ours, *strange]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_writers_at_once_lose_nothing_and_store_nothing_twice(tmp_path: Path) -> None:
    together, told = FORKS.Barrier(2), FORKS.Queue()
    both = [FORKS.Process(target=load_beside, args=(str(tmp_path), which, together, told)) for which in range(2)]
    for process in both:
        process.start()
    assert [told.get(timeout=800) for _ in both] == ["", ""]
    for process in both:
        process.join(20)
    wanted = {row[0]: row for number in range(PAIRS) for row in day(number, RECORDS, version=number)}
    wanted |= {row[0]: row for number in range(PAIRS) for row in newer(number)}
    assert held(tmp_path) == wanted
    copy = copy_in(tmp_path)
    assert copy.books().number == 2 * PAIRS
    assert len(copy.windows()) == PAIRS
    outrun = len(list((tmp_path / "_nexus" / "books").iterdir())) - 2 * PAIRS
    assert outrun > PAIRS / 10, "they did meet"
    assert copy.windows()[0][0].end == START + DAY
