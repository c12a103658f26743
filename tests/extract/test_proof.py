from __future__ import annotations

import pytest

from airflow_provider_nexus.extract.proof import Verdict, judge


@pytest.mark.parametrize(
    ("unique", "first", "last", "verdict"),
    [
        (10, 10, 10, Verdict.PROVED),
        (11, 10, 11, Verdict.PROVED),
        (0, 0, 0, Verdict.PROVED),
        (10, 10, 9, Verdict.PROVED_SHRUNK),
        (9, 10, 8, Verdict.PROVED_SHRUNK),
        (9, 10, 10, Verdict.UNPROVED),
        (11, 10, 10, Verdict.UNPROVED),
        (10, 9, 11, Verdict.UNPROVED),
        (10, None, 11, Verdict.UNPROVED),
        (10, 10, None, Verdict.UNPROVED),
    ],
)
def test_judge(unique: int, first: int | None, last: int | None, verdict: Verdict) -> None:
    assert judge(unique, first, last) is verdict
