"""How a trade gets on: phases as a closed form of its age, and the status that each view shows.

A trade of a long life can be taken back after it succeeded, which no source describes. It shows as ``BuyRefunded``, in no
source either, or ``SellReturned`` in the classic generation, and as ``CANCELLED`` in the CASP generation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_nexus.sandbox.chance import Words
from airflow_provider_nexus.sandbox.data.lives import CANCELLED_SHARE, LONGEST_LIFE, long_life
from airflow_provider_nexus.sandbox.money import HUGE_SHARE
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, MINUTE, SECOND

FIRST, SECOND_STEP, THIRD, HELD, DONE, FAILED, STAGED, TAKEN_BACK = range(8)
"""Phases: three steps in flight, held, succeeded, failed, waiting to be confirmed, and taken back after it succeeded."""

EXECUTED = frozenset({THIRD, DONE, TAKEN_BACK})
"""Phases in which amounts were executed."""

ENDED = frozenset({DONE, FAILED, TAKEN_BACK})
"""Phases after the end."""

COMPLETED, CANCELLED, BLOCKED, ON_HOLD = "completed", "cancelled", "blocked", "on hold"
"""Fates. What is on hold goes on by itself in the end, what is blocked does not."""

LONGEST = {"short": 6 * DAY + HOUR, "long": LONGEST_LIFE}
"""No trade of such a life changes by itself after this."""

_CANCELLED_SHARE = (CANCELLED_SHARE - HUGE_SHARE) / (1 - HUGE_SHARE)
"""Of the long-lived trades that may succeed, so that all that are cancelled make up their share."""

INSTANT = frozenset({"GIFT", "INTEREST", "CLAWBACK", "SENDINTERNAL", "SENDTOBUCKET", "SWAP"})

_STEPS = {
    "BUY": ("Initiated", "Initiated", "Confirming"),
    "SELL": ("Initiated", "ToPayout", "PayoutConfirming"),
    "SENDOUT": ("Initiated", "Sending", "Confirming"),
    "RECEIVEIN": ("Initiated", "Confirming", "Confirming"),
    "BROKERBUY": ("Initiated", "Sending", "Confirming"),
    "BROKERSELL": ("Initiated", "ToPayout", "PayoutConfirming"),
}
_ONE_STEP = ("Initiated", "Initiated", "Initiated")
_SETTLED = {HELD: "BLOCKED", DONE: "COMPLETED", FAILED: "CANCELLED", STAGED: "Staged", TAKEN_BACK: "CANCELLED"}
_BROKER_BUY = (*("BuyIncasso",) * 3, "Blocked", "BuyCompleted", "BuyCancelled", "BuyIncasso", "BuyRefunded")
_BROKER_SELL = (
    "ToPayout",
    "ToPayout",
    "PayoutConfirming",
    "PayoutOnHold",
    "SellCompleted",
    "SellReturned",
    "ToPayout",
    "SellReturned",
)


@dataclass(frozen=True, slots=True)
class Course:
    """What becomes of a trade.

    :param settles: microseconds from its start to its end or hold
    :param fate: how it ends
    :param hold: microseconds that it is on hold
    :param taken_back: microseconds from its start until it is taken back; 0 for never
    :param is_stamped: whether its end leaves a stamp
    """

    settles: int
    fate: str
    hold: int = 0
    taken_back: int = 0
    is_stamped: bool = True

    @property
    def ends(self) -> int:
        """Microseconds until its end."""
        return self.settles + self.hold

    def is_taken_back(self, age: int) -> bool:
        """Whether it has been taken back at an age in microseconds."""
        return 0 < self.taken_back <= age

    def phase(self, age: int) -> int:
        """The phase at an age in microseconds."""
        if age < self.settles:
            return max(0, age) * 3 // self.settles
        if self.fate == BLOCKED or (self.fate == ON_HOLD and age < self.ends):
            return HELD
        if self.is_taken_back(age):
            return TAKEN_BACK
        return FAILED if self.fate == CANCELLED else DONE


def course_of(dealt: Words, kind: str, lives: Literal["short", "long"], *, spoiled: bool) -> Course:
    """The course of a seeded trade.

    :param spoiled: it may not succeed
    """
    return _long_course(dealt, spoiled=spoiled) if lives == "long" else _short_course(dealt, kind, spoiled=spoiled)


def _long_course(dealt: Words, *, spoiled: bool) -> Course:
    """See ``lives``; one that may not succeed is one of those that are cancelled."""
    life = long_life(dealt[8] << 32 | dealt[9], 1 if spoiled else _CANCELLED_SHARE)
    if life.is_cancelled:
        return Course(life.ends, CANCELLED, is_stamped=False)
    hold = life.ends - life.settles
    return Course(life.settles, ON_HOLD if hold else COMPLETED, hold, life.taken_back)


def _short_course(dealt: Words, kind: str, *, spoiled: bool) -> Course:
    """Most settle in minutes, some in hours or days."""
    pick = dealt[8] % 100
    span = MINUTE if kind in INSTANT else 10 * MINUTE if pick < 80 else 6 * HOUR if pick < 95 else 3 * DAY
    settles = SECOND + dealt[9] * (span - SECOND) // (1 << 32)
    luck = 0 if kind in INSTANT and not spoiled else dealt[10] % 200
    if spoiled or luck >= 194:
        fate = BLOCKED if kind == "BROKERBUY" or luck >= 198 else CANCELLED
        return Course(settles, fate)
    if luck >= 188:
        return Course(settles, ON_HOLD, HOUR + dealt[9] % (3 * DAY))
    return Course(settles, COMPLETED)


def custodian_status(kind: str, course: Course, phase: int) -> str:
    """The status under ``/transactions/custodian``: settled ones in upper case, those in flight in Pascal case."""
    if phase in _SETTLED:
        return _SETTLED[phase]
    if phase == THIRD and course.fate == CANCELLED:
        return "ToCancel"
    return _STEPS.get(kind, _ONE_STEP)[phase]


def broker_status(kind: str, course: Course, phase: int) -> str:
    """The status under ``/transaction``, in mixed case.

    ``BuyCancelled`` is in no source: a cancelled buy has to show as something, and clients have to survive statuses that
    they don't know.
    """
    if kind == "BROKERBUY":
        return _BROKER_BUY[phase]
    if phase == THIRD and course.fate == CANCELLED:
        return "SellToBeReturned"
    if phase == HELD and course.fate == BLOCKED:
        return "Blocked"
    return _BROKER_SELL[phase]
