"""Custodian balances: the exact sums of ``balanceMutation.crypto`` over completed transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from functools import cached_property

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.books import late_rows
from airflow_provider_nexus.sandbox.data.market import CRYPTOS
from airflow_provider_nexus.sandbox.data.trades import TradeFacts, Trades
from airflow_provider_nexus.sandbox.data.transactions import Transactions
from airflow_provider_nexus.sandbox.rows import Record

_CHUNK = 1000
Sums = dict[int, Decimal]
"""Amounts by the crypto's place in the list."""


class Balances:
    """Sums over trades. Chunks of old trades, which do not change any more, are summed once.

    :param start: end of the seeded span, in microseconds
    :param wrong: the setting ``wrong_books``, as it is at the moment
    """

    def __init__(
        self, start: int, lives: str, trades: Trades, transactions: Transactions, wrong: Callable[[], Collection[str]]
    ) -> None:
        self._longest, self._trades, self._transactions = progress.LONGEST[lives], trades, transactions
        self._start, self._wrong = start, wrong
        self._settled: dict[int, tuple[Sums, Sums]] = {}
        self._owned: dict[int | None, list[int]] = defaultdict(list)
        self._indexed = 0

    def records(self, at: int, customer: int | None = None) -> list[Record]:
        """The balances at a moment, of everybody or of one customer; only cryptos that were ever moved."""
        total, locked = self._everybody(at) if customer is None else self._of(customer, at)
        lost = self._lost if "lost_mutation" in self._wrong() else None
        if lost and customer in (None, lost.customer) and self._trades.phase(lost, at) == progress.DONE:
            value = money.decimal(money.crypto(lost.signed_units, lost.spelt))
            total[lost.crypto] = money.add(total[lost.crypto], -value)
        return [
            {
                "code": CRYPTOS[crypto].code,
                "name": CRYPTOS[crypto].name,
                "locked": money.raw(locked.get(crypto, Decimal(0))),
                "total": money.raw(total.get(crypto, Decimal(0))),
                "available": money.raw(money.add(total.get(crypto, Decimal(0)), -locked.get(crypto, Decimal(0)))),
            }
            for crypto in sorted(set(total) | set(locked))
        ]

    @cached_property
    def _lost(self) -> TradeFacts | None:
        """A completed trade that the balances lack."""
        for row in late_rows(self._transactions, self._start):
            trade = self._trades.get(row)
            is_whole = trade.course.fate == progress.COMPLETED and not trade.course.taken_back
            if is_whole and trade.units and not trade.is_broker:
                return trade
        return None

    def available(self, customer: int, crypto: int, at: int) -> Decimal:
        """What a customer can spend of a crypto."""
        total, locked = self._of(customer, at)
        return total.get(crypto, Decimal(0)) - locked.get(crypto, Decimal(0))

    def _of(self, customer: int, at: int) -> tuple[Sums, Sums]:
        rows = self._transactions.rows(None, None, at)
        seeded: range | set[int] = rows if isinstance(rows, range) else {row for row in rows if row < WRITTEN}
        written = () if isinstance(rows, range) else [self._trades.get(row) for row in rows if row >= WRITTEN]
        self._index(max(seeded, default=-1) + 1)
        mine = [self._trades.get(row) for row in self._owned[customer] if row in seeded]
        return self._sum([*mine, *(trade for trade in written if trade.customer == customer)], at)

    def _index(self, stop: int) -> None:
        """Whose each seeded trade is, up to a row; that never changes, and to make them all for every customer takes long."""
        for row in range(self._indexed, stop):
            self._owned[self._trades.get(row).customer].append(row)
        self._indexed = max(self._indexed, stop)

    def _everybody(self, at: int) -> tuple[Sums, Sums]:
        rows = self._transactions.rows(None, None, at)
        start = self._settled_till(rows, at) if isinstance(rows, range) else 0
        total, locked = self._sum(map(self._trades.get, rows[start:]), at)
        for chunk in range(start // _CHUNK):
            if chunk not in self._settled:
                rows_of_chunk = range(chunk * _CHUNK, (chunk + 1) * _CHUNK)
                self._settled[chunk] = self._sum(map(self._trades.get, rows_of_chunk), at)
            for into, part in zip((total, locked), self._settled[chunk], strict=True):
                for crypto, value in part.items():
                    into[crypto] = money.add(into.get(crypto, Decimal(0)), value)
        return total, locked

    def _settled_till(self, rows: range, at: int) -> int:
        """How many rows from the first on, in whole chunks, do not change any more by themselves or were touched."""
        touched = min(self._trades.pins, default=rows.stop)
        return min(self._trades.timeline.first(at - self._longest), touched, rows.stop) // _CHUNK * _CHUNK

    def _sum(self, trades: Iterable[TradeFacts], at: int) -> tuple[Sums, Sums]:
        units: dict[int, int] = defaultdict(int)
        locked: dict[int, int] = defaultdict(int)
        noisy: Sums = {}
        for trade in trades:
            if trade.is_broker:
                continue
            phase = self._trades.phase(trade, at)
            if phase == progress.DONE and trade.spelt == money.NOISY:
                value = money.decimal(money.crypto(trade.signed_units, trade.spelt))
                noisy[trade.crypto] = money.add(noisy.get(trade.crypto, Decimal(0)), value)
            elif phase == progress.DONE:
                units[trade.crypto] += trade.signed_units
            elif phase not in progress.ENDED and trade.signed_units < 0:
                locked[trade.crypto] += trade.units
        total = {crypto: Decimal(value).scaleb(-money.UNITS) for crypto, value in units.items()}
        for crypto, value in noisy.items():
            total[crypto] = money.add(total.get(crypto, Decimal(0)), value)
        return total, {crypto: Decimal(value).scaleb(-money.UNITS) for crypto, value in locked.items()}
