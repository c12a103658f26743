"""Operator that places an order at an exchange. See docs/api_facts.rst, Exchange calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.operators._action import NexusOnceOperator
from airflow_provider_nexus.operators._base import rendered
from airflow_provider_nexus.writes.exchange import order_write

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.sdk import XComArg

    from airflow_provider_nexus.writes.once import Write

_NAMES = {
    "exchange_code": "exchangeCode",
    "action": "action",
    "order_type": "type",
    "crypto_code": "crypto",
    "currency_code": "currency",
    "amount": "amount",
    "limit_price": "limitPrice",
    "expiring": "expiring",
}
"""The arguments of an order, and what Nexus calls them."""


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

    resource = "orders"
    template_fields: Sequence[str] = (*_NAMES, "reference", "nexus_conn_id")
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
        self.check(NexusCreateOrderOperator)

    def write(self, reference: str) -> Write:
        """The call."""
        return order_write(self.hook.client, {name: getattr(self, argument) for argument, name in _NAMES.items()}, reference)
