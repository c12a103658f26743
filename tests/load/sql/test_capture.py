from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Copy, TableRow
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.capture import CaptureJob
from airflow_provider_nexus.sync.watermark import CopyWatermark, Watermark
from tests.load.sql.databases import Databases
from tests.load.sql.loading import copy_of, stored
from tests.repeated import times
from tests.sync.capturing import DAY, Capture, living

pytestmark = pytest.mark.databases
DAYS = times(15, 75)


def into_table(sandbox: Sandbox, engine: Engine, resource: str, **options: Any) -> Capture:
    def place() -> tuple[Copy, Watermark]:
        copy = copy_of(engine, resource)
        return copy, CopyWatermark(copy)

    return Capture(sandbox, resource, place, lambda: held_in(engine, resource), **options)


def held_in(engine: Engine, resource: str) -> dict[str, TableRow]:
    width = len(Table(get_resource(resource)).columns)
    return {row[0]: row[:width] for row in stored(engine, copy_of(engine, resource))}


@pytest.mark.slow
@pytest.mark.long
def test_a_table_equals_the_truth_at_the_end_of_every_day(databases: Databases, tmp_path: Path) -> None:
    engine = sa.create_engine(databases.url("postgresql+psycopg2", tmp_path))
    with living(per_day=20, other_shapes=("transaction_sort",)) as sandbox:
        capture = into_table(sandbox, engine, "broker_transactions")
        for day in range(DAYS):
            sandbox.advance(DAY if day else 0)
            capture.run()
            assert capture.wrong() == [], day
        assert sandbox.records_served < 5 * len(capture.truth())
    engine.dispose()


def test_a_run_that_broke_off_between_its_loads_is_made_good(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its window is in the table, so the next run goes on from there; what ended in the window is in the table too."""
    with living(per_day=40) as sandbox:
        capture = into_table(sandbox, engine, "orders", rereads=0)
        for _ in range(3):
            capture.run()
            sandbox.advance(DAY)
        with monkeypatch.context() as patched:
            patched.setattr(CaptureJob, "_read_unsettled", break_off)
            with pytest.raises(OSError):
                capture.run()
        finished = [kept for kept in feeds(engine) if kept[0] == "finished"]
        created = [kept for kept in feeds(engine) if kept[0] == "created"]
        assert finished[-1][1:] == created[-1][1:]
        sandbox.advance(DAY)
        capture.run()
        assert [kept[0] for kept in feeds(engine)].count("created") == 5


def break_off(*_: Any) -> None:
    raise OSError("the network is gone")


def feeds(engine: Engine) -> list[tuple[Any, ...]]:
    query = "SELECT feed, window_start, window_end FROM nexus_manifest ORDER BY number"
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]
