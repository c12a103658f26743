"""Progress of a trade: phases as a closed form of its age, and the status that each view shows.

A long life: 80 % end within 1.4 to 43 minutes, 14 % within 3 days, 5 % between 3 and 20 days, and 1 % are on hold and end
between 20 and 45 days. 3 % end cancelled, without a stamp of the end. 1 % of the others are taken back 0.1 to 25 days after
their end, without a new stamp, which no source describes. Such a trade shows as ``BuyRefunded``, in no source either, or
``SellReturned`` in the classic generation, and as ``CANCELLED`` in the CASP generation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_nexus.api.resource import words
from airflow_provider_nexus.sandbox.chance import Words, scatter, share
from airflow_provider_nexus.sandbox.money import HUGE_SHARE
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, MINUTE, SECOND

LONGEST_LIFE = 70 * DAY
"""No row of a long life changes by itself after this: 45 days until its end and 25 until it is taken back."""

_BANDS = (
    (0.80, DAY // 1000, DAY * 3 // 100),
    (0.94, DAY * 3 // 100, 3 * DAY),
    (0.99, 3 * DAY, 20 * DAY),
    (1, 20 * DAY, 45 * DAY),
)
"""Share of rows up to here, and between which ages they end."""
CANCELLED_SHARE, _TAKEN_BACK_SHARE = 0.03, 0.01
_SOONEST_BACK, _LATEST_BACK = DAY // 10, 25 * DAY

FIRST, SECOND_STEP, THIRD, STOPPED, DONE, FAILED, STAGED, TAKEN_BACK = range(8)
"""Phases: three steps in flight, on hold, succeeded, failed, waiting to be confirmed, and taken back after it succeeded."""

EXECUTED = frozenset({THIRD, DONE, TAKEN_BACK})
"""Phases in which amounts were executed."""

ENDED = frozenset({DONE, FAILED, TAKEN_BACK})
"""Phases after the end."""

COMPLETED, CANCELLED, BLOCKED, ON_HOLD = "completed", "cancelled", "blocked", "on hold"
"""How a trade ends. What is on hold goes on by itself in the end, what is blocked does not."""

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
_SETTLED = {STOPPED: "BLOCKED", DONE: "COMPLETED", FAILED: "CANCELLED", STAGED: "Staged", TAKEN_BACK: "CANCELLED"}
_BROKER_BUY = (*("BuyIncasso",) * 3, "Blocked", "BuyCompleted", "BuyCancelled", "BuyIncasso", "BuyRefunded")
_BROKER_SELL = words("ToPayout ToPayout PayoutConfirming PayoutOnHold SellCompleted SellReturned ToPayout SellReturned")


@dataclass(frozen=True, slots=True)
class Course:
    """The course of a trade.

    :param settles: microseconds from its start to its end or hold
    :param hold: microseconds that it is on hold
    :param taken_back: microseconds from its start until it is taken back; 0 for never
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

    @property
    def is_cancelled(self) -> bool:
        """Whether it ends cancelled."""
        return self.fate == CANCELLED

    def is_taken_back(self, age: int) -> bool:
        """Whether it has been taken back at an age in microseconds."""
        return 0 < self.taken_back <= age

    def phase(self, age: int) -> int:
        """The phase at an age in microseconds."""
        if age < self.settles:
            return max(0, age) * 3 // self.settles
        if self.fate == BLOCKED or (self.fate == ON_HOLD and age < self.ends):
            return STOPPED
        if self.is_taken_back(age):
            return TAKEN_BACK
        return FAILED if self.is_cancelled else DONE


def long_life(seed: int, cancelled: float = CANCELLED_SHARE) -> Course:
    """The life of a row by its own seed; a share of such rows ends cancelled, without a stamp."""
    pick = share(scatter(seed, 0))
    _, low, high = next(band for band in _BANDS if pick < band[0])
    within = scatter(seed, 1)
    ends = low + within % (high - low)
    settles = ends if high < 45 * DAY else _BANDS[0][1] + within % (_BANDS[0][2] - _BANDS[0][1])
    if share(scatter(seed, 2)) < cancelled:
        return Course(settles, CANCELLED, ends - settles, is_stamped=False)
    later = _SOONEST_BACK + scatter(seed, 4) % (_LATEST_BACK - _SOONEST_BACK)
    taken_back = ends + later if share(scatter(seed, 3)) < _TAKEN_BACK_SHARE else 0
    return Course(settles, ON_HOLD if ends > settles else COMPLETED, ends - settles, taken_back)


def course_of(dealt: Words, kind: str, lives: Literal["short", "long"], *, spoiled: bool) -> Course:
    """The course of a seeded trade. A spoiled one may not succeed: of a long life, it is one of those that are cancelled."""
    if lives == "short":
        return _short_course(dealt, kind, spoiled=spoiled)
    life = long_life(dealt[8] << 32 | dealt[9], 1 if spoiled else _CANCELLED_SHARE)
    return Course(life.ends, CANCELLED, is_stamped=False) if life.is_cancelled else life


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
    if phase == THIRD and course.is_cancelled:
        return "ToCancel"
    return _STEPS.get(kind, _ONE_STEP)[phase]


def broker_status(kind: str, course: Course, phase: int) -> str:
    """The status under ``/transaction``, in mixed case.

    ``BuyCancelled`` is in no source: a cancelled buy has to show as something, and clients have to survive statuses that
    they don't know.
    """
    if kind == "BROKERBUY":
        return _BROKER_BUY[phase]
    if phase == THIRD and course.is_cancelled:
        return "SellToBeReturned"
    if phase == STOPPED and course.fate == BLOCKED:
        return "Blocked"
    return _BROKER_SELL[phase]
