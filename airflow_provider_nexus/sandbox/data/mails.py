"""Mails: one for every fourth trade. See docs/api_facts.rst, Mail."""

from __future__ import annotations

from airflow_provider_nexus.api.resource import words
from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.data.customers import Customers
from airflow_provider_nexus.sandbox.data.trades import Trades, TradeView
from airflow_provider_nexus.sandbox.rows import Record, blank
from airflow_provider_nexus.sandbox.stamps import HOUR, MINUTE, Stamp
from airflow_provider_nexus.sandbox.timeline import Presence, every

_TYPES = words(
    "TransactionBuyFinish TransactionSellFinish NewAccountRequested TransactionNoticed BlockedTransaction ReviewRequest"
)


class Mails(TradeView):
    """The rows of ``mails``."""

    def __init__(self, seed: int, customers: Customers, trades: Trades, presence: Presence) -> None:
        super().__init__(trades, every(trades.timeline, 4, 0), presence)
        self._customers, self._salt = customers, salt_of(seed, "mail")
        self.quick = {"status": self.status}

    def find(self, code: str, at: int) -> int | None:
        """The row of a mail's guid."""
        row = codes.guid_row(code.lower())
        known = row is not None and self.is_seen(row, at) and codes.guid(row, self._salt) == code.lower()
        return row if known else None

    def status(self, row: int, at: int) -> str:
        """The status at a moment: most are sent within the hour, some never."""
        if "status" in self.patches.get(row, {}):
            return str(self.patches[row]["status"])
        pick = scatter(self._salt, row) % 100
        if row >= codes.WRITTEN or pick < 4 or at < self._sent(row):
            return "ReadyToSend"
        return "Deleted" if pick < 6 else "Sent"

    def _sent(self, row: int) -> int:
        return self.stamp(row) + MINUTE + (scatter(self._salt, row) >> 20) % HOUR

    def record(self, row: int, at: int) -> Record:
        """The row as it is at a moment; ``sent`` is an empty string until it was."""
        status = self.status(row, at)
        record = blank(
            "mails",
            code=codes.guid(row, self._salt),
            created=Stamp(self.stamp(row)),
            sent=Stamp(self._sent(row)) if status == "Sent" and row < codes.WRITTEN else "",
            status=status,
            **(self._seeded(row) if row < codes.WRITTEN else {}),
        )
        return self.patched(row, record)

    def _seeded(self, row: int) -> Record:
        trade, bits = self.trade(row), scatter(self._salt + 1, row)
        customer = self._customers.code(trade.customer or 0)
        return {
            "type": _TYPES[bits % 6],
            "references": {
                "accountCode": trade.account_code,
                "customerCode": customer,
                "transactionCode": trade.code if bits % 6 != 2 else None,
            },
            "content": {
                "subject": "Your transaction is done ✓" if bits % 3 else None,
                "html": "<p>Hello &amp; thanks</p>\r\n" if bits % 3 else None,
                "text": "" if bits % 3 else None,
            },
            "recipient": {
                "email": f"{customer.lower()}@example.org{'   ' if bits % 4 == 0 else ''}",
                "cc": "a@example.org,b@example.org" if bits % 10 == 0 else None,
                "bcc": "" if bits % 10 == 1 else None,
            },
            "count": bits % 3,
        }
