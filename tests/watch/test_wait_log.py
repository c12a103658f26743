"""What a person reads in the log of a task that waits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.watch.statuses import SeenStatus, WaitLog, goal_of

LOOKED, UNTIL = datetime(2026, 11, 27, 23, 46, 51, tzinfo=UTC), datetime(2026, 12, 4, tzinfo=UTC)


def wait_log(resource: str, codes: Sequence[str], targets: str | Sequence[str] = ()) -> WaitLog:
    return WaitLog(resource, goal_of(get_resource(resource), targets), codes, logging.getLogger("waits"))


def test_one_record(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    log = wait_log("orders", ["O1"])
    log.log({}, LOOKED, UNTIL)
    log.log({"O1": SeenStatus("Open")}, LOOKED, UNTIL)
    log.log({"O1": SeenStatus("Open")}, LOOKED, UNTIL)
    log.log({"O1": SeenStatus("Open")}, UNTIL, None, again=True)
    log.log({"O1": SeenStatus("FILLED")}, LOOKED, UNTIL, again=True)
    assert caplog.messages == [
        "waiting for O1: not seen yet, to be FILLED until 2026-12-04 00:00 UTC",
        "waiting for O1: Open at 23:46, to be FILLED until 2026-12-04 00:00 UTC",
        "waiting for O1: Open at 00:00, to be FILLED",
    ]


def test_many_records(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    codes = [f"T{number}" for number in range(6)]
    seen = {code: SeenStatus("Initiated") for code in codes} | {"T0": SeenStatus("COMPLETED"), "T1": SeenStatus("ToPayout")}
    wait_log("transactions", codes, ["completed", "BLOCKED"]).log(seen, LOOKED, UNTIL)
    (line,) = caplog.messages
    assert line == (
        "waiting for 5 of 6 transactions: 4 Initiated, 1 ToPayout at 23:46, to be completed or BLOCKED "
        "until 2026-12-04 00:00 UTC (T1, T2, T3 and 2 more)"
    )
