"""One write, carried out once: looked up before it is sent, remembered before it leaves, never sent again in doubt.

Nexus knows no idempotency keys (fact sheet 7.10). A write therefore carries a reference that it can be found by. What is
known of it is kept in a ledger that outlives the try: whether it was sent, when, and the code that Nexus gave it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid5

from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusError

LEDGER_KEY = "nexus_write"
"""The entry of the ledger that holds all that is known of a write."""
QUIET = 300.0
"""Seconds after which a write that can't be found counts as not carried out."""
PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each look-up that follows a write of unknown fate."""
_NOT_FOUND = (
    "an earlier try sent it, and it can't be found; only when Nexus did not carry it out, delete 'nexus_write' in the task's "
    "state store and clear the task"
)
_NAMESPACE = UUID("6f1f63a4-52d5-5b0e-9a86-6f27f7f6c1c1")

Record = dict[str, Any]


class Ledger(Protocol):
    """Keeps values from one try of a task to the next."""

    def get(self, key: str) -> Any:
        """What was kept, as JSON knows it; ``None`` when nothing was."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value that JSON knows."""


class MemoryLedger:
    """Keeps values for as long as it lives."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """What was kept."""
        return self._kept.get(key)

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self._kept[key] = value


@dataclass(frozen=True, kw_only=True)
class Write:
    """One call that changes something, and how its effect is known.

    :param method: HTTP method
    :param path: path from the root
    :param body: with the reference in it
    :param find: since when -> the record that the call made, ``None`` when there is none. ``None`` itself when such records
        can't be found
    :param read: code -> record
    :param code_of: record or answer -> the code in it; empty when it has none
    :param record_of: answer -> record; ``None`` where the record has to be read or found
    :param lookup_by_hand: what a person has to look up, ``{since}`` standing for the time from when on
    :param is_proof: whether not finding the record means that the call was not carried out
    :param is_personal: whether the code can be personal data, so that no log may hold it
    """

    method: str
    path: str
    body: Any
    find: Callable[[datetime], Record | None] | None
    read: Callable[[str], Record]
    code_of: Callable[[Any], str]
    record_of: Callable[[Any], Record | None] = lambda _: None
    lookup_by_hand: str = ""
    is_proof: bool = True
    is_personal: bool = False

    def told(self, code: str) -> str:
        """The code for logs."""
        return "what it was to be" if self.is_personal else code


@dataclass(frozen=True)
class Known:
    """What a ledger knows of a write.

    :param reference: the one that it was sent with
    :param first: when it was sent first, by the server's clock
    :param sent: when it was sent last without a definite answer; empty when it was not
    :param code: the code that Nexus gave it; empty while that is not known
    """

    reference: str = ""
    first: str = ""
    sent: str = ""
    code: str = ""


def known_to(ledger: Ledger) -> Known:
    """What a ledger knows."""
    kept = ledger.get(LEDGER_KEY)
    return Known(**kept) if isinstance(kept, Mapping) else Known()


def choose_reference(ledger: Ledger, wanted: str) -> str:
    """The reference to send: the one in the ledger where something may have been sent with it, else the wanted one."""
    known = known_to(ledger)
    reference = known.reference if known.reference and (known.sent or known.code) else wanted
    _keep(ledger, known, reference=reference)
    return reference


def code_in(answer: Any, name: str) -> str:
    """The code that an answer or a record names; empty when it names none."""
    return str(answer.get(name) or "") if isinstance(answer, Mapping) else ""


def reference_of(*names: object) -> str:
    """A reference made of names: the same for the same names, without a trace of them."""
    return str(uuid5(_NAMESPACE, "\0".join(str(name) for name in names)))


class Once:
    """Carries writes out.

    :param client: makes the calls
    :param ledger: what is known from earlier tries
    :param quiet: seconds by the server's clock after which a write that can't be found counts as not carried out; ``None``
        never lets it count as that
    :param pauses: seconds before each look-up that follows a write of unknown fate
    """

    def __init__(
        self,
        client: NexusClient,
        ledger: Ledger,
        *,
        quiet: float | None = QUIET,
        pauses: tuple[float, ...] = PAUSES,
        log: Log | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._ledger, self._pauses = client, ledger, pauses
        self._quiet = timedelta.max if quiet is None else timedelta(seconds=quiet)
        self._log, self._sleep = log or logging.getLogger(__name__), sleep

    def carry_out(self, write: Write, since: datetime) -> Record:
        """The record that the write made, now or in an earlier try.

        :param since: from when on the record can have been made
        :raises NexusAmbiguousWriteError: when it may or may not have been carried out; another try looks again
        :raises NexusApiError: when Nexus refused it
        """
        known = known_to(self._ledger)
        if known.code:
            self._log.info("carried out by an earlier try as %s", write.told(known.code))
            return write.read(known.code)
        if known.first:
            since = min(since, datetime.fromisoformat(known.first))
        found = write.find(since) if write.find else None
        if found is not None:
            self._log.info("found in Nexus, so it is not sent")
            return self._done(write, found)
        self._refuse_in_doubt(write, known, since)
        return self._send(write, since)

    def _refuse_in_doubt(self, write: Write, known: Known, since: datetime) -> None:
        if not known.sent:
            return
        age = self._now() - datetime.fromisoformat(known.sent)
        if write.find is None or not write.is_proof or age < self._quiet:
            raise self._ambiguous(write, since, _NOT_FOUND)
        self._log.info("sent %d s ago and not found: it was not carried out", age.total_seconds())

    def _send(self, write: Write, since: datetime) -> Record:
        self._mark()
        self._log.info("sending %s %s", write.method, Call(write.method, write.path).label)
        try:
            answer = self._client.run(write.method, write.path, json=write.body)
        except NexusAmbiguousWriteError as error:
            self._mark()
            return self._look_again(write, since, error.detail or "no answer")
        except NexusError:
            _keep(self._ledger, known_to(self._ledger), sent="")
            self._log.info("refused: it was not carried out")
            raise
        code = write.code_of(answer)
        if not code:
            return self._look_again(write, since, "the answer names no code")
        self._remember(write, code)
        record = write.record_of(answer)
        return write.read(code) if record is None else record

    def _look_again(self, write: Write, since: datetime, why: str) -> Record:
        for pause in self._pauses if write.find else ():
            self._log.info("not known whether it was carried out: looking for it in %.0f s", pause)
            self._sleep(pause)
            with suppress(NexusError):
                found = write.find(since) if write.find else None
                if found is not None:
                    return self._done(write, found)
        raise self._ambiguous(write, since, why)

    def _done(self, write: Write, record: Record) -> Record:
        self._remember(write, write.code_of(record))
        return record

    def _remember(self, write: Write, code: str) -> None:
        _keep(self._ledger, known_to(self._ledger), code=code, sent="")
        self._log.info("carried out as %s", write.told(code))

    def _mark(self) -> None:
        known, now = known_to(self._ledger), self._now().isoformat()
        _keep(self._ledger, known, first=known.first or now, sent=now)

    def _now(self) -> datetime:
        return self._client.session.server_now or datetime.now(UTC)

    def _ambiguous(self, write: Write, since: datetime, why: str) -> NexusAmbiguousWriteError:
        lookup = write.lookup_by_hand.replace("{since}", f"{since:%Y-%m-%dT%H:%M:%SZ}")
        return NexusAmbiguousWriteError(write.method, Call(write.method, write.path).label, detail=why, lookup=lookup)


def _keep(ledger: Ledger, known: Known, **changes: str) -> None:
    ledger.set(LEDGER_KEY, {**vars(known), **changes})
