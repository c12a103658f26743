"""What is known of a write from one try to the next, and which try has it in hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

from airflow_provider_nexus.exceptions import NexusClaimLostError

LEDGER_KEY = "nexus_write"
"""The entry of a ledger that holds all that is known of a write."""
OWNER_KEY = "nexus_write_owner"
"""The entry that holds who has the write in hand; one of its own, so that a claim never wipes out that something was sent."""
WITHDRAWN_KEY = "nexus_write_withdrawn"
"""The entry that holds the try whose mark does not count, as it found another in its place and sent nothing."""
KEYS = (LEDGER_KEY, OWNER_KEY, WITHDRAWN_KEY)
"""All entries of a write."""


class Ledger(Protocol):
    """Keeps values from one try of a task to the next."""

    @property
    def way_out(self) -> str:
        """What a person does after a look into Nexus, so that another try sends a write of unknown fate."""

    def get(self, key: str) -> Any:
        """What was kept, as JSON knows it; ``None`` when nothing was."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value that JSON knows."""

    def delete(self, key: str) -> None:
        """Forget a value, if there is one."""

    def release(self) -> None:
        """The write is carried out and can be found in Nexus: what was kept only to guard it may go."""


class MemoryLedger:
    """Keeps values for as long as it lives."""

    way_out = "try again"

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """What was kept."""
        return self._kept.get(key)

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self._kept[key] = value

    def delete(self, key: str) -> None:
        """Forget a value."""
        self._kept.pop(key, None)

    def release(self) -> None:
        """Nothing: it lives no longer than who uses it."""


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


def remember(ledger: Ledger, **changes: str) -> None:
    """Keep what is new, beside what is known."""
    ledger.set(LEDGER_KEY, {**vars(known_to(ledger)), **changes})


class Claim:
    """One try's hold on a write.

    It is taken before anything is looked up, and checked on both sides of the mark that says that the call is about to leave. Of
    two tries that do so at once, one at least sees the other, whatever the order of their steps: the earlier one finds itself
    replaced, or the later one finds the mark. Who finds itself replaced sends nothing, and says so in an entry of its own, which
    can't wipe out the mark that the other one makes meanwhile.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._owner = uuid4().hex
        self._before: Any = None
        self.is_marked = False

    def take(self) -> Known:
        """Take the write in hand, away from whoever has it, and say what is known of it."""
        self._before = self._ledger.get(OWNER_KEY)
        self._ledger.set(OWNER_KEY, self._owner)
        kept = self._ledger.get(LEDGER_KEY)
        if kept is None:
            remember(self._ledger)  # that a try was here, and has sent nothing yet
        known = _known(kept)
        return replace(known, sent="") if self.was_withdrawn(known) else known

    def was_withdrawn(self, known: Known) -> bool:
        """Whether a mark is that of the try which this one replaced, and which noticed that in time.

        The mark of any other try that was replaced may stand where the one of its successor stood.
        """
        return bool(known.sent) and known.sender == self._before == self._ledger.get(WITHDRAWN_KEY)

    def mark(self, now: datetime, reference: str = "") -> None:
        """Note that the call is about to leave.

        A mark that another try has made since this one took the write in hand counts for nothing as long as this one has it in
        hand: that try looks after its mark whether it still has, and sends nothing.

        :param reference: the one in it
        :raises NexusClaimLostError: when another try has the write in hand, or has carried it out; nothing may be sent
        """
        known = known_to(self._ledger)
        self._refuse_lost()
        if known.code:
            raise NexusClaimLostError("another try has carried this write out meanwhile, so this one sent nothing")
        sent = now.isoformat()
        remember(self._ledger, reference=reference, first=known.first or sent, sent=sent, sender=self._owner)
        self.is_marked = True
        try:
            self._refuse_lost()
        except NexusClaimLostError:
            self._ledger.set(WITHDRAWN_KEY, self._owner)
            raise

    def clear(self) -> None:
        """Note that what was sent was not carried out, or that nothing was sent."""
        if self.is_marked and known_to(self._ledger).sender == self._owner:
            remember(self._ledger, sent="")

    def _refuse_lost(self) -> None:
        if self._ledger.get(OWNER_KEY) != self._owner:
            raise NexusClaimLostError("another try has this write in hand now, so this one sent nothing: the next looks it up")


def _known(kept: Any) -> Known:
    return Known(**kept) if isinstance(kept, Mapping) else Known()
