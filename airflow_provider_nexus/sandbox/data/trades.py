"""Trades: the facts beneath transactions, in both generations' views, beneath the hot wallet's ledger, orders and transfers.

Rows go in tens. Places 1, 3, 6 and 8 are broker trades; 4 and 5 have one stamp and are often both ends of a swap or
send; the others are custodian trades of all kinds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.chance import SCALE, Words, dealer
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.customers import BROKER_PLACE, EACH, Customers, crypto_of
from airflow_provider_nexus.sandbox.data.market import CRYPTOS, Currency, Market
from airflow_provider_nexus.sandbox.data.progress import Course
from airflow_provider_nexus.sandbox.rows import Timed
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import HOUR, compact
from airflow_provider_nexus.sandbox.timeline import Presence, Timeline

_KINDS = ("BUY",) * 7 + ("SELL",) * 4 + ("SENDOUT",) * 2 + ("RECEIVEIN",) * 3 + ("GIFT", "SENDTOBUCKET", "INTEREST", "CLAWBACK")
BROKER_PLACES = (1, 3, 6, 8)
OUTGOING = frozenset({"SELL", "SENDOUT", "SENDTOBUCKET", "CLAWBACK", "SENDINTERNAL-SOURCE", "SWAP-SOURCE"})
"""Types that take crypto from the customer's balance."""
_MEDIAN, _SPREAD, _SIZES = 25_000, 1.2, 256
_CENTS = [round(_MEDIAN * math.exp(_SPREAD * NormalDist().inv_cdf(step / (_SIZES + 2)))) for step in range(1, _SIZES + 2)]
"""Values of trades in cents of a euro, each as likely as the next: log-normal, half of them below 250 euros."""
_SELDOM, _LARGE = 100, 20
"""One trade in so many is that many times larger."""
_UNPAID_FOR = 6 * HOUR


@dataclass(slots=True)
class TradeFacts:
    """The facts of one trade.

    :param created: stamp in microseconds
    :param kind: type as under ``/transactions/custodian``
    :param customer: the customer's row; ``None`` for an incoming payment of nobody yet
    :param account: the account's row
    :param crypto: the crypto's place in the list
    :param cents: value at scale 2
    :param units: crypto at scale 8
    :param price: millionths of the currency per crypto
    :param direction: SOURCE, DESTINATION or nothing
    :param twin: row of the other end
    :param extra: what a call over the API gave
    """

    row: int
    created: int
    kind: str
    customer: int | None
    account: int | None
    crypto: int
    currency: Currency
    cents: int
    units: int
    price: int
    spelt: int
    course: Course
    dealt: Words
    direction: str | None = None
    twin: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The transaction code."""
        return codes.transaction(self.row, compact(self.created))

    @property
    def account_code(self) -> str | None:
        """The account's code."""
        return None if self.account is None else codes.account(self.account)

    @property
    def crypto_code(self) -> str:
        """The crypto's code."""
        return CRYPTOS[self.crypto].code

    @property
    def is_broker(self) -> bool:
        """Whether it is a broker trade, shown by the classic generation too."""
        return self.kind.startswith("BROKER")

    @property
    def signed_units(self) -> int:
        """The change of the customer's balance, at scale 8."""
        name = f"{self.kind}-{self.direction}" if self.kind in ("SENDINTERNAL", "SWAP") else self.kind
        return -self.units if name in OUTGOING else self.units


class Trades:
    """All trades, seeded and written; ``start`` is where the clock starts."""

    def __init__(self, settings: SandboxSettings, timeline: Timeline, customers: Customers, market: Market, start: int) -> None:
        self._lives, self._is_awkward = settings.lives, settings.amounts == "awkward"
        self.timeline, self._customers, self._market = timeline, customers, market
        self._deal = dealer(settings.seed, "trade")
        self._awaited_from = start - _UNPAID_FOR if settings.payouts == "awaited" else math.inf
        self.written: list[TradeFacts] = []
        self.pins: dict[int, list[tuple[int, int]]] = {}
        """Phases set by calls: (moment, phase), oldest first."""

    def get(self, row: int) -> TradeFacts:
        """The facts of a row."""
        return self.written[row - codes.WRITTEN] if row >= codes.WRITTEN else self._seeded(row)

    def code(self, row: int) -> str:
        """The transaction code of a row."""
        return codes.transaction(row, compact(self.stamp(row)))

    def stamp(self, row: int) -> int:
        """When the row was made."""
        return self.written[row - codes.WRITTEN].created if row >= codes.WRITTEN else self.timeline.stamp(row)

    def customer_code(self, trade: TradeFacts) -> str | None:
        """The code of a trade's customer."""
        return None if trade.customer is None else self._customers.code(trade.customer)

    def find(self, code: str) -> int | None:
        """The row of a transaction code."""
        row = codes.transaction_row(code.upper())
        if row is None or (row >= codes.WRITTEN and row - codes.WRITTEN >= len(self.written)):
            return None
        return row if self.code(row) == code.upper() else None

    def phase(self, trade: TradeFacts, at: int) -> int:
        """The phase of a trade at a moment."""
        if trade.row in self.pins:
            for moment, phase in reversed(self.pins[trade.row]):
                if moment <= at:
                    return phase
        phase = trade.course.phase(at - trade.created)
        is_awaited = trade.kind == "SELL" and trade.created >= self._awaited_from
        if is_awaited and phase in progress.EXECUTED and trade.course.fate in (progress.COMPLETED, progress.ON_HOLD):
            return progress.SECOND_STEP
        return phase

    def pin(self, row: int, at: int, phase: int) -> None:
        """Put a trade in a phase from now on."""
        self.pins.setdefault(row, []).append((at, phase))

    def status(self, trade: TradeFacts, at: int) -> str:
        """The status under ``/transactions/custodian``."""
        return progress.custodian_status(trade.kind, trade.course, self.phase(trade, at))

    def broker_status(self, trade: TradeFacts, at: int) -> str:
        """The status under ``/transaction``."""
        return progress.broker_status(trade.kind, trade.course, self.phase(trade, at))

    def _seeded(self, row: int) -> TradeFacts:
        place, created = row % 10, self.timeline.stamp(row)
        dealt = self._deal(row)
        if place in (4, 5):
            return self._end_of_pair(row, created, dealt)
        if place in BROKER_PLACES:
            kind = "BROKERBUY" if dealt[0] % 5 < 3 else "BROKERSELL"
            return self._trade(row, created, kind, self._pick(created, dealt), BROKER_PLACE, dealt)
        return self._trade(row, created, _KINDS[dealt[0] % 20], self._pick(created, dealt), dealt[3] % 2, dealt)

    def _pick(self, created: int, dealt: Words) -> int:
        return dealt[2] % self._choice(created)

    def _choice(self, created: int) -> int:
        return max(1, self._customers.timeline.first(created - HOUR))

    def _end_of_pair(self, row: int, created: int, dealt: Words) -> TradeFacts:
        is_source = row % 10 == 4
        lead = dealt if is_source else self._deal(row - 1)
        customer, choice = self._pick(created, lead), self._choice(created)
        partner = customer + 10 if customer + 10 < choice else customer - 10
        kind = ("SWAP", "SENDINTERNAL", "")[lead[1] % 3]
        if not kind or (kind == "SENDINTERNAL" and partner < 0):
            return self._trade(row, created, "BUY" if is_source else "SELL", self._pick(created, dealt), 0, dealt)
        swap = kind == "SWAP"
        owner = customer if is_source or swap else partner
        trade = self._trade(row, created, kind, owner, 0 if is_source or not swap else 1, lead)
        trade.direction = "SOURCE" if is_source else "DESTINATION"
        trade.twin = row + 1 if is_source else row - 1
        return trade

    def _trade(self, row: int, created: int, kind: str, customer: int, place: int, dealt: Words) -> TradeFacts:
        crypto = crypto_of(customer, place)
        currency = self._customers.currency(customer)
        price = self._market.price(crypto, currency, created)
        spelt = money.spelling(dealt[6])
        course = progress.course_of(dealt, kind, self._lives, spoiled=spelt == money.HUGE)
        if not self._is_awkward and spelt != money.WHOLE:
            spelt = money.PLAIN
        cents, units = _size(dealt, spelt, price, currency, CRYPTOS[crypto].decimals)
        account = customer * EACH + place
        return TradeFacts(row, created, kind, customer, account, crypto, currency, cents, units, price, spelt, course, dealt)


def _size(dealt: Words, spelt: int, price: int, currency: Currency, decimals: int) -> tuple[int, int]:
    """The value in cents, and the amount of crypto at scale 8 with no more decimals than the crypto has."""
    if spelt == money.HUGE:
        return 123_456_789_012_34 + dealt[7] % 1000, 12_345_678_901_212_345_678 + dealt[7] % 1000
    if spelt == money.ZERO:
        return 0, 0
    if spelt == money.TINY:
        units = 1 + dealt[7] % 999
        return units * price // 10**12, units
    place, within = divmod(dealt[4] * _SIZES, SCALE)
    low, high = _CENTS[place : place + 2]
    cents = (low + (high - low) * within // SCALE) * (1 if dealt[5] % _SELDOM else _LARGE) * currency.rate // 1_000_000
    if spelt == money.WHOLE:
        cents = -(-cents // 100) * 100
    units = money.units_for(cents, price)
    return cents, units - units % 10 ** (money.UNITS - decimals)


class TradeView(Timed):
    """Rows that come from trades, and appear and vanish with them."""

    def __init__(self, trades: Trades, timeline: Timeline, presence: Presence) -> None:
        super().__init__(timeline, presence)
        self._trades = trades
        self._links: list[int] = []

    def link(self, trade: TradeFacts) -> int:
        """A row for a trade made over the API."""
        self._links.append(trade.row)
        return self.add(trade.created)

    def trade(self, row: int) -> TradeFacts:
        """The trade that a row comes from."""
        return self._trades.get(self.timeline.origin(row) if row < codes.WRITTEN else self._links[row - codes.WRITTEN])

    def row_of(self, trade_row: int) -> int | None:
        """The row that shows a trade, if one does."""
        if trade_row >= codes.WRITTEN:
            return codes.WRITTEN + self._links.index(trade_row) if trade_row in self._links else None
        row = self.timeline.first(self._trades.stamp(trade_row))
        while self.timeline.origin(row) < trade_row:
            row += 1
        return row if self.timeline.origin(row) == trade_row else None
