"""The classic generation's view of broker trades, ``/transaction``."""

from __future__ import annotations

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.customers import Customers
from airflow_provider_nexus.sandbox.data.exchange import Orders
from airflow_provider_nexus.sandbox.data.trades import BROKER_PLACES, TradeFacts, Trades, TradeView
from airflow_provider_nexus.sandbox.data.transactions import METHODS, NETWORK_FEE_UNITS, chain_id
from airflow_provider_nexus.sandbox.data.vocabulary import EXCHANGES, PORTFOLIOS
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.stamps import DAY, Stamp
from airflow_provider_nexus.sandbox.timeline import Presence, Timeline, derived

_BELOW = (0, 0, 1, 1, 2, 2, 2, 3, 3, 4)
_REASONS = {"PayoutOnHold": "DailySellLimit", "Blocked": "UnidentifiedBusiness"}


def broker_timeline(trades: Timeline) -> Timeline:
    """The four broker trades of every ten."""
    return derived(trades, lambda row: row // 4 * 10 + BROKER_PLACES[row % 4], lambda count: count // 10 * 4 + _BELOW[count % 10])


class BrokerTransactions(TradeView):
    """The rows of ``broker_transactions``."""

    def __init__(self, customers: Customers, trades: Trades, orders: Orders, presence: Presence) -> None:
        super().__init__(trades, broker_timeline(trades.timeline), presence)
        self._orders = orders
        self.quick = {
            "customer": lambda row, at: customers.record(self.trade(row).customer or 0, at),
            "status": lambda row, at: trades.broker_status(self.trade(row), at),
            "isSettled": lambda row, at: self._is_settled(self.trade(row), at),
        }

    def find(self, code: str, at: int) -> int | None:
        """The row of a transaction code."""
        trade_row = self._trades.find(code)
        row = None if trade_row is None else self.row_of(trade_row)
        return row if row is not None and self.is_seen(row, at) else None

    def record(self, row: int, at: int) -> Record:
        """The row as it is at a moment."""
        trade, trades = self.trade(row), self._trades
        status, kind = trades.broker_status(trade, at), trade.kind.removeprefix("BROKER")
        traded, buys = trades.phase(trade, at) in progress.EXECUTED, trade.kind == "BROKERBUY"
        return {
            "transactionCode": trade.code,
            "transactionType": kind,
            "type": kind,
            "status": status,
            "portfolioCode": PORTFOLIOS[trade.dealt[14] % 2][0],
            "customerCode": trades.customer_code(trade),
            "accountCode": trade.account_code,
            "cryptoCurrencyCode": trade.crypto_code,
            "currencyCode": trade.currency.code,
            "paymentMethodCode": METHODS[trade.kind],
            "enchangeCode": EXCHANGES[trade.dealt[15] % 3][0] if traded else None,
            "exchangeOrderCode": self._orders.code_for(trade.row) if traded else None,
            "cryptoSendTxId": chain_id(trade) if traded and buys else None,
            "cryptoReceiveTxId": chain_id(trade) if traded and not buys else None,
            **self._dates(trade, at),
            **_amounts(trade, traded=traded),
            "comment": _REASONS.get(status),
            "payComment": "" if trade.dealt[11] % 2 else None,
            "bankTransferReference": f"NX{trade.dealt[11] % 10**9:09d}" if trade.dealt[11] % 3 else None,
            "isSettled": self._is_settled(trade, at),
        }

    def _dates(self, trade: TradeFacts, at: int) -> Record:
        phase, settles = self._trades.phase(trade, at), trade.course.settles
        marks = {"notified": settles // 5, "traded": settles // 2, "confirmed": settles * 4 // 5}
        stopped = phase in (progress.STOPPED, progress.FAILED) and trade.course.fate != progress.ON_HOLD
        dates = {
            name: Stamp(trade.created + after) if at >= trade.created + after and not (stopped and name != "notified") else None
            for name, after in marks.items()
        }
        end = self._finished(trade, at)
        return {"created": Stamp(trade.created), **dates, "finished": None if end is None else Stamp(end)}

    def _finished(self, trade: TradeFacts, at: int) -> int | None:
        """The stamp of the end, in microseconds; a trade that a call ended always has one."""
        phase, pins = self._trades.phase(trade, at), self._trades.pins.get(trade.row)
        if phase not in progress.ENDED:
            return None
        if pins:
            return pins[-1][0]
        if phase == progress.FAILED:
            return trade.created + trade.course.settles if trade.course.is_stamped else None
        return trade.created + trade.course.ends

    def _is_settled(self, trade: TradeFacts, at: int) -> bool:
        return at - trade.created > 7 * DAY and self._finished(trade, at) is not None


def _amounts(trade: TradeFacts, *, traded: bool) -> Record:
    spelt, sells = trade.spelt, trade.kind == "BROKERSELL"
    units, price = money.crypto(trade.units, spelt), money.price(trade.price)
    network = 0 if sells else money.cents_for(NETWORK_FEE_UNITS, trade.price)
    partner, bank = trade.cents // 100, trade.cents // 200
    return {
        "cryptoAmount": units,
        "cryptoExpectedAmount": units if sells else None,
        "cryptoSent": units if traded and not sells else None,
        "cryptoTraded": units if traded else None,
        "cryptoEstimatePrice": price,
        "cryptoTradePrice": price if traded else None,
        "cryptoPrice": price,
        "tradeValue": money.fiat(trade.cents, spelt),
        "bankCommission": money.fiat(bank, spelt),
        "partnerCommission": money.fiat(partner, spelt),
        "networkCommission": money.fiat(network),
        "payout": money.fiat(trade.cents - partner - bank - network, spelt) if sells and traded else None,
    }
