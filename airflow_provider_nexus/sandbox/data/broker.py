"""The classic generation's view of broker trades, ``/transaction``, and their sums, ``/transaction/totals``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.collection import Path, Record
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.market import PRICE_SCALE
from airflow_provider_nexus.sandbox.data.trades import CENTS, UNITS, Trade, cents_for
from airflow_provider_nexus.sandbox.data.transactions import METHODS, NETWORK_FEE_UNITS
from airflow_provider_nexus.sandbox.data.views import TradeView
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS, EXCHANGES, PORTFOLIOS
from airflow_provider_nexus.sandbox.misfits import added_up
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import DAY, Form, zulu_ticks
from airflow_provider_nexus.sandbox.timeline import Derived, Timeline

_PLACES = (1, 3, 6, 8)
_BELOW = (0, 0, 1, 1, 2, 2, 2, 3, 3, 4)
_SUMMED = {
    "payoutValue": "payout",
    "tradeValue": "tradeValue",
    "bankCommission": "bankCommission",
    "partnerCommission": "partnerCommission",
    "networkCommission": "networkCommission",
}
_REASONS = {"PayoutOnHold": "DailySellLimit", "Blocked": "UnidentifiedBusiness"}


def broker_timeline(trades: Timeline) -> Derived:
    """The four broker trades of every ten."""
    return Derived(
        trades,
        lambda row: row // 4 * 10 + _PLACES[row % 4],
        lambda count: count // 10 * 4 + _BELOW[count % 10],
    )


class BrokerTransactions(TradeView):
    """The generator of ``broker_transactions``."""

    def find(self, code: str, at: int) -> int | None:
        """The row of a transaction code."""
        trade_row = self._world.trades.find(code)
        row = None if trade_row is None else self.row_of(trade_row)
        return row if row is not None and self.is_seen(row, at) else None

    def value(self, row: int, at: int, path: Path) -> Any:
        """One value of the row, or of its customer."""
        trade = self.trade(row)
        if path[0] == "customer":
            return None if trade.customer is None else self._world.customers.record(trade.customer, at, zulu_ticks).get(path[1])
        if path == ("status",):
            return self._world.trades.broker_status(trade, at)
        if path == ("isSettled",):
            return self._is_settled(trade, at)
        return super().value(row, at, path)

    def record(self, row: int, at: int, form: Form, *, single: bool = False) -> Record:  # noqa: ARG002
        """The row as it is at a moment."""
        trade = self.trade(row)
        trades, world = self._world.trades, self._world
        status = trades.broker_status(trade, at)
        kind = trade.kind.removeprefix("BROKER")
        traded = trades.phase(trade, at) in progress.EXECUTED
        record: Record = {
            "transactionCode": trades.code_of(trade),
            "transactionType": kind,
            "type": kind,
            "status": status,
            "portfolioCode": PORTFOLIOS[trade.dealt[14] % 2][0],
            "customerCode": None if trade.customer is None else world.customers.code(trade.customer),
            "accountCode": None if trade.account is None else codes.account(trade.account),
            "cryptoCurrencyCode": CRYPTOS[trade.crypto].code,
            "currencyCode": trade.currency.code,
            "paymentMethodCode": METHODS[trade.kind],
            "enchangeCode": EXCHANGES[trade.dealt[15] % 3][0] if traded else None,
            "exchangeOrderCode": world.order_code(trade.row) if traded else None,
            **_chain_ids(trade, sent=traded),
            **self._dates(trade, at, form),
            **_amounts(trade, traded=traded),
            "comment": _REASONS.get(status),
            "payComment": "" if trade.dealt[11] % 2 else None,
            "bankTransferReference": f"NX{trade.dealt[11] % 10**9:09d}" if trade.dealt[11] % 3 else None,
        }
        record["isSettled"] = self._is_settled(trade, at)
        return world.fitted("broker_transactions", record)

    def _dates(self, trade: Trade, at: int, form: Form) -> Record:
        phase, settles = self._world.trades.phase(trade, at), trade.course.settles
        marks = {"notified": settles // 5, "traded": settles // 2, "confirmed": settles * 4 // 5}
        held = phase in (progress.HELD, progress.FAILED) and trade.course.fate != progress.ON_HOLD
        dates = {
            name: form(trade.created + after) if at >= trade.created + after and not (held and name != "notified") else None
            for name, after in marks.items()
        }
        end = self._finished(trade, at)
        return {"created": form(trade.created), **dates, "finished": None if end is None else form(end)}

    def _finished(self, trade: Trade, at: int) -> int | None:
        """The stamp of the end, in microseconds; a call that ends a trade always leaves one."""
        phase, pins = self._world.trades.phase(trade, at), self._world.trades.pins.get(trade.row)
        if phase not in progress.ENDED:
            return None
        if pins:
            return pins[-1][0]
        if phase == progress.FAILED:
            return trade.created + trade.course.settles if trade.course.is_stamped else None
        return trade.created + trade.course.ends

    def _is_settled(self, trade: Trade, at: int) -> bool:
        return at - trade.created > 7 * DAY and self._finished(trade, at) is not None


def _chain_ids(trade: Trade, *, sent: bool) -> Record:
    bits = trade.dealt[12] << 32 | trade.dealt[13]
    chain = (f"{bits:020d}" if bits % 8 == 0 else f"{bits:016x}" * 4) if sent else None
    buy = trade.kind == "BROKERBUY"
    return {"cryptoSendTxId": chain if buy else None, "cryptoReceiveTxId": None if buy else chain}


def _amounts(trade: Trade, *, traded: bool) -> Record:
    spelt = trade.spelt
    units = money.number(trade.units, UNITS, spelt)
    price = money.number(trade.price, PRICE_SCALE)
    network = cents_for(NETWORK_FEE_UNITS, trade.price) if trade.kind == "BROKERBUY" else 0
    partner, bank = trade.cents // 100, trade.cents // 200
    left = trade.cents - partner - bank - network
    sells = trade.kind == "BROKERSELL"
    return {
        "cryptoAmount": units,
        "cryptoExpectedAmount": units if sells else None,
        "cryptoSent": units if traded and not sells else None,
        "cryptoTraded": units if traded else None,
        "cryptoEstimatePrice": price,
        "cryptoTradePrice": price if traded else None,
        "cryptoPrice": price,
        "tradeValue": money.number(trade.cents, CENTS, spelt),
        "bankCommission": money.number(bank, CENTS, spelt),
        "partnerCommission": money.number(partner, CENTS, spelt),
        "networkCommission": money.number(network, CENTS),
        "payout": money.number(left, CENTS, spelt) if sells and traded else None,
    }


def totals(collection: BrokerTransactions, rows: Iterable[int], at: int, settings: SandboxSettings) -> list[Record]:
    """Exact sums per status, in upper case here, and currency. See docs/api_facts.rst, Broker transaction."""
    resource = RESOURCES["broker_transactions"]
    counts: dict[tuple[str, str], int] = defaultdict(int)
    sums: dict[tuple[str, str], dict[str, Decimal]] = {}
    for row in rows:
        record = added_up(resource, collection, row, collection.record(row, at, zulu_ticks), settings)
        group = record["status"].upper(), record["currencyCode"]
        counts[group] += 1
        held = sums.setdefault(group, dict.fromkeys(_SUMMED, Decimal(0)))
        for name, source in _SUMMED.items():
            held[name] = money.add(held[name], record[source])
    return [
        {"status": status, "currencyCode": currency, "transactionCount": counts[status, currency]}
        | {name: money.raw(value) for name, value in sums[status, currency].items()}
        for status, currency in sorted(counts)
    ]
