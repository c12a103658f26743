"""The page of a reconciliation: what differs, what was a matter of timing, and all places that were compared; no customers."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from airflow_provider_nexus.reconcile.judge import Line, Outcome
from airflow_provider_nexus.reconcile.reconciled import BALANCES, CUSTOMERS, HOT, PROOF, RESERVES, Reconciled
from airflow_provider_nexus.report.page import filled

_TITLES = {
    BALANCES: "Custodian balances",
    CUSTOMERS: "Balances of customers",
    HOT: "Hot wallet",
    RESERVES: "Reserves",
    PROOF: "Proof of reserves",
}
_WORDS = {each: str(each) for each in Outcome} | {Outcome.TOLERATED: "within the tolerance"}
_MOST_LINES = 200
"""Lines of one table; the results have all."""


def write_reconciliation(found: Reconciled, *, made_at: datetime | None = None) -> str:
    """The page: HTML that loads nothing else, and names no customer; ``made_at`` is now by default."""
    books = [_book(name, list(lines)) for name, lines in groupby(found.lines, lambda line: line.book)]
    return filled(
        "reconciliation.html",
        ["report.css"],
        found=found,
        books=books,
        differing=[line for line in found.lines if line.outcome is Outcome.DIFFERS],
        all_agree=all(line.outcome is Outcome.AGREES for line in found.lines),
        timing=[line for line in found.lines if line.outcome is Outcome.TIMING],
        most=_MOST_LINES,
        place_of=_place_of,
        titles=_TITLES,
        outcomes=_WORDS,
        now=made_at or datetime.now(UTC),
    )


def _book(name: str, lines: list[Line]) -> dict[str, Any]:
    counts = {outcome: sum(line.outcome is outcome for line in lines) for outcome in Outcome}
    return {
        "name": name,
        "title": _TITLES[name],
        "lines": [] if name == CUSTOMERS else lines[:_MOST_LINES],
        "compared": len(lines),
        "counts": {outcome: number for outcome, number in counts.items() if number},
    }


def _place_of(line: Line) -> str:
    """The place of a line; codes of customers are personal data."""
    return "a customer" if line.book == CUSTOMERS else line.place
