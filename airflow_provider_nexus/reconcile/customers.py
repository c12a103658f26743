"""A second look at a customer whose balance differs: all of the customer's transactions, read anew, against the balance now.

A copy is read after its windows have ended, and Nexus does not tell when a transaction was completed. So a transaction that was
completed in between counts in the copy, and did not count at the moment. Whether a difference is of that kind is found out and
not assumed: by now the balance must be the sum of all completed transactions, and single ones must be the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.api.records import at
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.extract.records import RecordsWanted
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.reconcile.judge import Explanation, Line, Outcome, alike, together
from airflow_provider_nexus.reconcile.movements import TRANSACTION_FIELDS, Movement, Transaction, of_transaction
from airflow_provider_nexus.reconcile.statement import Amounts, Place, Statement

_TRIES = 3
_LONGEST_READING = timedelta(hours=1)
"""A record is read at most so long after its reading has begun."""


class SecondLook:
    """Looks again at customers, over the span that is reconciled."""

    def __init__(self, client: NexusClient, statement: Statement, span: Window, log: Log) -> None:
        self._client, self._statement, self._span, self._log = client, statement, span, log

    def at(self, customer: str, lines: Iterable[Line], copied: Iterable[Transaction]) -> list[Line]:
        """Lines that differ with their outcomes after a second look, given the customer's transactions by the copy."""
        seen, balance = self._now(customer)
        stored = {each.movement.record: each for each in copied}
        return [self._judged(line, seen, balance, stored) for line in lines]

    def _now(self, customer: str) -> tuple[dict[str, Transaction], Amounts]:
        """The customer's transactions and balance, both of now: read until no balance has changed in between."""
        balance = self._statement.customer(customer, None)
        for _ in range(_TRIES):
            seen = {each.movement.record: each for each in self._transactions(customer)}
            before, balance = balance, self._statement.customer(customer, None)
            if balance == before:
                break
        return seen, balance

    def _transactions(self, customer: str) -> Iterator[Transaction]:
        wanted = RecordsWanted(resource=get_resource("transactions"), filters={"customerCode": customer}, settle_lag=0)
        for record in wanted.records(self._client, self._log):
            # a server that does not know the filter lists those of everybody
            if at(record, "customerCode") == customer:
                yield of_transaction(*(at(record, name) for name in TRANSACTION_FIELDS))

    def _judged(self, line: Line, seen: Mapping[str, Transaction], balance: Amounts, stored: Mapping[str, Transaction]) -> Line:
        place = line.place, line.code
        mine = {code: each for code, each in seen.items() if each.movement.place == place}
        if apart := tuple(self._apart(place, mine, seen, stored)):
            return replace(line, explanations=apart)
        completed = [each.movement for each in mine.values() if each.is_completed]
        before = sum((each.amount for each in completed if each.at < self._span.start), Decimal(0))
        # what no transaction shows, such as a balance that was brought along from elsewhere
        brought = balance.get(place, Decimal(0)) - sum(each.amount for each in completed)
        if brought and brought != self._before(place, mine):
            return replace(line, explanations=alike(completed, brought))
        # Nexus agrees with itself by now. What was begun before the start is taken as it has become, so that the difference can
        # only be when transactions around the moment took effect.
        early = Explanation("earlier transactions", line.opening - brought - before, "they took effect around the start")
        # if all of them had taken effect at the start, they had at the moment
        doubtful = mine if early.amount else {code: each for code, each in mine.items() if each.movement.at >= self._span.start}
        explained = together(self._doubtful(doubtful, stored), line.stated - brought - before - line.moved)
        if explained is None:
            return line
        return replace(line, outcome=Outcome.TIMING, explanations=(*explained, *([early] if early.amount else [])))

    def _before(self, place: Place, mine: Mapping[str, Transaction]) -> Decimal:
        """The balance before the first of a customer's transactions of a crypto."""
        first = min((each.movement.at for each in mine.values()), default=self._span.start)
        return self._statement.customer(place[0], first - SECOND).get(place, Decimal(0))

    def _apart(
        self, place: Place, mine: Mapping[str, Transaction], seen: Mapping[str, Transaction], stored: Mapping[str, Transaction]
    ) -> Iterator[Explanation]:
        """Transactions that are not in the copy as they are in Nexus."""
        again = "sync its window again"
        for code, each in mine.items():
            if code not in stored and self._span.start <= each.movement.at < self._span.end:
                yield Explanation(code, each.movement.amount, f"the copy lacks it: {again}")
            elif code in stored and each.is_completed and stored[code].is_completed and stored[code].movement != each.movement:
                yield Explanation(code, each.movement.amount, f"it has another mutation in the copy: {again}")
            elif code in stored and self._is_stale(stored[code], each):
                yield Explanation(code, each.movement.amount, f"it has another status in the copy: {again}, or capture changes")
        for code, each in stored.items():
            if each.movement.place == place and code not in seen:
                yield Explanation(code, each.movement.amount, f"Nexus does not have it any more: {again}")

    def _is_stale(self, stored: Transaction, seen: Transaction) -> bool:
        """Whether a status in the copy can't be what Nexus had at the moment, by what it has now.

        What has failed is never completed. What was still in flight when it was read before the moment can have been completed
        by then. What is completed in a version that was read before the moment counted at it, even if it was taken back since.
        """
        if stored.is_completed:
            return False
        return seen.is_completed and (stored.phase is Phase.FAILED or not self._may_be_later(stored))

    def _may_be_later(self, stored: Transaction) -> bool:
        """Whether what the copy shows of a transaction may have come about after the moment."""
        return stored.read_at is None or stored.read_at + _LONGEST_READING > self._span.end

    def _doubtful(
        self, seen: Mapping[str, Transaction], stored: Mapping[str, Transaction]
    ) -> Iterator[tuple[timedelta, Movement]]:
        """What the records had at the moment and Nexus perhaps not, or with the other sign the other way, and how near it is."""
        for code, each in seen.items():
            movement, other = each.movement, each.movement._replace(amount=-each.movement.amount)
            distance = abs(self._span.end - movement.at)
            if movement.at < self._span.start:
                # completed after the moment; or completed by then, and taken back since
                yield distance, movement if each.is_completed else other
            elif code not in stored:
                if each.is_completed and movement.at < self._span.end + SECOND:
                    # of the second of the moment, which Nexus may take in
                    yield distance, other
            elif self._may_be_later(stored[code]) and each.phase is stored[code].phase and each.phase.is_settled:
                # completed after the moment; or completed by then, and taken back before it was read
                yield distance, movement if each.is_completed else other
