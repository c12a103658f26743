"""What the interpreter executes for a record does not grow unnoticed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.work import FIGURES

HEAVIER = 1.2
"""Pythons differ by less from one another, and a run from the next by a thousandth."""


@pytest.mark.slow
def test_a_record_takes_no_more_work_than_it_did() -> None:
    command = [sys.executable, "-m", "benchmarks.work"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, cwd=FIGURES.parents[1])
    now, known = json.loads(done.stdout), json.loads(FIGURES.read_text())
    assert now.keys() == known.keys()
    heavier = [
        f"{way}: {now[way][what]:,.0f} {what} a record, {known[way][what]:,.0f} before"
        for way in known
        for what in known[way]
        if now[way][what] > known[way][what] * HEAVIER
    ]
    assert not heavier, (
        f"a record takes a fifth more of Python's work than it did: {'; '.join(heavier)}. A sync spends its time there, once for "
        "each of millions of records: look for what is new by record or page, and do it once, or for many at a time. If it "
        "is worth its cost, run `.venv/bin/python -m benchmarks.work --renew` to store the new figures, and commit the reason."
    )
