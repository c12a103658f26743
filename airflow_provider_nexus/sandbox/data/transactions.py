"""The CASP generation's view of trades, ``/transactions/custodian``, with the flows and callbacks of a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import Any

from msgspec import Raw

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.customers import address_of
from airflow_provider_nexus.sandbox.data.trades import TradeFacts, Trades
from airflow_provider_nexus.sandbox.data.vocabulary import LABEL_PARTNER
from airflow_provider_nexus.sandbox.rows import ListedRow, Record, Timed, blank
from airflow_provider_nexus.sandbox.stamps import HOUR, SECOND, Stamp
from airflow_provider_nexus.sandbox.timeline import Presence

METHODS = {"BROKERBUY": "BUY_IDEAL", "BROKERSELL": "SELL_SEPA", "BUY": "CUST_BUY_IDEAL", "SELL": "CUST_SELL_SEPA"}
NETWORK_FEE_UNITS = 12_000
_URL = "https://shop.example.org/hook?a=1&b=2"
_BLOCKS = {
    "BROKERBUY": ("buy", "brokerBuy"),
    "BROKERSELL": ("sell", "brokerSell"),
    "SENDOUT": ("sendout",),
    "RECEIVEIN": ("receiveIn",),
}
"""The parts of a callback that a type of transaction fills."""
_FACTS = {
    "type": "kind",
    "direction": "direction",
    "cryptoCode": "crypto_code",
    "currencyCode": "currency.code",
    "accountCode": "account_code",
    "transactionCode": "code",
}
"""Fields that are facts of the trade."""


class Transactions(Timed):
    """The rows of ``transactions``."""

    def __init__(self, trades: Trades, presence: Presence) -> None:
        super().__init__(trades.timeline, presence)
        self._trades = trades
        self.quick = {
            "status": lambda row, at: trades.status(trades.get(row), at),
            "customerCode": lambda row, at: trades.customer_code(trades.get(row)),  # noqa: ARG005
            **{name: partial(self._fact, attrgetter(fact)) for name, fact in _FACTS.items()},
        }

    def _fact(self, get: Callable[[TradeFacts], Any], row: int, at: int) -> Any:  # noqa: ARG002
        return get(self._trades.get(row))

    def add_trade(self, trade: TradeFacts) -> None:
        """A trade made over the API; it is given its row."""
        trade.row = self.add(trade.created)
        trade.created = self.stamp(trade.row)
        self._trades.written.append(trade)

    def find(self, code: str, at: int) -> int | None:
        """The row of a transaction code."""
        row = self._trades.find(code)
        return row if row is not None and self.is_seen(row, at) else None

    def record(self, row: int, at: int) -> Record:
        """The row as it is at a moment."""
        return self.shown(self._trades.get(row), at)

    def shown(self, trade: TradeFacts, at: int) -> Record:
        """A trade as a record, also one that was only simulated."""
        phase, bits, is_made = self._trades.phase(trade, at), trade.dealt[11], trade.row >= 0
        on_chain = trade.kind in ("SENDOUT", "RECEIVEIN", "BROKERBUY", "BROKERSELL")
        comment = {"author": "operator", "text": "checked", "created": Stamp(trade.created)}
        record: Record = {
            "transactionCode": trade.code if is_made else None,
            "linkedTransactionCode": None if trade.twin is None else self._trades.code(trade.twin),
            "customerCode": self._trades.customer_code(trade),
            "accountCode": trade.account_code,
            "type": trade.kind,
            "direction": trade.direction,
            "status": progress.custodian_status(trade.kind, trade.course, phase) if is_made else "SIMULATED",
            "cryptoCode": trade.crypto_code,
            "currencyCode": trade.currency.code,
            "paymentMethodCode": METHODS.get(trade.kind, f"CUST_{trade.kind}"),
            "paymentReference": f"REF {bits % 10**7}" if bits % 3 else None,
            "callbackUrl": _URL if bits % 4 == 0 else None,
            "destinationCryptoAddress": address_of(bits) if trade.kind in ("SENDOUT", "BROKERBUY") else None,
            "blockchainMessage": "" if bits % 5 else "memo: \u20bf \U0001f680",
            "blockchainTransactionId": chain_id(trade) if on_chain and phase in (*progress.EXECUTED, progress.STOPPED) else None,
            "created": Stamp(trade.created),
            "data": {"channel": "web"} if bits % 2 else None,
            "comments": [comment] if bits % 7 == 0 else [],
            **_amounts(trade, phase),
        }
        if trade.row >= WRITTEN or not is_made:
            record.update(trade.extra)
        return self.patched(trade.row, record)


def chain_id(trade: TradeFacts) -> str:
    """The id of a trade on its chain; one in eight has digits alone."""
    bits = trade.dealt[12] << 32 | trade.dealt[13]
    return f"{bits:020d}" if bits % 8 == 0 else f"{bits:016x}" * 4


def _amounts(trade: TradeFacts, phase: int) -> Record:
    if not trade.units and trade.row >= WRITTEN:
        return dict.fromkeys(("requestedAmounts", "executedAmounts", "fees", "balanceMutation", "swapMarginAmountCrypto"))
    spelt, executed, signed = trade.spelt, phase in progress.EXECUTED, trade.signed_units
    requested = {
        "cryptoAmount": money.crypto(trade.units, spelt),
        "fiatValue": money.fiat(trade.cents, spelt),
        "cryptoPrice": money.price(trade.price),
    }
    moved = {"crypto": money.crypto(signed, spelt), "fiat": money.fiat(-trade.cents if signed < 0 else trade.cents, spelt)}
    return {
        "requestedAmounts": requested,
        "executedAmounts": dict(requested) if executed else None,
        "fees": fees(trade, executed=executed),
        "balanceMutation": None if trade.is_broker else moved,
        "swapMarginAmountCrypto": money.crypto(trade.units // 200, spelt) if trade.kind == "SWAP" else None,
    }


def fees(trade: TradeFacts, *, executed: bool) -> Record:
    """The fees of a trade: one percent for the partner, half a percent for the bank, a fixed amount for the network."""
    network = NETWORK_FEE_UNITS if trade.kind in ("SENDOUT", "BROKERBUY") else 0
    network_cents = money.cents_for(network, trade.price)
    return {
        "partnerFeeFiat": money.fiat(trade.cents // 100, trade.spelt),
        "bankFeeFiat": money.fiat(trade.cents // 200, trade.spelt),
        "networkFeeFiat": money.fiat(network_cents),
        "networkFeeCrypto": money.crypto(network, money.TINY),
        "actualNetworkFeeFiat": money.fiat(network_cents * 9 // 10) if executed else None,
        "actualNetworkFeeCrypto": money.crypto(network * 9 // 10) if executed else None,
        "partnerFeeCrypto": money.crypto(trade.units // 100, trade.spelt),
        "bankFeeCrypto": money.crypto(trade.units // 200, trade.spelt),
    }


def flow(trade: TradeFacts) -> Record:
    """What a transaction did on the chain: who sent and who received."""
    bits, amount = trade.dealt[11], money.crypto(trade.units, trade.spelt)
    return {
        "transactionCode": trade.code,
        "transactionHash": f"{bits:064x}",
        "senders": [{"address": address_of(bits), "amount": amount}],
        "receivers": [{"address": address_of(bits + 1), "amount": amount}],
        "token": trade.crypto_code,
    }


def callbacks(trades: Trades, trade: TradeFacts, at: int) -> Iterator[ListedRow]:
    """The callbacks of a transaction so far, at its start and end, if it has a callback URL. They are never sent."""
    url = trade.extra.get("callbackUrl") or (_URL if trade.dealt[11] % 4 == 0 and not trade.extra else None)
    moments = [trade.created + SECOND, trade.created + trade.course.ends + 2 * SECOND] if url else []
    return (ListedRow("", _callback(trades, trade, moment, str(url)), moment) for moment in moments if moment <= at)


def _callback(trades: Trades, trade: TradeFacts, moment: int, url: str) -> Record:
    taken = trade.dealt[13] % 5 > 0
    schema = RESOURCES["transaction_callbacks"].schema.by_folded_name["notification"]
    blocks = [block for block in schema.children if block.name in _BLOCKS.get(trade.kind, ())]
    notification = blank(
        "transaction_callbacks",
        "notification",
        status=trades.status(trade, moment),
        type=trade.kind,
        accountCode=trade.account_code,
        transactionCode=trade.code,
        currencyCode=trade.currency.code,
        cryptoCurrencyCode=trade.crypto_code,
        paymentMethodCode=METHODS.get(trade.kind, f"CUST_{trade.kind}"),
        created=Stamp(trade.created),
        validUntil=Stamp(trade.created + HOUR),
        confirmations={"count": trade.dealt[13] % 7, "required": 6},
        **{block.name: {each.name: _of_block(trade, each) for each in block.children} for block in blocks},
    )
    return {
        "notification": notification,
        "labelPartnerCode": LABEL_PARTNER,
        "transactionCode": trade.code,
        "url": url,
        "response": "OK" if taken else "<html>502 Bad Gateway</html>",
        "isSuccess": taken,
        "finished": Stamp(moment + SECOND) if taken else None,
        "inserted": Stamp(moment),
        "dequeueCount": 1 if taken else 5,
    }


def _of_block(trade: TradeFacts, field: Field) -> str | Raw | None:
    if field.kind == "money":
        return money.crypto(trade.units) if field.unit == "crypto" else money.fiat(trade.cents)
    if field.name == "blockchainMessage":
        return None
    return address_of(trade.dealt[12]) if field.name.endswith("Address") else f"{trade.dealt[12]:032d}"
