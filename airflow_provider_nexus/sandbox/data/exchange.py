"""Orders at exchanges, one for every fifth trade; transfers of coins, one for every twentieth; the hot wallet's ledger.

See docs/api_facts.rst, Orders and transfers.
"""

from __future__ import annotations

from abc import abstractmethod

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.data.customers import address_of
from airflow_provider_nexus.sandbox.data.market import CRYPTOS
from airflow_provider_nexus.sandbox.data.progress import Course, long_life
from airflow_provider_nexus.sandbox.data.trades import TradeFacts, Trades, TradeView
from airflow_provider_nexus.sandbox.data.vocabulary import EXCHANGES
from airflow_provider_nexus.sandbox.rows import Record, blank
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, MINUTE, Stamp, compact
from airflow_provider_nexus.sandbox.timeline import Presence, every, several

_VALID = {"short": DAY, "long": 60 * DAY}
_REASONS = {"REJECTED": "EOrder:Insufficient funds", "EXPIRED": "", "CANCELLED": "Cancelled by user"}
_ENDS = {
    "DEPOSIT": ("HotWallet", "Exchange"),
    "WITHDRAW": ("Exchange", "HotWallet"),
    "CORRECTION": ("HotWallet", "Coldstore"),
}
_BOOKED_AS = {
    "BUY": "BUY",
    "BROKERBUY": "BUY",
    "SELL": "SELL",
    "BROKERSELL": "SELL",
    "GIFT": "GIFT",
    "SENDOUT": "SENDOUT",
    "RECEIVEIN": "RECEIVEIN",
}
_FEE_UNITS = 1_000
_REJECTED_PERCENT = 3


class SerialView(TradeView):
    """Rows with a serial code and a status that moves with the clock, which can also be made over the API.

    Long-lived rows that are taken back after they succeeded show as ``CANCELLED``, the nearest that the documents have.

    :cvar noun: the resource's name in the singular
    :cvar offset: the first trade that has a row; the others are a stride apart
    :cvar steps: statuses in flight, in three equal parts of the time
    """

    noun: str
    stride: int
    offset: int
    steps: tuple[str, ...]
    succeeded: str

    def __init__(self, settings: SandboxSettings, trades: Trades, presence: Presence) -> None:
        super().__init__(trades, every(trades.timeline, self.stride, self.offset), presence)
        self._lives = settings.lives
        self._salt, self._life_salt = salt_of(settings.seed, self.noun), salt_of(settings.seed, f"{self.noun}-life")
        self.quick = {"status": self.status}

    def course(self, row: int) -> Course:
        """The course of a row; its fate is the status at its end."""
        if self._lives == "short":
            return self.short_course(row)
        life = long_life(scatter(self._life_salt, row))
        if life.is_cancelled:
            return Course(life.ends, "CANCELLED", is_stamped=False)
        if scatter(self._life_salt, row) % 100 < _REJECTED_PERCENT:
            return Course(life.ends, "REJECTED")
        return Course(life.ends, self.succeeded, taken_back=life.taken_back)

    @abstractmethod
    def short_course(self, row: int) -> Course:
        """The course of a row of a short life."""

    @abstractmethod
    def code(self, row: int) -> str:
        """The code of a row."""

    @abstractmethod
    def details(self, row: int, status: str, age: int) -> Record:
        """What a row has besides code, status and the stamps of its start and end."""

    def step(self, course: Course, age: int) -> str:
        """The status in flight at an age."""
        return self.steps[max(0, age) * 3 // course.settles]

    def status(self, row: int, at: int) -> str:
        """The status at a moment: settled ones in upper case."""
        pinned = self.patches.get(row, {}).get("status")
        if pinned:
            return str(pinned)
        course, age = self.course(row), at - self.stamp(row)
        if age < course.settles:
            return self.step(course, age)
        return "CANCELLED" if course.is_taken_back(age) else course.fate

    def record(self, row: int, at: int) -> Record:
        """The row as it is at a moment."""
        status, course, created = self.status(row, at), self.course(row), self.stamp(row)
        known = {
            f"{self.noun}Code": self.code(row),
            "status": status,
            "created": Stamp(created),
            "finished": Stamp(created + course.settles) if status.isupper() and course.is_stamped else None,
        }
        return self.patched(row, blank(f"{self.noun}s", **known, **self.details(row, status, at - created)))

    def find(self, code: str, at: int) -> int | None:
        """The row of a code."""
        row = codes.serial_row(code)
        return row if row is not None and self.is_seen(row, at) and self.code(row) == code else None


class Orders(SerialView):
    """The rows of ``orders``."""

    noun, stride, offset = "order", 5, 1
    steps, succeeded = ("Initiated", "Queued", "Open"), "FILLED"

    def code(self, row: int) -> str:
        """The order code of a row."""
        crypto = int(self.patches[row]["_crypto"]) if row >= codes.WRITTEN else self.trade(row).crypto
        return codes.serial(f"ORD-{CRYPTOS[crypto].code.partition('-')[0]}", row, compact(self.stamp(row)))

    def code_for(self, trade_row: int) -> str | None:
        """The code of the order that a seeded trade gave rise to."""
        row = self.row_of(trade_row) if trade_row % self.stride == self.offset else None
        return None if row is None else self.code(row)

    def step(self, course: Course, age: int) -> str:
        """The status in flight at an age."""
        return "ToCancel" if course.fate == "CANCELLED" and age * 4 > course.settles * 3 else super().step(course, age)

    def short_course(self, row: int) -> Course:
        """Most end in minutes, some in hours; those that expire do so after a day."""
        bits = scatter(self._salt, row)
        pick = bits % 100
        if pick < 3:
            return Course(DAY, "EXPIRED")
        settles = MINUTE // 6 + (bits >> 20) % (10 * MINUTE if pick < 90 else DAY // 2)
        return Course(settles, "REJECTED" if pick < 6 else "CANCELLED" if pick < 10 else "FILLED")

    def details(self, row: int, status: str, age: int) -> Record:
        """What an order has besides."""
        return {
            "originalValidTill": Stamp(self.stamp(row) + _VALID[self._lives]),
            "executed": self._executed(row, status, age),
            "reason": _REASONS.get(status),
            **({"exchangeTradeCode": f"{row - codes.WRITTEN:012d}"} if row >= codes.WRITTEN else self._seeded(row)),
        }

    def _seeded(self, row: int) -> Record:
        trade, bits = self.trade(row), scatter(self._salt + 1, row)
        limit = bits % 3 == 0
        return {
            "exchangeTradeCode": f"{bits % 10**12:012d}" if bits % 4 else None,
            "tradePair": {
                "exchangeCode": EXCHANGES[bits % 3][0],
                "currencyCode": trade.currency.code,
                "cryptoCode": trade.crypto_code,
            },
            "action": "Buy" if trade.kind == "BROKERBUY" else "Sell",
            "type": "Limit" if limit else "Market",
            "amount": money.fiat(trade.cents, trade.spelt),
            "limitPrice": money.price(trade.price) if limit else None,
            "data": {"desk": "auto"} if bits % 2 else None,
        }

    def _executed(self, row: int, status: str, age: int) -> Record:
        partial = scatter(self._salt + 2, row) % 10 == 0
        filled = status == "FILLED" or self.course(row).is_taken_back(age)
        if not filled and not (status == "EXPIRED" and partial):
            return blank("orders", "executed", partial=False)
        trade: TradeFacts = self.patches[row]["_trade"] if row >= codes.WRITTEN else self.trade(row)
        part = 2 if partial else 1
        return {
            "amount": money.crypto(trade.units // part, trade.spelt),
            "price": money.price(trade.price),
            "value": money.fiat(trade.cents // part, trade.spelt),
            "fee": money.number(trade.cents * 26 // part // 100, money.CENTS + 2),
            "partial": partial,
        }


class Transfers(SerialView):
    """The rows of ``transfers``."""

    noun, stride, offset = "transfer", 20, 4
    steps, succeeded = ("Initiated", "Sending", "Confirming"), "COMPLETED"

    def code(self, row: int) -> str:
        """The transfer code of a row."""
        return codes.serial("TRF", row, compact(self.stamp(row)))

    def kind(self, row: int) -> str:
        """The type of a seeded row: mostly deposits and withdrawals."""
        pick = scatter(self._salt, row) % 10
        return "CORRECTION" if pick == 0 else "DEPOSIT" if pick < 6 else "WITHDRAW"

    def cause(self, trade_row: int) -> tuple[str, str] | None:
        """The code and type of the transfer that a trade starts, if it starts one."""
        starts = trade_row < codes.WRITTEN and trade_row % self.stride == self.offset
        row = self.row_of(trade_row) if starts else None
        return None if row is None else (self.code(row), self.kind(row))

    def short_course(self, row: int) -> Course:
        """Most end within the hour, the others within a day."""
        bits = scatter(self._salt + 1, row)
        pick = bits % 100
        settles = 2 * MINUTE + (bits >> 20) % (HOUR if pick < 90 else 20 * HOUR)
        return Course(settles, "CANCELLED" if pick < 3 else "REJECTED" if pick < 6 else "COMPLETED")

    def details(self, row: int, status: str, age: int) -> Record:  # noqa: ARG002
        """What a transfer has besides."""
        if row >= codes.WRITTEN:
            return {"txId": f"{row - codes.WRITTEN + 10**15}"}
        trade, bits, kind = self.trade(row), scatter(self._salt + 2, row), self.kind(row)
        (source, sink), exchange, chain = _ENDS[kind], EXCHANGES[bits % 3][0], bits >> 8
        return {
            "type": kind,
            "amount": money.crypto(trade.units, trade.spelt),
            "exchangeTransferCode": f"EX-{bits % 10**8}" if bits % 3 else None,
            "price": money.price(trade.price) if bits % 5 else None,
            "txId": (str(chain) if bits % 2 else f"0x{chain:064x}") if status not in ("Initiated", "REJECTED") else None,
            "userName": "treasury@example.org" if bits % 4 == 0 else None,
            "comment": None if bits % 3 else "",
            "cryptoCode": trade.crypto_code,
            "address": {
                "sourceType": source,
                "sinkType": sink,
                "address": address_of(bits * 17),
                "sinkExchangeCode": exchange if sink == "Exchange" else None,
                "sourceExchangeCode": exchange if source == "Exchange" else None,
            },
        }


class HotWalletMutations(TradeView):
    """The rows of ``hot_wallet_mutations``: a movement and a fee for every trade, both with its stamp, and no id of their own.

    Trades that start a transfer are booked as that transfer.
    """

    def __init__(self, trades: Trades, transfers: Transfers, presence: Presence) -> None:
        super().__init__(trades, several(trades.timeline, 2), presence)
        self._transfers = transfers

    def find(self, code: str, at: int) -> int | None:  # noqa: ARG002
        """Nothing: a mutation has no code."""
        return None

    def record(self, row: int, at: int) -> Record:  # noqa: ARG002
        """The row; it never changes."""
        trade = self.trade(row)
        code, kind = self._transfers.cause(trade.row) or (trade.code, _BOOKED_AS.get(trade.kind, "CORRECTION"))
        if row % 2:
            units, kind = -(_FEE_UNITS + trade.dealt[7] % 1_000), "FEE"
        else:
            units = -trade.units if kind in ("BUY", "GIFT", "SENDOUT", "WITHDRAW") else trade.units
        worth = money.cents_for(abs(units), trade.price)
        return {
            "type": kind,
            "created": Stamp(self.stamp(row)),
            "transactionCode": code,
            "cryptoAmount": money.crypto(units, money.TINY if row % 2 else trade.spelt),
            "cryptoCode": trade.crypto_code,
            "value": money.fiat(-worth if units < 0 else worth, money.NOISY if trade.spelt == money.NOISY else money.PLAIN),
        }
