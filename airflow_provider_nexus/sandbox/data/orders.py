"""Orders at exchanges: one for every fifth trade. See docs/api_facts.rst, Orders and transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_nexus.api.schemas.trading import ORDER
from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.chance import scatter
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.collection import Record
from airflow_provider_nexus.sandbox.data.market import PRICE_SCALE
from airflow_provider_nexus.sandbox.data.progress import Course
from airflow_provider_nexus.sandbox.data.trades import CENTS, UNITS, Trade
from airflow_provider_nexus.sandbox.data.views import SerialView
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS, EXCHANGES
from airflow_provider_nexus.sandbox.stamps import DAY, MINUTE, Form, compact
from airflow_provider_nexus.sandbox.timeline import Timeline

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


STRIDE, OFFSET = 5, 1
_VALID = {"short": DAY, "long": 60 * DAY}
_STEPS = ("Initiated", "Queued", "Open")
_REASONS = {"REJECTED": "EOrder:Insufficient funds", "EXPIRED": "", "CANCELLED": "Cancelled by user"}


class Orders(SerialView):
    """The generator of ``orders``."""

    def __init__(self, world: World, timeline: Timeline) -> None:
        super().__init__(world, timeline, "order", "FILLED")

    def code(self, row: int) -> str:
        """The order code of a row."""
        crypto = CRYPTOS[self._crypto(row)].code.partition("-")[0]
        return codes.serial(f"ORD-{crypto}", row, compact(self.stamp(row)))

    def _crypto(self, row: int) -> int:
        return int(self.patches[row]["_crypto"]) if row >= WRITTEN else self.trade(row).crypto

    def status(self, row: int, at: int) -> str:
        """The status at a moment: settled ones in upper case."""
        pinned = self.patches.get(row, {}).get("status")
        if pinned:
            return str(pinned)
        course, age = self.course(row), at - self.stamp(row)
        settles, fate = course.settles, course.fate
        if age >= settles:
            return "CANCELLED" if course.is_taken_back(age) else fate
        return "ToCancel" if fate == "CANCELLED" and age * 4 > settles * 3 else _STEPS[max(0, age) * 3 // settles]

    def short_course(self, row: int) -> Course:
        """Most end in minutes, some in hours; those that expire do so after a day."""
        bits = scatter(self._salt, row)
        pick = bits % 100
        if pick < 3:
            return Course(DAY, "EXPIRED")
        settles = MINUTE // 6 + (bits >> 20) % (10 * MINUTE if pick < 90 else DAY // 2)
        return Course(settles, "REJECTED" if pick < 6 else "CANCELLED" if pick < 10 else "FILLED")

    def record(self, row: int, at: int, form: Form, *, single: bool = False) -> Record:  # noqa: ARG002
        """The row as it is at a moment."""
        status = self.status(row, at)
        created = self.stamp(row)
        written = row >= WRITTEN
        record = self._written_base(row) if written else self._base(row)
        record["orderCode"] = self.code(row)
        record["status"] = status
        record["created"] = form(created)
        record["originalValidTill"] = form(created + _VALID[self._world.settings.lives])
        record["finished"] = self.finished(row, status, form)
        record["executed"] = self._executed(row, status, at - created)
        record["reason"] = _REASONS.get(status)
        self.patched(row, record, form)
        for name in ("_crypto", "_trade"):
            record.pop(name, None)
        return self._world.fitted("orders", record)

    def _base(self, row: int) -> Record:
        trade, bits = self.trade(row), scatter(self._salt + 1, row)
        limit = bits % 3 == 0
        return {
            "orderCode": "",
            "exchangeTradeCode": f"{bits % 10**12:012d}" if bits % 4 else None,
            "tradePair": {
                "exchangeCode": EXCHANGES[bits % 3][0],
                "currencyCode": trade.currency.code,
                "cryptoCode": CRYPTOS[trade.crypto].code,
            },
            "action": "Buy" if trade.kind == "BROKERBUY" else "Sell",
            "type": "Limit" if limit else "Market",
            "status": "",
            "amount": money.number(trade.cents, CENTS, trade.spelt),
            "limitPrice": money.number(trade.price, PRICE_SCALE) if limit else None,
            "created": None,
            "finished": None,
            "originalValidTill": None,
            "executed": None,
            "reason": None,
            "data": {"desk": "auto"} if bits % 2 else None,
        }

    def _written_base(self, row: int) -> Record:
        blank: Record = {field.name: None for field in ORDER.fields}
        return {**blank, "exchangeTradeCode": f"{row - WRITTEN:012d}"}

    def _executed(self, row: int, status: str, age: int) -> Record:
        partial = scatter(self._salt + 2, row) % 10 == 0
        filled = status == "FILLED" or self.course(row).is_taken_back(age)
        if not filled and not (status == "EXPIRED" and partial):
            return {"amount": None, "price": None, "value": None, "fee": None, "partial": False}
        trade: Trade = self.patches[row]["_trade"] if row >= WRITTEN else self.trade(row)
        part = 2 if partial else 1
        return {
            "amount": money.number(trade.units // part, UNITS, trade.spelt),
            "price": money.number(trade.price, PRICE_SCALE),
            "value": money.number(trade.cents // part, CENTS, trade.spelt),
            "fee": money.number(trade.cents * 26 // part // 100, CENTS + 2),
            "partial": partial,
        }
