"""How a trade gets on: phases as a closed form of its age, and the status that each view shows. Fact sheet section 4."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_nexus.sandbox.chance import Words
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, MINUTE, SECOND

FIRST, SECOND_STEP, THIRD, HELD, DONE, FAILED, STAGED = range(7)
"""Phases: three steps in flight, held, succeeded, failed, and waiting to be confirmed."""

COMPLETED, CANCELLED, BLOCKED, ON_HOLD = "completed", "cancelled", "blocked", "on hold"
"""Fates. What is on hold goes on by itself in the end, what is blocked does not."""

LONGEST = 6 * DAY
"""No trade changes by itself after this."""

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
_SETTLED = {HELD: "BLOCKED", DONE: "COMPLETED", FAILED: "CANCELLED", STAGED: "Staged"}
_BROKER_BUY = ("BuyIncasso", "BuyIncasso", "BuyIncasso", "Blocked", "BuyCompleted", "BuyCancelled", "BuyIncasso")
_BROKER_SELL = ("ToPayout", "ToPayout", "PayoutConfirming", "PayoutOnHold", "SellCompleted", "SellReturned", "ToPayout")


@dataclass(frozen=True, slots=True)
class Course:
    """What becomes of a trade.

    :param settles: microseconds from its start to its end or hold
    :param fate: how it ends
    :param hold: microseconds that it is on hold
    """

    settles: int
    fate: str
    hold: int = 0

    @property
    def ends(self) -> int:
        """Microseconds until its last change."""
        return self.settles + self.hold

    def phase(self, age: int) -> int:
        """The phase at an age in microseconds."""
        if age < self.settles:
            return max(0, age) * 3 // self.settles
        if self.fate == BLOCKED or (self.fate == ON_HOLD and age < self.ends):
            return HELD
        return FAILED if self.fate == CANCELLED else DONE


def course_of(dealt: Words, kind: str, *, spoiled: bool) -> Course:
    """The course of a seeded trade: most settle in minutes, some in hours or days.

    :param spoiled: it may not succeed
    """
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
