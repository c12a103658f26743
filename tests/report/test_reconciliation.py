"""The page of a reconciliation shows what differs and why, every number exact on hover, and no customer."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from airflow_provider_nexus.reconcile.judge import Explanation, Line, Outcome
from airflow_provider_nexus.reconcile.reconciled import BALANCES, CUSTOMERS, PROOF, RESERVES, Reconciled
from airflow_provider_nexus.report.reconciliation import write_reconciliation

START, MOMENT = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>'


def line(book: str, place: str, stated: str, moved: str = "1", **members: object) -> Line:
    made = Line(book=book, place=place, code="BTC", opening=Decimal(0), moved=Decimal(moved), stated=Decimal(stated))
    return replace(made, **members)  # type: ignore[arg-type]


def found(*lines: Line) -> Reconciled:
    return Reconciled(
        environment="test",
        base_url="https://api.test.casp.quantoznexus.com",
        start=START,
        moment=MOMENT,
        lines=lines,
        notes=(),
        copies={"transactions": "s3://bucket/nexus"},
        calls=12,
    )


class Shown(HTMLParser):
    """The text of a page, and the tags in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.tags, self.values = list[str](), list[str](), list[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "data":
            self.values.append(dict(attrs)["value"] or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_all_that_agrees_is_one_sentence() -> None:
    shown = Shown(write_reconciliation(found(line(BALANCES, "all customers", "1"), line(PROOF, "all places", "1"))))
    assert "All 2 places agree" in shown.text
    assert "To look into" not in shown.text


def test_a_difference_is_shown_with_its_records_and_every_digit() -> None:
    exact = "1.000000000000000000000000123"
    why = (Explanation("ORD-1", Decimal("0.5"), "its fee is the difference: Nexus has it twice"),)
    wrong = line(RESERVES, "Exchange KRAKEN", exact, outcome=Outcome.DIFFERS, explanations=why)
    shown = Shown(write_reconciliation(found(wrong, line(BALANCES, "all customers", "1"))))
    assert "1 of 2 places differs" in shown.text
    assert "ORD-1 of 0.50" in shown.text
    assert "its fee is the difference" in shown.text
    assert {exact, "0.000000000000000000000000123"} <= set(shown.values)


@pytest.mark.parametrize("outcome", [Outcome.DIFFERS, Outcome.TIMING, Outcome.AGREES])
def test_no_customer_is_named(outcome: Outcome) -> None:
    shown = Shown(write_reconciliation(found(line(CUSTOMERS, "NL20NEXS0000000011", "2", outcome=outcome))))
    assert "NL20NEXS0000000011" not in shown.text
    assert "Balances of customers" in shown.text


def test_what_nexus_calls_things_is_no_markup() -> None:
    why = (Explanation(HOSTILE, Decimal(1), HOSTILE),)
    wrong = line(RESERVES, HOSTILE, "2", outcome=Outcome.DIFFERS, explanations=why, code=HOSTILE)
    shown = Shown(write_reconciliation(found(wrong)))
    assert "script" not in shown.tags
    assert HOSTILE in shown.text


def test_a_page_of_very_many_places_ends() -> None:
    lines = [line(RESERVES, f"Exchange {number}", "2", outcome=Outcome.DIFFERS) for number in range(5000)]
    assert len(write_reconciliation(found(*lines))) < 500_000


def test_the_same_is_the_same_page() -> None:
    some = found(line(BALANCES, "all customers", "1"))
    assert write_reconciliation(some, made_at=MOMENT) == write_reconciliation(some, made_at=MOMENT)
