"""Custodian balances: the exact sums of ``balanceMutation.crypto`` over completed transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.collection import Record
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.progress import LONGEST
from airflow_provider_nexus.sandbox.data.trades import UNITS, Trade
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


_CHUNK = 1000
Sums = dict[int, Decimal]
"""Amounts by the crypto's place in the list."""


class Balances:
    """Sums over trades. Chunks of old trades, which do not change any more, are summed once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._settled: dict[int, tuple[Sums, Sums]] = {}
        self._owned: dict[int | None, list[int]] = defaultdict(list)
        self._indexed = 0

    def records(self, at: int, customer: int | None = None) -> list[Record]:
        """The balances at a moment, of everybody or of one customer; only cryptos that were ever moved."""
        total, locked = self._everybody(at) if customer is None else self._of(customer, at)
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

    def available(self, customer: int, crypto: int, at: int) -> Decimal:
        """What a customer can spend of a crypto."""
        total, locked = self._of(customer, at)
        return total.get(crypto, Decimal(0)) - locked.get(crypto, Decimal(0))

    def _of(self, customer: int, at: int) -> tuple[Sums, Sums]:
        trades = self._world.trades
        rows = self._world.transactions.rows(None, None, at)
        seeded: range | set[int] = rows if isinstance(rows, range) else {row for row in rows if row < WRITTEN}
        written = () if isinstance(rows, range) else [trades.get(row) for row in rows if row >= WRITTEN]
        self._index(max(seeded, default=-1) + 1)
        mine = [trades.get(row) for row in self._owned[customer] if row in seeded]
        return self._sum([*mine, *(trade for trade in written if trade.customer == customer)], at)

    def _index(self, stop: int) -> None:
        """Whose each seeded trade is, up to a row; that never changes, and to make them all for every customer takes long."""
        for row in range(self._indexed, stop):
            self._owned[self._world.trades.get(row).customer].append(row)
        self._indexed = max(self._indexed, stop)

    def _everybody(self, at: int) -> tuple[Sums, Sums]:
        trades = self._world.trades
        rows = self._world.transactions.rows(None, None, at)
        start = self._settled_till(rows, at) if isinstance(rows, range) else 0
        total, locked = self._sum(map(trades.get, rows[start:]), at)
        for chunk in range(start // _CHUNK):
            if chunk not in self._settled:
                held = range(chunk * _CHUNK, (chunk + 1) * _CHUNK)
                self._settled[chunk] = self._sum(map(trades.get, held), at)
            for into, part in zip((total, locked), self._settled[chunk], strict=True):
                for crypto, value in part.items():
                    into[crypto] = money.add(into.get(crypto, Decimal(0)), value)
        return total, locked

    def _settled_till(self, rows: range, at: int) -> int:
        """How many rows from the first on, in whole chunks, do not change any more by themselves or were touched."""
        trades = self._world.trades
        touched = min(trades.pins, default=rows.stop)
        return min(trades.timeline.first(at - LONGEST[self._world.settings.lives]), touched, rows.stop) // _CHUNK * _CHUNK

    def _sum(self, trades: Iterable[Trade], at: int) -> tuple[Sums, Sums]:
        units: dict[int, int] = defaultdict(int)
        held: dict[int, int] = defaultdict(int)
        noisy: Sums = {}
        for trade in trades:
            if trade.is_broker:
                continue
            phase = self._world.trades.phase(trade, at)
            if phase == progress.DONE and trade.spelt == money.NOISY:
                value = money.decimal(money.number(trade.signed_units, UNITS, trade.spelt))
                noisy[trade.crypto] = money.add(noisy.get(trade.crypto, Decimal(0)), value)
            elif phase == progress.DONE:
                units[trade.crypto] += trade.signed_units
            elif phase not in progress.ENDED and trade.signed_units < 0:
                held[trade.crypto] += trade.units
        total = {crypto: Decimal(value).scaleb(-UNITS) for crypto, value in units.items()}
        for crypto, value in noisy.items():
            total[crypto] = money.add(total.get(crypto, Decimal(0)), value)
        return total, {crypto: Decimal(value).scaleb(-UNITS) for crypto, value in held.items()}
