"""Callbacks: what was sent when a transaction changed. They can only be read back; the sandbox sends none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.collection import Entry, Listed, Record
from airflow_provider_nexus.sandbox.data.accounts import address_of
from airflow_provider_nexus.sandbox.data.trades import CENTS, UNITS, Trade
from airflow_provider_nexus.sandbox.data.transactions import METHODS
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS, LABEL_PARTNER
from airflow_provider_nexus.sandbox.stamps import HOUR, SECOND, Form

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


_URL = "https://shop.example.org/hook?a=1&b=2"


def callbacks(world: World, name: str, row: int, at: int) -> Listed:
    """The callbacks of a transaction so far: one at its start and one at its end, for those with a callback URL.

    :param name: of the resource that they are listed as
    """
    trade = world.trades.get(row)
    url = trade.extra.get("callbackUrl") or (_URL if trade.dealt[11] % 4 == 0 and not trade.extra else None)
    moments = [trade.created + SECOND, trade.created + trade.course.ends + 2 * SECOND] if url else []
    return Listed([_callback(world, name, trade, moment, str(url)) for moment in moments if moment <= at])


def _callback(world: World, name: str, trade: Trade, moment: int, url: str) -> Entry:
    taken = trade.dealt[13] % 5 > 0

    def make(at: int, form: Form) -> Record:  # noqa: ARG001
        record: Record = {
            "notification": _notification(world, trade, moment, form),
            "labelPartnerCode": LABEL_PARTNER,
            "transactionCode": world.trades.code(trade.row),
            "url": url,
            "response": "OK" if taken else "<html>502 Bad Gateway</html>",
            "isSuccess": taken,
            "finished": form(moment + SECOND) if taken else None,
            "inserted": form(moment),
            "dequeueCount": 1 if taken else 5,
        }
        return world.fitted(name, record)

    return Entry("", make, moment)


def _notification(world: World, trade: Trade, moment: int, form: Form) -> Record:
    return {
        "status": world.trades.status(trade, moment),
        "type": trade.kind,
        "customerReference": None,
        "accountCode": None if trade.account is None else codes.account(trade.account),
        "transactionCode": world.trades.code(trade.row),
        "currencyCode": trade.currency.code,
        "cryptoCurrencyCode": CRYPTOS[trade.crypto].code,
        "paymentMethodCode": METHODS.get(trade.kind, f"CUST_{trade.kind}"),
        "created": form(trade.created),
        "validUntil": form(trade.created + HOUR),
        "confirmations": {"count": trade.dealt[13] % 7, "required": 6},
        **_blocks(trade),
    }


def _blocks(trade: Trade) -> Record:
    """One block for each type, the unused ones null."""
    chain = f"{trade.dealt[12]:032d}"
    units, cents = money.number(trade.units, UNITS), money.number(trade.cents, CENTS)
    buy = {"sendCryptoTxId": chain, "cryptoCurrencyAmount": units, "currencyAmount": cents}
    sell = {"receiveCryptoTxId": chain, "blockchainMessage": None}
    received = {"txId": chain, "receivedCryptoAmount": units, "receivedFiatValue": cents}
    bought = {"cryptoAmount": units, "destinationAddress": address_of(trade.dealt[12]), "txId": chain}
    sold = {"blockchainMessage": None, "receiveAddress": address_of(trade.dealt[12]), **received}
    return {
        "buy": buy if trade.kind == "BROKERBUY" else None,
        "sell": sell if trade.kind == "BROKERSELL" else None,
        "sendout": {"txId": chain} if trade.kind == "SENDOUT" else None,
        "receiveIn": received if trade.kind == "RECEIVEIN" else None,
        "brokerBuy": bought if trade.kind == "BROKERBUY" else None,
        "brokerSell": sold if trade.kind == "BROKERSELL" else None,
        "merchant": None,
    }
