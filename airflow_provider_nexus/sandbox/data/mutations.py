"""The hot wallet's ledger: a movement and a fee for every trade, both with its stamp, and no id of their own."""

from __future__ import annotations

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.collection import Record
from airflow_provider_nexus.sandbox.data.trades import CENTS, UNITS, Trade, cents_for
from airflow_provider_nexus.sandbox.data.views import TradeView
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS
from airflow_provider_nexus.sandbox.stamps import Form

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
    """The generator of ``hot_wallet_mutations``; trades that start a transfer are booked as that transfer."""

    def find(self, code: str, at: int) -> int | None:  # noqa: ARG002
        """Nothing: a mutation has no code."""
        return None

    def record(self, row: int, at: int, form: Form, *, single: bool = False) -> Record:  # noqa: ARG002
        """The row; it never changes."""
        trade = self.trade(row)
        code, kind = self._cause(trade)
        if row % 2:
            units, kind = -(_FEE_UNITS + trade.dealt[7] % 1_000), "FEE"
        else:
            units = -trade.units if kind in ("BUY", "GIFT", "SENDOUT", "WITHDRAW") else trade.units
        spelt = money.TINY if row % 2 else trade.spelt
        worth = cents_for(abs(units), trade.price)
        return self._world.fitted(
            "hot_wallet_mutations",
            {
                "type": kind,
                "created": form(self.stamp(row)),
                "transactionCode": code,
                "cryptoAmount": money.number(units, UNITS, spelt),
                "cryptoCode": CRYPTOS[trade.crypto].code,
                "value": money.number(
                    -worth if units < 0 else worth, CENTS, money.NOISY if trade.spelt == money.NOISY else money.PLAIN
                ),
            },
        )

    def _cause(self, trade: Trade) -> tuple[str, str]:
        """The code and type of a movement."""
        transfer = self._world.transfers.row_of(trade.row) if trade.row < WRITTEN and trade.row % 20 == 4 else None
        if transfer is not None:
            return self._world.transfers.code(transfer), self._world.transfers.kind(transfer)
        return self._world.trades.code_of(trade), _KINDS.get(trade.kind, "CORRECTION")
