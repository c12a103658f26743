"""Ledger of a write: what is known of it from one try to the next, and the claim of the try that carries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusClaimLostError, NexusError

T = TypeVar("T")
LEDGER_KEY = "nexus_write"
"""The entry of a ledger with all that is known of a write."""
OWNER_KEY = "nexus_write_owner"
"""The entry with the try that has claimed the write; one of its own, so that a claim never wipes out that something was sent."""
WITHDRAWN_KEY = "nexus_write_withdrawn"
"""The entry with the try whose mark does not count, as it found another in its place and sent nothing."""
CLAIM_KEYS = (OWNER_KEY, WITHDRAWN_KEY)
"""The entries that tries claim a write with. They must be where all tries of it look, and there alone."""
KEYS = (LEDGER_KEY, *CLAIM_KEYS)
"""All entries of a write."""


class Ledger(Protocol):
    """Stores values from one try of a task to the next."""

    @property
    def way_out(self) -> str:
        """What a person does after a look into Nexus, so that another try sends a write of unknown outcome."""

    def get(self, key: str) -> Any:
        """The stored value, as JSON knows it; ``None`` when there is none."""

    def set(self, key: str, value: Any) -> None:
        """Store a value that JSON knows."""

    def release(self) -> None:
        """The write is carried out and can be found in Nexus: what was stored only to guard it may be deleted."""


class MemoryLedger:
    """Stores values in memory."""

    way_out = "try again"

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """The stored value."""
        return self._values.get(key)

    def set(self, key: str, value: Any) -> None:
        """Store a value."""
        self._values[key] = value

    def release(self) -> None:
        """Nothing to delete: it ends with its process."""


@dataclass(frozen=True)
class Known:
    """What a ledger knows of a write.

    :param reference: the one that it was sent with
    :param first: when it was sent first, by the server's clock
    :param sent: when it was sent last without a definite answer; empty when it was not
    :param sender: the try that sent it
    :param code: the code that Nexus gave it; empty while that is not known
    """

    reference: str = ""
    first: str = ""
    sent: str = ""
    sender: str = ""
    code: str = ""


def known_to(ledger: Ledger) -> Known:
    """What a ledger knows."""
    return _known(ledger.get(LEDGER_KEY))


def settle(ledger: Ledger, code: str, *, release: bool = True) -> None:
    """Store that the write is carried out.

    :param code: the one that Nexus gave it
    :param release: whether the ledger may delete what only guards it, as every look-up finds it in Nexus by now
    """
    remember(ledger, code=code, sent="")
    if release:
        ledger.release()


def remember(ledger: Ledger, **changes: str) -> None:
    """Store what is new, beside what is known."""
    ledger.set(LEDGER_KEY, {**vars(known_to(ledger)), **changes})


class Claim:
    """One try's claim on a write, which it alone may send then.

    It is taken before anything is looked up, and checked on both sides of the mark that the call is about to leave. Of two tries
    that do so at once, one at least sees the other, whatever the order of their steps: the earlier one finds itself replaced, or
    the later one finds the mark. A try that finds itself replaced sends nothing, and notes that in an entry of its own, which
    can't wipe out the mark that the other one makes meanwhile.
    """

    def __init__(self, ledger: Ledger, reference: str = "") -> None:
        self._ledger, self._reference = ledger, reference
        self._owner = uuid4().hex
        self._before: Any = None
        self.is_marked = False

    def take(self) -> Known:
        """Claim the write, whoever has claimed it before, and return what is known of it."""
        self._before = self._ledger.get(OWNER_KEY)
        self._ledger.set(OWNER_KEY, self._owner)
        stored = self._ledger.get(LEDGER_KEY)
        if stored is None:
            remember(self._ledger)  # that a try was here, and has sent nothing yet
        known = _known(stored)
        return replace(known, sent="") if self.was_withdrawn(known) else known

    @property
    def is_over(self) -> bool:
        """Whether another try has carried the write out since this one claimed it."""
        return bool(known_to(self._ledger).code) or self._ledger.get(OWNER_KEY) is None

    def was_withdrawn(self, known: Known) -> bool:
        """Whether a mark is that of the try which this one replaced, and which noticed that in time.

        The mark of any other try that was replaced may have taken the place of its successor's.
        """
        return bool(known.sent) and known.sender == self._before == self._ledger.get(WITHDRAWN_KEY)

    def mark(self, now: datetime) -> None:
        """Note that the call is about to leave.

        A mark that another try has made since this one claimed the write counts for nothing as long as the claim is this one's:
        that try checks its claim after its mark, and sends nothing.

        :raises NexusClaimLostError: when another try has claimed the write, or has carried it out; nothing may be sent
        """
        known = known_to(self._ledger)
        self._refuse_lost()
        if known.code:
            raise NexusClaimLostError("another try has carried this write out meanwhile, so this one sent nothing")
        sent = now.isoformat()
        remember(self._ledger, reference=self._reference, first=known.first or sent, sent=sent, sender=self._owner)
        self.is_marked = True
        try:
            self._refuse_lost()
        except NexusClaimLostError:
            self._ledger.set(WITHDRAWN_KEY, self._owner)
            raise

    def send(self, send: Callable[[Callable[[], object]], T], now: Callable[[], datetime]) -> T:
        """The answer to the call that is claimed, which is marked right before its first byte leaves.

        :param send: makes the call, and right before its first byte the call that it is given
        :raises NexusAmbiguousWriteError: when Nexus may or may not have carried it out; the mark stays
        :raises NexusClaimLostError: when another try has claimed it meanwhile; nothing was sent
        :raises NexusError: when it was not carried out; the mark is taken back
        """
        try:
            return send(lambda: self.mark(now()))
        except (NexusAmbiguousWriteError, NexusClaimLostError):
            raise
        except NexusError:
            self.clear()
            raise

    def clear(self) -> None:
        """Note that what was sent was not carried out, or that nothing was sent."""
        if self.is_marked and known_to(self._ledger).sender == self._owner:
            remember(self._ledger, sent="")

    def _refuse_lost(self) -> None:
        if self._ledger.get(OWNER_KEY) != self._owner:
            raise NexusClaimLostError("another try has claimed this write by now, so this one sent nothing: the next looks it up")


def _known(stored: Any) -> Known:
    return Known(**stored) if isinstance(stored, Mapping) else Known()
