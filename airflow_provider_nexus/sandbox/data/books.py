"""Books of what lies where: an opening amount, and what orders, transfers and the hot wallet's ledger have moved since.

Custodian balances are the exact sums of ``balanceMutation.crypto`` over completed transactions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from decimal import Decimal
from functools import cached_property, partial
from typing import Any

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.exchange import HotWalletMutations, Orders, SerialView, Transfers
from airflow_provider_nexus.sandbox.data.market import CRYPTOS, Market, crypto_index, currency_of
from airflow_provider_nexus.sandbox.data.trades import TradeFacts, Trades
from airflow_provider_nexus.sandbox.data.transactions import Transactions
from airflow_provider_nexus.sandbox.rows import Record, Timed
from airflow_provider_nexus.sandbox.stamps import DAY

HOT_WALLET, COLD_STORE, EXCHANGE = "HotWallet", "Coldstore", "Exchange"
Place = tuple[str, str | None, str]
"""Where something lies: kind of place, exchange, currency or crypto."""
_OPENING = {HOT_WALLET: 2_000_000, COLD_STORE: 20_000_000, EXCHANGE: 5_000_000}
"""What lay in each place before the first row, as euros at the price that a crypto starts with."""
_CHUNK = 1000
Effect = Callable[[Record, int], Iterable[tuple[Place, Decimal]]]
"""What a record has moved by a moment."""
Wrong = Callable[[], Collection[str]]
"""The setting ``wrong_books``, as it is at the moment."""


class Holdings:
    """What lies in each place at a moment; the seeded span ends at ``start``, and ``wrong`` is the setting ``wrong_books``."""

    def __init__(
        self, start: int, market: Market, orders: Orders, transfers: Transfers, mutations: HotWalletMutations, wrong: Wrong
    ) -> None:
        self._start, self._market, self._orders, self._mutations, self._wrong = start, market, orders, mutations, wrong
        self._views, self._last = (orders, transfers, mutations), (tuple[Any, ...](), dict[Place, Decimal]())
        self._events = (
            Events(orders, partial(_turns, orders), _of_order),
            Events(transfers, partial(_turns, transfers), _of_transfer),
            Events(mutations, lambda row: [mutations.stamp(row)], _of_mutation),
        )

    def moved(self, at: int) -> dict[Place, Decimal]:
        """What each place has gained up to a moment."""
        state = (at, tuple(self._wrong()), *((len(view.written_stamps), len(view.patches)) for view in self._views))
        if self._last[0] != state:
            self._last = state, self._moved(at)
        return self._last[1]

    def _moved(self, at: int) -> dict[Place, Decimal]:
        found = defaultdict[Place, Decimal](Decimal)
        for place, value in (each for events in self._events for each in events.at(at)):
            found[place] = money.add(found[place], value)
        for place, value in self._mistakes(at):
            found[place] = money.add(found[place], value)
        return found

    def _mistakes(self, at: int) -> Iterator[tuple[Place, Decimal]]:
        """What the books have too much by the setting ``wrong_books``."""
        wrong = self._wrong()
        if "lost_ledger_entry" in wrong and self._lost is not None and self._mutations.stamp(self._lost) <= at:
            yield from ((place, -value) for place, value in _of_mutation(self._mutations.record(self._lost, at), at))
        for name, row in zip(("doubled_fee", "price_of_another_day"), self._filled, strict=False):
            record = self._orders.record(row, at)
            if name in wrong and dict(_of_order(record, at)):
                pair = record["tradePair"]
                fee = money.decimal(record["executed"]["fee"])
                mistake = -fee if name == "doubled_fee" else self._at_the_price_of_the_day_before(row, record)
                yield (EXCHANGE, pair["exchangeCode"], pair["currencyCode"]), mistake

    @cached_property
    def _lost(self) -> int | None:
        """The entry of the ledger that the hot wallet lacks."""
        entries = (row for row in late_rows(self._mutations, self._start) if row % 2 == 0)
        return next((row for row in entries if self._mutations.trade(row).units), None)

    @cached_property
    def _filled(self) -> list[int]:
        """Two orders of some size that are filled for good."""
        found = list[int]()
        for row in late_rows(self._orders, self._start):
            course = self._orders.course(row)
            if course.fate == "FILLED" and not course.taken_back and self._orders.trade(row).cents > _CHUNK:
                found.append(row)
        return found[:2]

    def _at_the_price_of_the_day_before(self, row: int, record: Record) -> Decimal:
        trade, executed = self._orders.trade(row), record["executed"]
        price = Decimal(self._market.price(trade.crypto, trade.currency, trade.created - DAY)).scaleb(-money.PRICE_SCALE)
        more = round(money.decimal(executed["amount"]) * price, money.CENTS) - money.decimal(executed["value"])
        return more if record["action"] == "Sell" else -more


def opening(kind: str, code: str) -> Decimal:
    """What lay in a place before the first row."""
    currency, crypto = currency_of(code), crypto_index(code)
    euros = _OPENING[kind]
    return Decimal(euros * currency.rate // 10**6 if currency else euros * 10**6 // CRYPTOS[crypto or 0].price)


def _of_order(record: Record, at: int) -> Iterator[tuple[Place, Decimal]]:
    """An order moves coins one way and money the other when it ends; the fee is in the currency."""
    executed, pair, finished = record["executed"], record["tradePair"], record["finished"]
    if executed["amount"] is None or finished is None or finished > at:
        return
    sign = 1 if record["action"] == "Buy" else -1
    amount, value, fee = (money.decimal(executed[name]) for name in ("amount", "value", "fee"))
    yield (EXCHANGE, pair["exchangeCode"], pair["cryptoCode"]), sign * amount
    yield (EXCHANGE, pair["exchangeCode"], pair["currencyCode"]), -sign * value
    yield (EXCHANGE, pair["exchangeCode"], pair["currencyCode"]), -fee


def _of_transfer(record: Record, at: int) -> Iterator[tuple[Place, Decimal]]:
    """A transfer moves coins when it is completed. What it does to the hot wallet is in the hot wallet's ledger."""
    if record["status"] != "COMPLETED" or record["finished"] is None or record["finished"] > at:
        return
    ends = record["address"]
    for end, sign in (("source", -1), ("sink", 1)):
        if ends[f"{end}Type"] in (EXCHANGE, COLD_STORE):
            place = ends[f"{end}Type"], ends[f"{end}ExchangeCode"], record["cryptoCode"]
            yield place, sign * money.decimal(record["amount"])


def _of_mutation(record: Record, at: int) -> Iterator[tuple[Place, Decimal]]:  # noqa: ARG001 - it counts from its stamp on
    yield (HOT_WALLET, None, record["cryptoCode"]), money.decimal(record["cryptoAmount"])


def _turns(view: SerialView, row: int) -> Iterator[int]:
    """The moments at which a row ends, and is taken back."""
    course, start = view.course(row), view.stamp(row)
    yield start + course.settles
    if course.taken_back:
        yield start + course.taken_back


def late_rows(view: Timed, start: int) -> Iterable[int]:
    """The rows of the second half of the seeded span."""
    count = view.timeline.first(start)
    return range(count // 2, count)


class Events:
    """What the rows of a collection have moved up to a moment. What a row moves in its life is worked out once."""

    def __init__(self, view: Timed, moments: Callable[[int], Iterable[int]], effect: Effect) -> None:
        self._view, self._moments, self._effect = view, moments, effect
        self._known: dict[int, list[tuple[int, Place, Decimal]]] = {}

    def at(self, moment: int) -> Iterator[tuple[Place, Decimal]]:
        """All of them up to a moment."""
        for row in self._view.rows(None, None, moment):
            if row >= WRITTEN or row in self._view.patches:
                yield from self._effect(self._view.record(row, moment), moment)
                continue
            if row not in self._known:
                self._known[row] = list(self._life(row))
            yield from ((place, value) for when, place, value in self._known[row] if when <= moment)

    def _life(self, row: int) -> Iterator[tuple[int, Place, Decimal]]:
        """Each change of what the row has moved, with its moment."""
        before = dict[Place, Decimal]()
        for moment in self._moments(row):
            after = defaultdict[Place, Decimal](Decimal)
            for place, value in self._effect(self._view.record(row, moment), moment):
                after[place] = money.add(after[place], value)
            for place in {*before, *after}:
                if change := money.add(after[place], -before.get(place, Decimal(0))):
                    yield moment, place, change
            before = after


Sums = dict[int, Decimal]
"""Amounts by the crypto's place in the list."""


class Balances:
    """Sums over trades. Chunks of old trades, which do not change any more, are summed once."""

    def __init__(self, start: int, lives: str, trades: Trades, transactions: Transactions, wrong: Wrong) -> None:
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
