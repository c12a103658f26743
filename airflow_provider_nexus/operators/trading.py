"""Operators that place orders at exchanges and make transfers. See docs/api_facts.rst, Exchange calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api.records import at, typed
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusNotFoundError
from airflow_provider_nexus.extract.find import FAR_BACK, Search, find_by_codes, finder, unlike
from airflow_provider_nexus.operators._action import NexusOnceOperator
from airflow_provider_nexus.operators._base import rendered
from airflow_provider_nexus.writes.amounts import exact
from airflow_provider_nexus.writes.once import Write, code_in
from airflow_provider_nexus.writes.trades import with_data_reference

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.sdk import XComArg

    from airflow_provider_nexus.client.client import NexusClient


class NexusCreateOrderOperator(NexusOnceOperator):
    """Places one order at an exchange, once, and returns it. The reference goes into ``data["reference"]``.

    .. seealso:: :doc:`acting`

    :param exchange_code: code of the exchange (templated)
    :param action: ``Buy`` or ``Sell`` (templated)
    :param order_type: ``Market`` or ``Limit`` (templated)
    :param crypto_code: what is traded (templated)
    :param currency_code: what it is paid with (templated)
    :param amount: in the currency, as ``Decimal`` or text (templated)
    :param limit_price: currency per crypto, as ``Decimal`` or text; a limit order needs it (templated)
    :param expiring: when it expires, as ISO 8601; Nexus' default is a day after it was placed (templated)
    """

    template_fields: Sequence[str] = (
        "exchange_code",
        "action",
        "order_type",
        "crypto_code",
        "currency_code",
        "amount",
        "limit_price",
        "expiring",
        "reference",
        "nexus_conn_id",
    )
    text_fields = template_fields

    def __init__(
        self,
        *,
        exchange_code: str | XComArg,
        action: str | XComArg,
        order_type: str | XComArg,
        crypto_code: str | XComArg,
        currency_code: str | XComArg,
        amount: Decimal | str | XComArg,
        limit_price: Decimal | str | XComArg | None = None,
        expiring: str | XComArg | None = None,
        cancel_on_kill: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(cancel_on_kill=cancel_on_kill, **kwargs)
        self.exchange_code = rendered(exchange_code)
        self.action = rendered(action)
        self.order_type = rendered(order_type)
        self.crypto_code = rendered(crypto_code)
        self.currency_code = rendered(currency_code)
        self.amount = rendered(amount)
        self.limit_price = rendered(limit_price)
        self.expiring = rendered(expiring)

    @property
    def resource(self) -> str:
        """Where the order is read."""
        return "orders"

    def write(self, reference: str) -> Write:
        """The call."""
        values = {
            "exchangeCode": self.exchange_code,
            "action": self.action,
            "type": self.order_type,
            "crypto": self.crypto_code,
            "currency": self.currency_code,
            "amount": self.amount,
            "limitPrice": self.limit_price,
            "expiring": self.expiring,
        }
        return order_write(self.hook.client, values, reference)


def order_write(client: NexusClient, values: Mapping[str, Any], reference: str) -> Write:
    """The call that places an order.

    :raises NexusConfigurationError: when the values make no order
    """
    body = exact(values)
    _require(body, "exchangeCode", "action", "type", "crypto", "currency", "amount")
    if body["type"].casefold() == "limit" and "limitPrice" not in body:
        raise NexusConfigurationError("a limit order needs a limit_price: nothing was sent")
    asked = {
        "tradePair.exchangeCode": body["exchangeCode"],
        "tradePair.cryptoCode": body["crypto"],
        "tradePair.currencyCode": body["currency"],
        "action": body["action"],
        "type": body["type"],
        "amount": body["amount"],
        "limitPrice": body.get("limitPrice"),
    }
    search = Search(resource="orders", place="data.reference")
    return Write(
        method="POST",
        path="/orders",
        body=with_data_reference(body, reference),
        find=finder(search, client, reference),
        read=lambda code: client.get_record("orders", code),
        code_of=lambda answer: code_in(answer, "orderCode"),
        record_of=lambda answer: typed(get_resource("orders"), answer) if isinstance(answer, dict) else None,
        unlike=lambda record: unlike(asked, record, "orders"),
        came_to_nothing=search.came_to_nothing,
        reference=reference,
        carries=lambda record: at(record, search.place) == reference,
        lookup_by_hand="Look through GET /orders?createdFrom={since} and GET each of them by its code: it is the one whose "
        f"data.reference is {reference}.",
    )


class NexusCreateTransferOperator(NexusOnceOperator):
    """Makes one transfer between exchange, hot wallet and cold store, once, and returns it.

    A transfer has no field for references, and Nexus answers nothing when it makes one: the reference goes into
    ``userName``, where Nexus shows who asked for a transfer. Nexus offers no call that cancels a transfer.

    .. seealso:: :doc:`acting`

    :param source_type: ``Exchange``, ``HotWallet``, ``Coldstore`` or ``Other`` (templated)
    :param sink_type: likewise (templated)
    :param crypto_code: what is moved (templated)
    :param amount: in the crypto, as ``Decimal`` or text (templated)
    :param source_exchange_code: the exchange that sends (templated)
    :param sink_exchange_code: the exchange that receives (templated)
    :param address: address on the chain to send to (templated)
    """

    template_fields: Sequence[str] = (
        "source_type",
        "sink_type",
        "crypto_code",
        "amount",
        "source_exchange_code",
        "sink_exchange_code",
        "address",
        "reference",
        "nexus_conn_id",
    )
    text_fields = template_fields

    def __init__(
        self,
        *,
        source_type: str | XComArg,
        sink_type: str | XComArg,
        crypto_code: str | XComArg,
        amount: Decimal | str | XComArg,
        source_exchange_code: str | XComArg | None = None,
        sink_exchange_code: str | XComArg | None = None,
        address: str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_type = rendered(source_type)
        self.sink_type = rendered(sink_type)
        self.crypto_code = rendered(crypto_code)
        self.amount = rendered(amount)
        self.source_exchange_code = rendered(source_exchange_code)
        self.sink_exchange_code = rendered(sink_exchange_code)
        self.address = rendered(address)

    @property
    def resource(self) -> str:
        """Where the transfer is read."""
        return "transfers"

    def read(self, code: str) -> dict[str, Any]:
        """The transfer of a code, out of the list."""
        return read_transfer(self.hook.client, code)

    def write(self, reference: str) -> Write:
        """The call."""
        values = {
            "sourceType": self.source_type,
            "sinkType": self.sink_type,
            "cryptoCode": self.crypto_code,
            "amount": self.amount,
            "sourceExchangeCode": self.source_exchange_code,
            "sinkExchangeCode": self.sink_exchange_code,
            "transferAddress": self.address,
        }
        return transfer_write(self.hook.client, values, reference)


def transfer_write(client: NexusClient, values: Mapping[str, Any], reference: str) -> Write:
    """The call that makes a transfer.

    :raises NexusConfigurationError: when the values make no transfer
    """
    body = exact(values)
    _require(body, "sourceType", "sinkType", "cryptoCode", "amount")
    asked = {
        "cryptoCode": body["cryptoCode"],
        "amount": body["amount"],
        "address.sourceType": body["sourceType"],
        "address.sinkType": body["sinkType"],
        "address.sourceExchangeCode": body.get("sourceExchangeCode"),
        "address.sinkExchangeCode": body.get("sinkExchangeCode"),
        "address.address": body.get("transferAddress"),
    }
    search = Search(resource="transfers", place="userName")
    return Write(
        method="POST",
        path="/transfers",
        body={**body, "userName": reference},
        find=finder(search, client, reference),
        read=lambda code: read_transfer(client, code),
        code_of=lambda answer: code_in(answer, "transferCode"),
        unlike=lambda record: unlike(asked, record, "transfers"),
        came_to_nothing=search.came_to_nothing,
        reference=reference,
        lookup_by_hand=f"Look through GET /transfers?createdFrom={{since}} for the one whose userName is {reference}.",
    )


def read_transfer(client: NexusClient, code: str) -> dict[str, Any]:
    """One transfer, out of the list of the last thirty days.

    :raises NexusNotFoundError: when it is not among them
    """
    now = client.session.server_now or datetime.now(UTC)
    found = find_by_codes(client, "transfers", [code], now - FAR_BACK)
    if code not in found:
        raise NexusNotFoundError("GET", "/transfers", detail=f"none of the last {FAR_BACK.days} days has the code {code}")
    return found[code]


def _require(body: Mapping[str, Any], *names: str) -> None:
    missing = [name for name in names if body.get(name) in (None, "")]
    if missing:
        raise NexusConfigurationError(f"the call lacks {', '.join(missing)}: nothing was sent")
