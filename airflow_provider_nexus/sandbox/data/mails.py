"""Mails: one for every fourth trade. See docs/api_facts.rst, Mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.collection import Path, Record
from airflow_provider_nexus.sandbox.data.views import TradeView
from airflow_provider_nexus.sandbox.stamps import HOUR, MINUTE, Form
from airflow_provider_nexus.sandbox.timeline import Timeline

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


STRIDE, OFFSET = 4, 0
_TYPES = (
    "TransactionBuyFinish",
    "TransactionSellFinish",
    "NewAccountRequested",
    "TransactionNoticed",
    "BlockedTransaction",
    "ReviewRequest",
)


class Mails(TradeView):
    """The generator of ``mails``."""

    def __init__(self, world: World, timeline: Timeline) -> None:
        super().__init__(world, timeline)
        self._salt = salt_of(world.settings.seed, "mail")

    def find(self, code: str, at: int) -> int | None:
        """The row of a mail's guid."""
        row = codes.guid_row(code.lower())
        known = row is not None and self.is_seen(row, at) and codes.guid(row, self._salt) == code.lower()
        return row if known else None

    def register(self, stamp: int, values: Record) -> int:
        """A mail made over the API."""
        row = self.add(stamp)
        self.patch(row, **values)
        return row

    def status(self, row: int, at: int) -> str:
        """The status at a moment: most are sent within the hour, some never."""
        if "status" in self.patches.get(row, {}):
            return str(self.patches[row]["status"])
        pick = scatter(self._salt, row) % 100
        if row >= WRITTEN or pick < 4 or at < self._sent(row):
            return "ReadyToSend"
        return "Deleted" if pick < 6 else "Sent"

    def _sent(self, row: int) -> int:
        return self.stamp(row) + MINUTE + (scatter(self._salt, row) >> 20) % HOUR

    def value(self, row: int, at: int, path: Path) -> Any:
        """One value of the row."""
        return self.status(row, at) if path == ("status",) else super().value(row, at, path)

    def record(self, row: int, at: int, form: Form, *, single: bool = False) -> Record:  # noqa: ARG002
        """The row as it is at a moment; ``sent`` is an empty string until it was."""
        status = self.status(row, at)
        record: Record = {
            "code": codes.guid(row, self._salt),
            "created": form(self.stamp(row)),
            "sent": form(self._sent(row)) if status == "Sent" and row < WRITTEN else "",
            "status": status,
            **(self._base(row) if row < WRITTEN else {}),
        }
        return self._world.fitted("mails", self.patched(row, record, form))

    def _base(self, row: int) -> Record:
        trade, bits = self.trade(row), scatter(self._salt + 1, row)
        customer = self._world.customers.code(trade.customer or 0)
        return {
            "type": _TYPES[bits % 6],
            "references": {
                "accountCode": None if trade.account is None else codes.account(trade.account),
                "customerCode": customer,
                "transactionCode": self._world.trades.code(trade.row) if bits % 6 != 2 else None,
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
