"""A reconciliation: what Nexus states at a moment against what the records of copies add up to, book by book, place by place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from functools import cached_property
from heapq import heappush, heappushpop

from airflow_provider_nexus.api.codes import did_you_mean
from airflow_provider_nexus.api.environments import normal_form
from airflow_provider_nexus.api.timestamps import SECOND, to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.totals import EXACT
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.reconcile import movements as rules
from airflow_provider_nexus.reconcile.copied import CopiedRecords, common_span
from airflow_provider_nexus.reconcile.customers import SecondLook
from airflow_provider_nexus.reconcile.judge import Line, Outcome, alike, since, together
from airflow_provider_nexus.reconcile.reconciled import BALANCES, CUSTOMERS, HOT, PROOF, RESERVES, Reconciled
from airflow_provider_nexus.reconcile.request import Tolerance, check_copies
from airflow_provider_nexus.reconcile.reserves import ReserveMovements
from airflow_provider_nexus.reconcile.statement import ALL, HOT_WALLET, Amounts, Place, Statement

_NEWEST = 200
"""Newest transactions of a crypto whose customers are looked at when only totals are asked for."""
_SAID = 1000
"""Customers after which the log says how far it is."""
_NARROWED = 8
"""Places of which the second is looked for from which on they differ; each takes about two dozen calls."""


@dataclass(kw_only=True)
class Reconciliation:
    """Compares copies with Nexus.

    :param client: of the server that the copies were read from
    :param copies: by resource: transactions for balances, hot wallet mutations for the hot wallet, and orders, transfers and
        hot wallet mutations for reserves
    :param start: from when on records are added up; ``None`` for where what is proved begins
    :param moment: what is compared; ``None`` for where what is proved ends
    :param tolerance: how much a place may differ
    :param customers: whether each customer with a completed transaction is compared, one call each. If not, only those whose
        newest transactions could explain why a total differs
    :param follow: called with how many customers were compared, and how many there are
    :raises NexusConfigurationError: when the copies are none that can be reconciled
    """

    client: NexusClient
    copies: Mapping[str, CopiedRecords]
    log: Log
    start: datetime | None = None
    moment: datetime | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    customers: bool = True
    follow: Callable[[int, int | None], object] = lambda done, total: None  # noqa: ARG005

    def __post_init__(self) -> None:
        _refuse_unfit(self.copies, self.client.session.environment.base_url)
        self._notes, self._narrowed = list[str](), 0

    def run(self) -> Reconciled:
        """Compare.

        :raises NexusWindowError: when not all that is added up is proved, or records of it were put aside
        :raises NexusUnprovedError: when what is read of Nexus itself changes too fast
        :raises NexusDataError: when an amount or a status can't be read
        :raises NexusApiError: one class per cause
        """
        before, span = self.client.session.calls, self.span
        for name, copy in self.copies.items():
            read_at = min(each.read_at for each in copy.within(span))
            self.log.info(
                "%s: %s, proved from %s to %s, read from %s on", name, copy.where, *map(to_wire, (span.start, span.end, read_at))
            )
            if self.start is None and (left := [each for each in copy.spans if each.end < span.start]):
                self.log.warning(
                    "%s: what is proved up to %s is not added up, as a gap is behind it: sync what is missing",
                    name,
                    to_wire(left[-1].end),
                )
        with localcontext(EXACT):
            self._refuse_unknown_codes()
            lines = [line for book in (self._balances, self._hot_wallet, self._reserves, self._proof) for line in book()]
        environment = self.client.session.environment
        return Reconciled(
            environment=environment.name,
            base_url=environment.base_url,
            start=span.start,
            moment=span.end,
            lines=tuple(lines),
            notes=tuple(self._notes),
            copies={name: copy.where for name, copy in self.copies.items()},
            calls=self.client.session.calls - before,
        )

    def _refuse_unknown_codes(self) -> None:
        """Refuse a tolerance of what nothing is known of, before customers are compared: it may be meant for another code."""
        span, stated = self.span, self._statement
        known = {code for at in (span.start, span.end) for book in (stated.balances, stated.reserves) for _, code in book(at)}
        if not self.tolerance.codes - {code.upper() for code in known}:
            return
        if "transactions" in self.copies:
            known |= {each.movement.place[1] for each in self._transactions()}
        if "hot_wallet_mutations" in self.copies:
            moved = self._movements.all() if "orders" in self.copies else self._movements.of_ledger()
            known |= {each.place[1] for each in moved}
        for code in sorted(self.tolerance.codes - {each.upper() for each in known}):
            hint = did_you_mean(code, sorted(known))
            raise NexusConfigurationError(
                f"tolerance is given for {code}, of which neither Nexus nor the copies have anything: {hint}"
            )

    @cached_property
    def span(self) -> Window:
        """What is added up: all that every copy proves, between the start and the moment where they are given."""
        return common_span(self.copies.values(), self.start, self.moment)

    @cached_property
    def _statement(self) -> Statement:
        return Statement(self.client)

    def _lines(self, book: str, opening: Amounts, moved: Iterable[rules.Movement], stated: Amounts) -> list[Line]:
        """A line for each place that has anything."""
        sums = defaultdict[Place, Decimal](Decimal)
        for movement in moved:
            sums[movement.place] += movement.amount
        nothing, places = Decimal(0), sorted({*opening, *sums, *stated})
        found = (
            Line(
                book=book,
                place=place[0],
                code=place[1],
                opening=opening.get(place, nothing),
                moved=sums.get(place, nothing),
                stated=stated.get(place, nothing),
            )
            for place in places
        )
        return [line.judged(self.tolerance) for line in found]

    def _balances(self) -> Iterator[Line]:
        if "transactions" not in self.copies:
            return
        span, sums = self.span, self._sums()
        opening, stated = self._statement.balances(span.start), self._statement.balances(span.end)
        moved = (rules.Movement((ALL, code), amount, "", "", span.start) for (_, code), amount in sums.items())
        totals = self._lines(BALANCES, opening, moved, stated)
        lines = list(self._by_customer(sums, totals, has_opening=any(opening.values())))
        for total in totals:
            of_it = [line for line in lines if line.code == total.code and line.outcome in (Outcome.TIMING, Outcome.DIFFERS)]
            if total.outcome is Outcome.DIFFERS and of_it and sum(line.difference for line in of_it) == total.difference:
                worst = Outcome.DIFFERS if any(line.outcome is Outcome.DIFFERS for line in of_it) else Outcome.TIMING
                why = tuple(each for line in of_it if line.outcome is worst for each in line.explanations)
                yield replace(total, outcome=worst, explanations=why)
            else:
                yield total
        yield from lines

    def _transactions(self) -> Iterator[rules.Transaction]:
        return rules.of_transactions(self.copies["transactions"], self.span)

    def _sums(self) -> Amounts:
        """What completed transactions have moved, by customer and crypto."""
        sums = defaultdict[Place, Decimal](Decimal)
        for each in self._transactions():
            if each.is_completed and each.movement.amount:
                sums[each.movement.place] += each.movement.amount
        return sums

    def _by_customer(self, sums: Amounts, totals: list[Line], *, has_opening: bool) -> Iterator[Line]:
        wanted = {customer for customer, _ in sums} if self.customers else self._newest(totals)
        wanted.discard(rules.NOBODY)
        moved = defaultdict[str, list[rules.Movement]](list)
        for place, amount in sums.items():
            moved[place[0]].append(rules.Movement(place, amount, "", "", self.span.start))
        doubtful = list[tuple[str, list[Line]]]()
        for done, customer in enumerate(sorted(wanted)):
            self.follow(done, len(wanted))
            if done and done % _SAID == 0:
                self.log.info("%s of %s customers compared", f"{done:,}", f"{len(wanted):,}")
            opening = self._statement.customer(customer, self.span.start) if has_opening else {}
            lines = self._lines(CUSTOMERS, opening, moved[customer], self._statement.customer(customer, self.span.end))
            yield from (line for line in lines if line.outcome is not Outcome.DIFFERS)
            if wrong := [line for line in lines if line.outcome is Outcome.DIFFERS]:
                doubtful.append((customer, wrong))
        mine = defaultdict[str, list[rules.Transaction]](list)
        names = {customer for customer, _ in doubtful}
        for each in self._transactions() if names else ():
            if each.movement.place[0] in names:
                mine[each.movement.place[0]].append(each)
        look = SecondLook(self.client, self._statement, self.span, self.log)
        for customer, wrong in doubtful:
            yield from look.at(customer, wrong, mine[customer])

    def _newest(self, totals: list[Line]) -> set[str]:
        """The customers of the newest transactions of the cryptos whose totals differ."""
        newest = {line.code: list[tuple[datetime, str]]() for line in totals if line.outcome is Outcome.DIFFERS}
        for each in self._transactions() if newest else ():
            customer, code = each.movement.place
            if code in newest:
                push = heappush if len(newest[code]) < _NEWEST else heappushpop
                push(newest[code], (each.movement.at, customer))
        return {customer for some in newest.values() for _, customer in some}

    def _hot_wallet(self) -> Iterator[Line]:
        if "hot_wallet_mutations" not in self.copies:
            return
        span, ledger = self.span, self._movements.of_ledger
        opening = {place: amount for place, amount in self._statement.reserves(span.start).items() if place[0] == HOT_WALLET}
        stated, moving = self._statement.hot_wallet(self._movements.ledger_since)
        self._notes += [
            f"hot wallet, {code}: it moved each time it was read, so it was not compared" for _, code in sorted(moving)
        ]
        for line in self._lines(HOT, opening, ledger(), stated):
            if line.at in moving:
                continue
            of_it = [each for each in ledger() if each.place == line.at] if line.outcome is Outcome.DIFFERS else []
            first = [each for each in of_it if each.at < span.start + SECOND]
            yield line if not of_it else self._explained(line, first, of_it)

    def _reserves(self) -> Iterator[Line]:
        if not {"orders", "transfers", "hot_wallet_mutations"} <= set(self.copies):
            return
        span, known, moved = self.span, self._statement.reserves, self._movements
        lines = self._lines(RESERVES, known(span.start), moved.all(), known(span.end))
        edges, alike_it = moved.of({line.at: line.difference for line in lines if line.outcome is Outcome.DIFFERS})
        for line in lines:
            if line.outcome is not Outcome.DIFFERS:
                yield line
                continue
            found = self._explained(line, edges.get(line.at, ()), alike_it.get(line.at, ()))
            if found.outcome is Outcome.DIFFERS and self._narrowed < _NARROWED:
                self._narrowed += 1
                of_it = [each for each in moved.all() if each.place == line.at]
                second = self._second_of(line, of_it)
                in_it = (each for each in of_it if second <= each.at < second + SECOND)
                found = replace(found, explanations=(*since(second, in_it), *found.explanations))
            yield found

    @staticmethod
    def _explained(line: Line, edges: Iterable[rules.Movement], movements: Iterable[rules.Movement]) -> Line:
        """A line that differs, by the movements of its place; of those at the edges it is not known if Nexus takes them in."""
        if explained := together(((timedelta(0), each) for each in edges), line.difference):
            return replace(line, outcome=Outcome.TIMING, explanations=explained)
        return replace(line, explanations=alike(movements, line.difference))

    @cached_property
    def _movements(self) -> ReserveMovements:
        return ReserveMovements(self.client, self.copies, self.span, self.log)

    def _second_of(self, line: Line, moved: list[rules.Movement]) -> datetime:
        """The second in which a place began to differ: Nexus is asked for moments in between, by halving."""
        place, right, wrong = line.at, self.span.start, self.span.end
        while wrong - right > SECOND:
            middle = right + (wrong - right) // (2 * SECOND) * SECOND
            expected = line.opening + sum(each.amount for each in moved if each.at < middle)
            if self._statement.reserves(middle).get(place, Decimal(0)) == expected:
                right = middle
            else:
                wrong = middle
        return right

    def _proof(self) -> Iterator[Line]:
        """Of each crypto as much is there as customers own."""
        owed, there = defaultdict[str, Decimal](Decimal), defaultdict[str, Decimal](Decimal)
        for (_, code), amount in self._statement.balances(self.span.end).items():
            owed[code] += amount
        for (_, code), amount in self._statement.reserves(self.span.end).items():
            there[code] += amount
        for code in sorted(owed):
            line = Line(book=PROOF, place="all places", code=code, opening=Decimal(0), moved=owed[code], stated=there[code])
            yield line.judged(self.tolerance) if line.difference < 0 else line


def _refuse_unfit(copies: Mapping[str, CopiedRecords], base_url: str) -> None:
    check_copies(copies)
    for name, copy in copies.items():
        if normal_form(copy.base_url) != normal_form(base_url):
            raise NexusConfigurationError(
                f"{copy.where} was read from {copy.base_url}, and the connection leads to {base_url}: give the connection that "
                "it was read with"
            )
        treated = {each.lower() for window in copy.windows for each in window.protected}
        if lacking := [each for each in rules.FIELDS[name] if treated & {each.lower(), each.lower().partition(".")[0]}]:
            raise NexusConfigurationError(
                f"{copy.where} does not have {', '.join(lacking)} as Nexus sends it, by the protection that it was synced with: "
                f"nothing can be compared. Reconcile a copy of {name} that has it"
            )
