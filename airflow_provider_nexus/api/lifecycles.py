"""Lifecycles: what a status means for a wait: in flight, held, succeeded, failed or unknown.

Nexus writes the same status in different case in different places, so statuses are compared without case. New ones
appear without notice: a status that is not listed is ``UNKNOWN`` and never success.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The phase of a record."""

    IN_FLIGHT = "in_flight"
    HELD = "held"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to be expected."""
        return self in (Phase.SUCCEEDED, Phase.FAILED)


@dataclass(frozen=True)
class Lifecycle:
    """The statuses of one kind of record by phase, whose name each field has, spelt as the API's documents spell them.

    :param status_field: wire name of the field with the status
    :param reopens: whether a record can leave a status that means success, as an active customer can be blocked
    :param is_complete: whether the sources list every status
    """

    name: str
    in_flight: tuple[str, ...]
    succeeded: tuple[str, ...]
    failed: tuple[str, ...]
    held: tuple[str, ...] = ()
    status_field: str = "status"
    reopens: bool = False
    is_complete: bool = True

    @property
    def unsettled(self) -> tuple[str, ...]:
        """The known statuses that something may still come after."""
        return (*self.in_flight, *self.held)

    def phase(self, status: str | None) -> Phase:
        """The phase of a status in any case; ``UNKNOWN`` for null and for a status that is not listed."""
        folded = (status or "").strip().casefold()
        for phase in (Phase.IN_FLIGHT, Phase.HELD, Phase.SUCCEEDED, Phase.FAILED):
            if folded in (known.casefold() for known in self.of(phase)):
                return phase
        return Phase.UNKNOWN

    def of(self, phase: Phase) -> tuple[str, ...]:
        """The known statuses of a phase; none for ``UNKNOWN``."""
        statuses: tuple[str, ...] = getattr(self, phase, ())
        return statuses

    @property
    def statuses(self) -> tuple[str, ...]:
        """Every known status."""
        return (*self.in_flight, *self.held, *self.succeeded, *self.failed)


BROKER_TRANSACTION = Lifecycle(
    "broker transaction",
    in_flight=("BuyIncasso", "ToPayout", "PayoutConfirming", "SellToBeReturned"),
    held=("PayoutOnHold", "Blocked"),
    succeeded=("BuyCompleted", "SellCompleted"),
    failed=("SellReturned",),
    is_complete=False,
)
"""No source lists all statuses of a broker transaction; the two with RETURN are inferred from the sample and mail types."""

TRANSACTION = Lifecycle(
    "custodian transaction",
    in_flight=("Initiated", "Staged", "Sending", "Confirming", "ToCancel", "ToPayout", "PayoutConfirming"),
    held=("BLOCKED",),
    succeeded=("COMPLETED", "SIMULATED"),
    failed=("CANCELLED",),
)

TRANSFER = Lifecycle(
    "transfer",
    in_flight=("Initiated", "Sending", "Confirming", "ToCancel"),
    succeeded=("COMPLETED",),
    failed=("CANCELLED", "REJECTED"),
)

ORDER = Lifecycle(
    "order",
    in_flight=("Initiated", "Queued", "Open", "ToCancel"),
    succeeded=("FILLED",),
    failed=("REJECTED", "EXPIRED", "CANCELLED"),
)

MAIL = Lifecycle("mail", in_flight=("ReadyToSend",), succeeded=("Sent",), failed=("Deleted",))

CUSTOMER = Lifecycle(
    "customer",
    in_flight=("New",),
    held=("UnderReview", "Blocked"),
    succeeded=("Active",),
    failed=("Deleted",),
    reopens=True,
)

ACCOUNT = Lifecycle(
    "account",
    in_flight=("New", "Valid"),
    succeeded=("Active",),
    failed=("Invalid", "Deleted"),
    status_field="accountStatus",
    reopens=True,
)
"""Valid and Invalid describe the check of the address (inferred); a valid account still has to be activated."""
