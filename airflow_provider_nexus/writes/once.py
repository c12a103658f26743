"""One write, carried out once: claimed, looked up, marked before it leaves, looked up again, never sent again in doubt.

Nexus is not known to take idempotency keys. A write therefore carries a reference that it can be found by. What is
known of it is stored in a ledger that outlives the try: which try has claimed it, whether it was sent, when, and the code that
Nexus gave it. ``client/retry`` decides whether a call is sent again within a try; here the next try decides.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.records import at
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.retry import ambiguous
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousWriteError,
    NexusClaimLostError,
    NexusConflictError,
    NexusError,
    without_secrets,
)
from airflow_provider_nexus.writes.ledger import Claim, Known, Ledger, known_to, settle

PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each look-up that follows a write of unknown outcome."""
_STILL_AT_IT = timedelta(minutes=1)
"""How long after its mark another try can still be sending."""
_MARGIN = timedelta(minutes=1)
"""How much earlier than the look-up a record can have been made that the look-up did not show yet."""
_POLL = 2.0
"""Seconds between two looks at whether another try has carried a write out."""
_SLACK = 10.0
"""Seconds that such a try gets beside the time that its look-up takes."""
_ANEW = "A new one takes another reference, or a new run where the reference is that of the run"
_NAMESPACE = UUID("6f1f63a4-52d5-5b0e-9a86-6f27f7f6c1c1")

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Write:
    """One call that changes something, and how its effect is known.

    :param path: path from the root
    :param body: with the reference in it
    :param find: since when -> the records that the call made, a pair as one. ``None`` itself when such records can't be found
    :param read: code -> record
    :param code_of: record or answer -> the code in it; empty when it has none, or that of another record
    :param record_of: answer -> record; ``None`` where the record has to be read or found
    :param unlike: record -> what of it is not as the call asks for, one text each
    :param came_to_nothing: record -> whether it failed with nothing executed
    :param reference: what the record is found by; empty for the change of a record, which is found by its code
    :param carries: record -> whether the reference is in it
    :param lookup_by_hand: what a person has to look up, ``{since}`` in place of the time from when on
    :param is_proof: whether not finding the record means that the call was not carried out
    :param is_personal: whether the code can be personal data, which no log may show
    """

    method: str
    path: str
    body: Any
    find: Callable[[datetime], Sequence[Record]] | None
    read: Callable[[str], Record]
    code_of: Callable[[Any], str]
    record_of: Callable[[Any], Record | None] = lambda _: None
    unlike: Callable[[Record], Sequence[str]] = lambda _: ()
    came_to_nothing: Callable[[Record], bool] = lambda _: False
    reference: str = ""
    carries: Callable[[Record], bool] = lambda _: True
    lookup_by_hand: str = ""
    is_proof: bool = True
    is_personal: bool = False

    def shown(self, code: str) -> str:
        """The code for logs."""
        return "what it was to be" if self.is_personal else without_secrets(code)


def choose_reference(ledger: Ledger, wanted: str) -> str:
    """The reference to send: the one in the ledger where something may have been sent with it, else the wanted one."""
    known = known_to(ledger)
    return known.reference if known.reference and (known.sent or known.code) else wanted


def code_in(answer: Any, name: str) -> str:
    """The code that an answer or a record names; empty when it names none."""
    return str(at(answer, name) or "")


def reference_of(*names: object) -> str:
    """A reference made of names: the same for the same names, without a trace of them."""
    return str(uuid5(_NAMESPACE, "\0".join(str(name) for name in names)))


class Once:
    """Carries writes out.

    :param ledger: what is known from earlier tries
    :param quiet: seconds by the server's clock after which a write that can't be found counts as not carried out; ``None``
        never lets it count as that
    :param pauses: seconds before each look-up that follows a write of unknown outcome
    """

    def __init__(
        self,
        client: NexusClient,
        ledger: Ledger,
        *,
        quiet: float | None = None,
        pauses: tuple[float, ...] = PAUSES,
        log: Log | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._ledger, self._pauses = client, ledger, pauses
        self._quiet = timedelta.max if quiet is None else timedelta(seconds=quiet)
        self._log, self._sleep, self._clock = log or logging.getLogger(__name__), sleep, clock

    def carry_out(self, write: Write, since: datetime) -> Record:
        """The record that the write made, now or in an earlier try.

        :param since: from when on the record can have been made
        :raises NexusAmbiguousWriteError: when it may or may not have been carried out; another try looks again
        :raises NexusConflictError: when several records carry the reference, or one that is not as asked for
        :raises NexusConfigurationError: when the body can't be sent as it is; nothing was looked up
        :raises NexusClaimLostError: when another try has claimed it meanwhile, and did not end within about the time that its
            look-up takes; this one sent nothing
        :raises NexusApiError: when Nexus refused it
        """
        call = Call(write.method, write.path, json=write.body)
        _ = call.body  # what can't be sent is refused before anything is looked up
        while True:
            claim, began = Claim(self._ledger, write.reference), self._clock()
            try:
                return self._claim_and_carry_out(write, call, claim, since)
            except NexusClaimLostError:
                if not self._ends_elsewhere(claim, 2 * (self._clock() - began) + _SLACK):
                    raise

    def _ends_elsewhere(self, claim: Claim, seconds: float) -> bool:
        """Whether the try that has claimed the write since carries it out within some time.

        It looks the write up first, for about as long as this one did. Whoever claims the write again before that takes it from
        the other one, which does the same, so that neither of two that are tried again soon would ever send.
        """
        self._log.info("another try has claimed this write: waiting up to %.0f s for what becomes of it", seconds)
        until = self._clock() + seconds
        while not claim.is_over:
            if self._clock() >= until:
                return False
            self._sleep(_POLL)
        return True

    def _claim_and_carry_out(self, write: Write, call: Call, claim: Claim, since: datetime) -> Record:
        known = claim.take()
        if known.first:
            since = min(since, datetime.fromisoformat(known.first))
        if known.code:
            self._log.info("carried out by an earlier try as %s", write.shown(known.code))
            record = write.read(known.code)
            self._refuse_twins(write, known.code, since)
            return record
        began = self._clock()
        found = write.find(since) if write.find else ()
        if found:
            self._log.info("found in Nexus, so it is not sent")
            return self._found(write, found)
        if known.sent and not claim.was_withdrawn(known):
            found = self._look_for_earlier_try(write, claim, known, since)
            if found:
                return self._found(write, found)
        looked = self._now() - timedelta(seconds=self._clock() - began)
        return self._send(write, call, claim, since, looked - _MARGIN)

    def _look_for_earlier_try(self, write: Write, claim: Claim, known: Known, since: datetime) -> Sequence[Record]:
        """What an earlier try made that may have sent it, and may be at it still; nothing when this one may send it.

        :raises NexusAmbiguousWriteError: when that can't be known
        """
        age = self._now() - datetime.fromisoformat(known.sent)
        for pause in self._pauses if age < _STILL_AT_IT else ():
            self._log.info("an earlier try may be sending it: looking again in %.0f s", pause)
            self._sleep(pause)
            if claim.was_withdrawn(known):
                return ()
            if write.find and (found := write.find(since)):
                return found
        if write.find is None or not write.is_proof or age < self._quiet:
            raise self._ambiguous(write, since, "an earlier try may have sent it, and it can't be found")
        self._log.info("sent %d s ago and not found: it was not carried out", age.total_seconds())
        return ()

    def _send(self, write: Write, call: Call, claim: Claim, since: datetime, looked: datetime) -> Record:
        """Send it; the look-up before this may not have shown a record that was made from ``looked`` on."""
        self._log.info("sending %s %s", call.method, call.label)
        try:
            answer = claim.send(lambda mark: self._client.session.send(call, envelope.unwrap, before=mark).value, self._now)
        except NexusAmbiguousWriteError as error:
            return self._look_again(write, since, error)
        except NexusError as error:
            if not isinstance(error, NexusClaimLostError):
                self._log.info("it was not carried out")
            raise
        code = write.code_of(answer)
        if not code:
            return self._look_again(write, since, "the answer names no code, or another than the one that was asked for")
        self._settle(write, code, release=write.find is not None and not write.reference)
        record = write.record_of(answer) or write.read(code)
        self._refuse_twins(write, code, looked)
        if write.reference and not write.carries(record) and not write.carries(write.read(code)):
            self._log.warning("Nexus did not store the reference of %s: no other run can find it by that", write.shown(code))
        return record

    def _look_again(self, write: Write, since: datetime, why: str | NexusAmbiguousWriteError) -> Record:
        for pause in self._pauses if write.find else ():
            self._log.info("not known whether it was carried out: looking for it in %.0f s", pause)
            self._sleep(pause)
            try:
                found = write.find(since) if write.find else ()
            except NexusConflictError:
                raise
            except NexusError as error:
                self._log.info("the look-up failed: %s", error)
                continue
            if found:
                return self._found(write, found)
        raise self._ambiguous(write, since, why)

    def _found(self, write: Write, found: Sequence[Record]) -> Record:
        self._refuse_several(write, {write.code_of(record) for record in found})
        (record,) = found
        code, fault = write.code_of(record), ""
        if unlike := write.unlike(record):
            fault = f"another: {'; '.join(unlike)}"
        elif write.came_to_nothing(record):
            fault = f"{record.get('status')}: nothing came of it. {_ANEW}"
        if fault:
            raise self._conflict(write, f"{write.shown(code)} carries its reference and is {fault}")
        self._settle(write, code, release=True)
        return record

    def _refuse_twins(self, write: Write, code: str, since: datetime) -> None:
        """Look whether another try, or another task, made one with the same reference at the same time.

        A list can show a new record late. What guards it goes when a look-up shows it, as others find it from then on.
        """
        if write.reference and write.find:
            found = {write.code_of(record) for record in write.find(since)}
            self._refuse_several(write, {code, *found})
            if code in found:
                self._ledger.release()

    def _refuse_several(self, write: Write, codes: set[str]) -> None:
        if len(codes) > 1:
            raise self._conflict(
                write,
                f"{len(codes)} records carry one reference, {write.reference!r}: {', '.join(sorted(codes))}. One was wanted: "
                "look at them, and cancel or reverse what is too much",
            )

    def _settle(self, write: Write, code: str, *, release: bool) -> None:
        settle(self._ledger, code, release=release)
        self._log.info("carried out as %s", write.shown(code))

    def _now(self) -> datetime:
        return self._client.session.server_now or datetime.now(UTC)

    def _conflict(self, write: Write, detail: str) -> NexusConflictError:
        return NexusConflictError(write.method, Call(write.method, write.path).label, detail=detail)

    def _ambiguous(self, write: Write, since: datetime, why: str | NexusAmbiguousWriteError) -> NexusAmbiguousWriteError:
        lookup = write.lookup_by_hand.replace("{since}", f"{since:%Y-%m-%dT%H:%M:%SZ}")
        lookup = f"{lookup} Only when Nexus did not carry it out, {self._ledger.way_out}.".lstrip()
        if isinstance(why, str):
            why = NexusAmbiguousWriteError(write.method, Call(write.method, write.path).label, detail=why)
        return ambiguous(why, lookup)
