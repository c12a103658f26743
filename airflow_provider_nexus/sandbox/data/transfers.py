"""Transfers between exchanges, hot wallet and cold store: one for every twentieth trade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_nexus.api.schemas.trading import TRANSFER
from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.chance import scatter
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.collection import Record
from airflow_provider_nexus.sandbox.data.accounts import address_of
from airflow_provider_nexus.sandbox.data.market import PRICE_SCALE
from airflow_provider_nexus.sandbox.data.progress import Course
from airflow_provider_nexus.sandbox.data.trades import UNITS
from airflow_provider_nexus.sandbox.data.views import SerialView
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS, EXCHANGES
from airflow_provider_nexus.sandbox.stamps import HOUR, MINUTE, Form, compact
from airflow_provider_nexus.sandbox.timeline import Timeline

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


STRIDE, OFFSET = 20, 4
_STEPS = ("Initiated", "Sending", "Confirming")
_ENDS = {
    "DEPOSIT": ("HotWallet", "Exchange"),
    "WITHDRAW": ("Exchange", "HotWallet"),
    "CORRECTION": ("HotWallet", "Coldstore"),
}


class Transfers(SerialView):
    """The generator of ``transfers``."""

    def __init__(self, world: World, timeline: Timeline) -> None:
        super().__init__(world, timeline, "transfer", "COMPLETED")

    def code(self, row: int) -> str:
        """The transfer code of a row."""
        return codes.serial("TRF", row, compact(self.stamp(row)))

    def kind(self, row: int) -> str:
        """The type of a seeded row: mostly deposits and withdrawals."""
        pick = scatter(self._salt, row) % 10
        return "CORRECTION" if pick == 0 else "DEPOSIT" if pick < 6 else "WITHDRAW"

    def status(self, row: int, at: int) -> str:
        """The status at a moment: settled ones in upper case."""
        course, age = self.course(row), at - self.stamp(row)
        if age < course.settles:
            return _STEPS[max(0, age) * 3 // course.settles]
        return "CANCELLED" if course.is_taken_back(age) else course.fate

    def short_course(self, row: int) -> Course:
        """Most end within the hour, the others within a day."""
        bits = scatter(self._salt + 1, row)
        pick = bits % 100
        settles = 2 * MINUTE + (bits >> 20) % (HOUR if pick < 90 else 20 * HOUR)
        return Course(settles, "CANCELLED" if pick < 3 else "REJECTED" if pick < 6 else "COMPLETED")

    def record(self, row: int, at: int, form: Form, *, single: bool = False) -> Record:  # noqa: ARG002
        """The row as it is at a moment."""
        status = self.status(row, at)
        record = _blank(row) if row >= WRITTEN else self._base(row, status)
        record["transferCode"] = self.code(row)
        record["status"] = status
        record["created"] = form(self.stamp(row))
        record["finished"] = self.finished(row, status, form)
        return self._world.fitted("transfers", self.patched(row, record, form))

    def _base(self, row: int, status: str) -> Record:
        trade, bits, kind = self.trade(row), scatter(self._salt + 2, row), self.kind(row)
        source, sink = _ENDS[kind]
        exchange = EXCHANGES[bits % 3][0]
        chain = bits >> 8
        return {
            "transferCode": "",
            "type": kind,
            "status": "",
            "amount": money.number(trade.units, UNITS, trade.spelt),
            "created": None,
            "finished": None,
            "exchangeTransferCode": f"EX-{bits % 10**8}" if bits % 3 else None,
            "price": money.number(trade.price, PRICE_SCALE) if bits % 5 else None,
            "txId": (str(chain) if bits % 2 else f"0x{chain:064x}") if status not in ("Initiated", "REJECTED") else None,
            "userName": "treasury@example.org" if bits % 4 == 0 else None,
            "comment": None if bits % 3 else "",
            "cryptoCode": CRYPTOS[trade.crypto].code,
            "address": {
                "sourceType": source,
                "sinkType": sink,
                "address": address_of(bits * 17),
                "sinkExchangeCode": exchange if sink == "Exchange" else None,
                "sourceExchangeCode": exchange if source == "Exchange" else None,
            },
        }


def _blank(row: int) -> Record:
    return {**{field.name: None for field in TRANSFER.fields}, "txId": f"{row - WRITTEN + 10**15}"}
