"""The hot wallet's ledger: a movement and a fee for every trade, both with its stamp, and no id of their own."""

from __future__ import annotations

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.data.exchange import Transfers
from airflow_provider_nexus.sandbox.data.trades import Trades
from airflow_provider_nexus.sandbox.data.views import TradeView
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.stamps import Stamp
from airflow_provider_nexus.sandbox.timeline import Presence, several

_KINDS = {
    "BUY": "BUY",
    "BROKERBUY": "BUY",
    "SELL": "SELL",
    "BROKERSELL": "SELL",
    "GIFT": "GIFT",
    "SENDOUT": "SENDOUT",
    "RECEIVEIN": "RECEIVEIN",
}
_FEE_UNITS = 1_000


class HotWalletMutations(TradeView):
    """The rows of ``hot_wallet_mutations``; trades that start a transfer are booked as that transfer."""

    def __init__(self, trades: Trades, transfers: Transfers, presence: Presence) -> None:
        super().__init__(trades, several(trades.timeline, 2), presence)
        self._transfers = transfers

    def find(self, code: str, at: int) -> int | None:  # noqa: ARG002
        """Nothing: a mutation has no code."""
        return None

    def record(self, row: int, at: int) -> Record:  # noqa: ARG002
        """The row; it never changes."""
        trade = self.trade(row)
        code, kind = self._transfers.cause(trade.row) or (trade.code, _KINDS.get(trade.kind, "CORRECTION"))
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
