"""Rows of orders made by hand, and loads of them into a Delta table, in this process and in one of its own."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.extract.origin import label_of
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.account import TableAccount
from airflow_provider_nexus.load.columns import DIGESTED, Table
from airflow_provider_nexus.load.copy import Sealed, Stored, TableRow
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.rows import content_of
from airflow_provider_nexus.load.values import EXACT
from tests.load.manifests import manifest_of

TABLE = Table(get_resource("broker_transactions"))
NAMES = [column.name for column in TABLE.columns]
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def copy_in(folder: Path, **options: Any) -> DeltaCopy:
    """A copy that is there, or is made."""
    return DeltaCopy(folder, TABLE, environment="sandbox", base_url="http://127.0.0.1:1", **options)


def row(number: int, created: datetime, amount: Decimal, *, read_at: datetime, status: str = "BuyCompleted") -> TableRow:
    """One version of a record."""
    values = dict.fromkeys(NAMES)
    money = next(column for column in TABLE.columns if column.kind == "money")
    amount = EXACT.quantize(amount, Decimal(1).scaleb(-money.scale))
    values |= {TABLE.created: created, money.name: amount, TABLE.status: status}
    rest = [values[name] for name in NAMES[DIGESTED:]]
    return (f"K{number:07}", read_at, "created", content_of(rest), *rest)


def day(number: int, count: int, *, version: int = 0) -> list[TableRow]:
    """All records of a day."""
    chance = random.Random(number)
    read_at = START + 1000 * DAY + version * DAY
    found = []
    for place in range(count):
        created = START + number * DAY + timedelta(microseconds=chance.randrange(86_400_000_000))
        amount = Decimal(chance.randrange(1, 10**12) + version) / Decimal(10**8)
        found.append(row(number * 100_000 + place, created, amount, read_at=read_at))
    return sorted(found, key=lambda each: (each[NAMES.index(TABLE.created)], each[0]))


def sealed_of(
    rows: Iterable[TableRow], window: Window, read_at: datetime, *, feed: Any = "created", verdict: str = "proved"
) -> Sealed:
    """What a reading of these rows is sealed with."""
    account = TableAccount(TABLE)
    account.add(list(rows))
    named = {"start": f"{window.start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{window.end:%Y-%m-%dT%H:%M:%SZ}", "how": "arguments"}
    stamp = f"{read_at:%Y-%m-%dT%H:%M:%SZ}"
    read = manifest_of(resource="broker_transactions", feed=feed, read_at=stamp, window=named)
    manifest = msgspec.structs.replace(read, **account.counts)
    return Sealed(
        label=label_of(feed, window, read_at),
        feed=feed,
        read_at=read_at,
        window=window,
        verdict=verdict,
        records=account.records,
        content=account.contents.digest,
        manifest=manifest,
        account=account,
    )


def window_of(number: int) -> Window:
    """A day."""
    return Window(START + number * DAY, START + (number + 1) * DAY)


def load_day(folder: Path, number: int, rows: list[TableRow], **options: Any) -> Stored:
    """Load all records of a day."""
    window = window_of(number)
    read_at = max((each[1] for each in rows), default=START + 1000 * DAY)
    return copy_in(folder, **options).apply([rows], window, lambda: sealed_of(rows, window, read_at))


def load_some(folder: Path, rows: list[TableRow], **options: Any) -> Stored:
    """Load versions of records that are the whole of nothing, as what ended in a window is."""
    window, read_at = Window(START, START + 999 * DAY), max(each[1] for each in rows)
    return copy_in(folder, **options).apply([rows], None, lambda: sealed_of(rows, window, read_at, feed="finished"))


def held(folder: Path) -> dict[str, TableRow]:
    """The records of the table; fails where one is there twice, or what the books say is not so."""
    copy = copy_in(folder)
    rows = copy.current()
    assert len({each[0] for each in rows}) == len(rows), "a record is there twice"
    assert copy.check().problems == ()
    return {each[0]: each for each in rows}
