"""Operator that makes a transfer between exchange, hot wallet and cold store. See docs/api_facts.rst, Exchange calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.operators._action import NexusOnceOperator
from airflow_provider_nexus.operators._base import rendered
from airflow_provider_nexus.writes.exchange import transfer_write

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.sdk import XComArg

    from airflow_provider_nexus.writes.once import Write

_NAMES = {
    "source_type": "sourceType",
    "sink_type": "sinkType",
    "crypto_code": "cryptoCode",
    "amount": "amount",
    "source_exchange_code": "sourceExchangeCode",
    "sink_exchange_code": "sinkExchangeCode",
    "address": "transferAddress",
}
"""The arguments of a transfer, and what Nexus calls them."""


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

    resource = "transfers"
    template_fields: Sequence[str] = (*_NAMES, "reference", "nexus_conn_id")
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
        self.check(NexusCreateTransferOperator)

    def write(self, reference: str) -> Write:
        """The call."""
        return transfer_write(self.hook.client, {name: getattr(self, argument) for argument, name in _NAMES.items()}, reference)
