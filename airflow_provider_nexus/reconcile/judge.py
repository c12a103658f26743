"""Judgement of a place: what Nexus states against what records add up to, and the records that could explain a difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum
from itertools import combinations
from typing import Any

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.extract.totals import EXACT
from airflow_provider_nexus.reconcile.movements import Movement
from airflow_provider_nexus.reconcile.request import Tolerance
from airflow_provider_nexus.reconcile.statement import Place

_NEAREST, _AT_MOST, _FEW, _ALL = 40, 3, 12, 500
"""Nearest movements of which some are tried together, how many together, the nearest of which any are, and of which all are."""
_SHOWN = 10


def digits(value: Decimal, sign: str = "") -> str:
    """A number with all its digits, without zeros at its end; with the sign ``+`` that of a number above zero too."""
    text = f"{value:{sign}f}" if value else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Outcome(StrEnum):
    """The outcome for one place."""

    AGREES = "agrees"
    TOLERATED = "tolerated"
    """There is a difference, and it is within the tolerance."""
    TIMING = "timing"
    """There was a difference at the moment, as records took effect around it. By now Nexus agrees with itself."""
    DIFFERS = "differs"


@dataclass(frozen=True)
class Explanation:
    """A record that could explain a difference, by its code: what it moved, and why, in words."""

    record: str
    amount: Decimal
    why: str

    def dump(self) -> dict[str, str]:
        """As JSON has it."""
        return {"record": self.record, "amount": digits(self.amount), "why": self.why}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One place of one book.

    :param book: ``balances``, ``customer balances``, ``hot wallet``, ``reserves`` or ``proof of reserves``
    :param place: where, such as ``Exchange KRAKEN``; of a customer its code, which is personal data
    :param code: currency or crypto
    :param opening: what Nexus stated at the start
    :param moved: what the records moved since
    :param stated: what Nexus states at the moment
    :param explanations: records that could explain the difference
    """

    book: str
    place: str
    code: str
    opening: Decimal
    moved: Decimal
    stated: Decimal
    outcome: Outcome = Outcome.AGREES
    explanations: tuple[Explanation, ...] = ()

    @property
    def at(self) -> Place:
        """Its place and code."""
        return self.place, self.code

    @property
    def expected(self) -> Decimal:
        """What it should be by the records."""
        return EXACT.add(self.opening, self.moved)

    @property
    def difference(self) -> Decimal:
        """How much more Nexus states. Of a proof of reserves, how much more there is than is owed."""
        return EXACT.subtract(self.stated, self.expected)

    def judged(self, tolerance: Tolerance) -> Line:
        """With the outcome that the numbers alone have."""
        if not self.difference:
            return self
        tolerated = self.difference.copy_abs() <= tolerance.of(self.code)
        return replace(self, outcome=Outcome.TOLERATED if tolerated else Outcome.DIFFERS)

    @property
    def see(self) -> str:
        """The records that could explain the difference, in words."""
        more = [f"and {len(self.explanations) - _SHOWN:,} more"] if len(self.explanations) > _SHOWN else []
        return ", ".join([f"{each.record} ({each.why})" for each in self.explanations[:_SHOWN]] + more)

    def dump(self) -> dict[str, Any]:
        """As JSON has it, every digit."""
        numbers = {name: digits(getattr(self, name)) for name in ("opening", "moved", "expected", "stated", "difference")}
        named = {"book": self.book, "place": self.place, "code": self.code}
        return {**named, **numbers, "outcome": str(self.outcome), "explanations": [each.dump() for each in self.explanations]}


def alike(movements: Iterable[Movement], difference: Decimal) -> tuple[Explanation, ...]:
    """Single movements of the amount of a difference, newest first: lost, made twice, or with the other sign."""
    reasons = reasons_of(difference)
    found = sorted((each for each in movements if each.amount in reasons), key=lambda each: each.at, reverse=True)
    return tuple(Explanation(each.record, each.amount, reasons[each.amount].format(each.what)) for each in found[:_SHOWN])


def reasons_of(difference: Decimal) -> dict[Decimal, str]:
    """The amounts that single movements can have to be a difference, and how they are."""
    less = difference.copy_negate()
    return {
        less: "{} is the difference: Nexus lacks it",
        difference: "{} is the difference: Nexus has it twice",
        EXACT.divide(less, Decimal(2)): "{} is half of the difference: Nexus has it with the other sign",
    }


def together(movements: Iterable[tuple[timedelta, Movement]], difference: Decimal) -> tuple[Explanation, ...] | None:
    """The movements that are the difference together, so that Nexus did not have them yet; ``None`` when none are found.

    Tried are single ones, few of those that are near, by their distances, any of those that are nearest, and all up to a distance
    but for one.
    """
    if not difference:
        return ()
    nearest = [movement for _, movement in sorted(movements, key=lambda each: (each[0], each[1].record))]
    with localcontext(EXACT):
        some = _adding_up(nearest, -difference)
    why = "it took effect around the moment"
    return None if some is None else tuple(Explanation(each.record, each.amount, why) for each in some)


def _adding_up(nearest: Sequence[Movement], amount: Decimal) -> Sequence[Movement] | None:
    """Movements that are an amount together."""
    # a single one may be far: a payment can wait for weeks
    singles = [(each,) for each in nearest if each.amount == amount][:1]
    few_of_many = (few for size in range(2, _AT_MOST + 1) for few in combinations(nearest[:_NEAREST], size))
    many_of_few = (many for size in range(_AT_MOST + 1, _FEW + 1) for many in combinations(nearest[:_FEW], size))
    for some in (*singles, *few_of_many, *many_of_few, *_all_but_one(nearest[:_ALL], amount)):
        if sum(each.amount for each in some) == amount:
            return some
    return None


def _all_but_one(nearest: Sequence[Movement], amount: Decimal) -> Iterator[list[Movement]]:
    """All up to a distance, without one of them or with one from behind, that could be an amount."""
    total = Decimal(0)
    for size, last in enumerate(nearest, 1):
        total += last.amount
        lacks = amount - total
        if not lacks:
            yield list(nearest[:size])
        yield from ([*nearest[:place], *nearest[place + 1 : size]] for place in range(size) if nearest[place].amount == -lacks)
        yield from ([*nearest[:size], each] for each in nearest[size:] if each.amount == lacks)


def since(moment: datetime, movements: Iterable[Movement]) -> tuple[Explanation, ...]:
    """The movements of the second from which on a place differs."""
    text = f"the place differs from {to_wire(moment)} on"
    found = tuple(Explanation(each.record, each.amount, f"{text}, when it ended: see {each.what}") for each in movements)[:_SHOWN]
    lacking = "and the copies have no record that ended then: it was created before they begin, or Nexus has moved without one"
    return found or (Explanation("no record", Decimal(0), f"{text}, {lacking}"),)
