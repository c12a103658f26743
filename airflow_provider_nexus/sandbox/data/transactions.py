"""The CASP generation's view of trades: ``/transactions/custodian``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.collection import Path, Record, Timed
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.accounts import address_of
from airflow_provider_nexus.sandbox.data.market import PRICE_SCALE
from airflow_provider_nexus.sandbox.data.trades import CENTS, UNITS, Trade, cents_for
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS
from airflow_provider_nexus.sandbox.stamps import Form
from airflow_provider_nexus.sandbox.timeline import Presence, Timeline

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


METHODS = {"BROKERBUY": "BUY_IDEAL", "BROKERSELL": "SELL_SEPA", "BUY": "CUST_BUY_IDEAL", "SELL": "CUST_SELL_SEPA"}
NETWORK_FEE_UNITS = 12_000


class Transactions(Timed):
    """The generator of ``transactions``."""

    def __init__(self, world: World, timeline: Timeline, presence: Presence) -> None:
        super().__init__(timeline, presence)
        self._world = world
        self._quick: dict[Path, Callable[[Trade, int], Any]] = {
            ("status",): world.trades.status,
            ("type",): lambda trade, at: trade.kind,  # noqa: ARG005
            ("direction",): lambda trade, at: trade.direction,  # noqa: ARG005
            ("cryptoCode",): lambda trade, at: CRYPTOS[trade.crypto].code,  # noqa: ARG005
            ("currencyCode",): lambda trade, at: trade.currency.code,  # noqa: ARG005
            ("customerCode",): lambda trade, at: self._customer_code(trade),  # noqa: ARG005
            ("accountCode",): lambda trade, at: self._account_code(trade),  # noqa: ARG005
            ("transactionCode",): lambda trade, at: world.trades.code(trade.row),  # noqa: ARG005
        }

    def add_trade(self, trade: Trade) -> Trade:
        """A trade made over the API; it is given its row."""
        trade.row = self.add(trade.created)
        trade.created = self.stamp(trade.row)
        self._world.trades.written.append(trade)
        return trade

    def find(self, code: str, at: int) -> int | None:
        """The row of a transaction code."""
        row = self._world.trades.find(code)
        return row if row is not None and self.is_seen(row, at) else None

    def value(self, row: int, at: int, path: Path) -> Any:
        """One value of the row."""
        quick = self._quick.get(path)
        return quick(self._world.trades.get(row), at) if quick else super().value(row, at, path)

    def record(self, row: int, at: int, form: Form, *, single: bool = False) -> Record:
        """The row as it is at a moment."""
        return self.shown(self._world.trades.get(row), at, form, single=single)

    def shown(self, trade: Trade, at: int, form: Form, *, single: bool = False) -> Record:
        """A trade as a record, also one that was only simulated."""
        trades = self._world.trades
        phase = trades.phase(trade, at)
        bits = trade.dealt[11]
        record: Record = {
            "transactionCode": trades.code_of(trade) if trade.row >= 0 else None,
            "linkedTransactionCode": None if trade.twin is None else trades.code(trade.twin),
            "customerCode": self._customer_code(trade),
            "accountCode": self._account_code(trade),
            "type": trade.kind,
            "direction": trade.direction,
            "status": progress.custodian_status(trade.kind, trade.course, phase) if trade.row >= 0 else "SIMULATED",
            "cryptoCode": CRYPTOS[trade.crypto].code,
            "currencyCode": trade.currency.code,
            "paymentMethodCode": METHODS.get(trade.kind, f"CUST_{trade.kind}"),
            "paymentReference": f"REF {bits % 10**7}" if bits % 3 else None,
            "callbackUrl": "https://shop.example.org/hook?a=1&b=2" if bits % 4 == 0 else None,
            "destinationCryptoAddress": address_of(bits) if trade.kind in ("SENDOUT", "BROKERBUY") else None,
            "blockchainMessage": "" if bits % 5 else "memo: \u20bf \U0001f680",
            "blockchainTransactionId": _chain_id(trade) if phase in progress.EXECUTED or phase == progress.HELD else None,
            "created": form(trade.created),
        }
        record.update(_amounts(trade, phase))
        if trade.row >= WRITTEN or trade.row < 0:
            record.update(trade.extra)
        self.patched(trade.row, record, form)
        if single:
            record["data"] = trade.extra.get("data", {"channel": "web"} if bits % 2 else None)
            comment = {"author": "operator", "text": "checked", "created": form(trade.created)}
            record["comments"] = [comment] if bits % 7 == 0 else []
        else:
            record.pop("data", None)
        return self._world.fitted("transactions", record)

    def _customer_code(self, trade: Trade) -> str | None:
        return None if trade.customer is None else self._world.customers.code(trade.customer)

    def _account_code(self, trade: Trade) -> str | None:
        return None if trade.account is None else codes.account(trade.account)


def _chain_id(trade: Trade) -> str | None:
    if trade.kind not in ("SENDOUT", "RECEIVEIN", "BROKERBUY", "BROKERSELL"):
        return None
    bits = trade.dealt[12] << 32 | trade.dealt[13]
    return f"{bits:020d}" if bits % 8 == 0 else f"{bits:016x}" * 4


def _amounts(trade: Trade, phase: int) -> Record:
    spelt, executed = trade.spelt, phase in progress.EXECUTED
    requested = {
        "cryptoAmount": money.number(trade.units, UNITS, spelt),
        "fiatValue": money.number(trade.cents, CENTS, spelt),
        "cryptoPrice": money.number(trade.price, PRICE_SCALE),
    }
    moves = not trade.is_broker
    signed = trade.signed_units
    value = -trade.cents if signed < 0 else trade.cents
    if not trade.units and trade.row >= WRITTEN:
        return dict.fromkeys(("requestedAmounts", "executedAmounts", "fees", "balanceMutation", "swapMarginAmountCrypto"))
    return {
        "requestedAmounts": requested,
        "executedAmounts": dict(requested) if executed else None,
        "fees": fees(trade, executed=executed),
        "balanceMutation": {"crypto": money.number(signed, UNITS, spelt), "fiat": money.number(value, CENTS, spelt)}
        if moves
        else None,
        "swapMarginAmountCrypto": money.number(trade.units // 200, UNITS, spelt) if trade.kind == "SWAP" else None,
    }


def fees(trade: Trade, *, executed: bool) -> Record:
    """The fees of a trade: one percent for the partner, half a percent for the bank, a fixed amount for the network."""
    network = NETWORK_FEE_UNITS if trade.kind in ("SENDOUT", "BROKERBUY") else 0
    network_cents = cents_for(network, trade.price)
    partner, bank = trade.cents // 100, trade.cents // 200
    spelt = trade.spelt
    return {
        "partnerFeeFiat": money.number(partner, CENTS, spelt),
        "bankFeeFiat": money.number(bank, CENTS, spelt),
        "networkFeeFiat": money.number(network_cents, CENTS),
        "networkFeeCrypto": money.number(network, UNITS, money.TINY),
        "actualNetworkFeeFiat": money.number(network_cents * 9 // 10, CENTS) if executed else None,
        "actualNetworkFeeCrypto": money.number(network * 9 // 10, UNITS) if executed else None,
        "partnerFeeCrypto": money.number(trade.units // 100, UNITS, spelt),
        "bankFeeCrypto": money.number(trade.units // 200, UNITS, spelt),
    }
