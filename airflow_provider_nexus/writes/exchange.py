"""Orders at exchanges, and transfers between exchange, hot wallet and cold store: the calls that make one.

See docs/api_facts.rst, Exchange calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_nexus.api.records import typed
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.find import Search, get_record, unlike
from airflow_provider_nexus.writes.amounts import exact, require
from airflow_provider_nexus.writes.once import Write, code_in
from airflow_provider_nexus.writes.trades import with_data_reference


def order_write(client: NexusClient, values: Mapping[str, Any], reference: str) -> Write:
    """The call that places an order.

    :raises NexusConfigurationError: when the values make no order
    """
    body = exact(values)
    require(body, "exchangeCode", "action", "type", "crypto", "currency", "amount")
    if body["type"].casefold() == "limit" and "limitPrice" not in body:
        raise NexusConfigurationError("a limit order needs a limit_price: nothing was sent")
    asked = {
        "tradePair.exchangeCode": body["exchangeCode"],
        "tradePair.cryptoCode": body["crypto"],
        "tradePair.currencyCode": body["currency"],
        **{name: body.get(name) for name in ("action", "type", "amount", "limitPrice")},
    }
    search = Search(client=client, resource="orders", reference=reference, place="data.reference")
    return Write(
        method="POST",
        path="/orders",
        body=with_data_reference(body, reference),
        find=search.find,
        read=lambda code: client.get_record("orders", code),
        code_of=lambda answer: code_in(answer, "orderCode"),
        record_of=lambda answer: typed(get_resource("orders"), answer) if isinstance(answer, dict) else None,
        unlike=lambda record: unlike(asked, record, "orders"),
        came_to_nothing=search.came_to_nothing,
        reference=reference,
        carries=search.carries,
        lookup_by_hand="Look through GET /orders?createdFrom={since} and GET each of them by its code: it is the one whose "
        f"data.reference is {reference}.",
    )


def transfer_write(client: NexusClient, values: Mapping[str, Any], reference: str) -> Write:
    """The call that makes a transfer.

    :raises NexusConfigurationError: when the values make no transfer
    """
    body = exact(values)
    require(body, "sourceType", "sinkType", "cryptoCode", "amount")
    asked = {
        **{name: body[name] for name in ("cryptoCode", "amount")},
        **{f"address.{name}": body.get(name) for name in ("sourceType", "sinkType", "sourceExchangeCode", "sinkExchangeCode")},
        "address.address": body.get("transferAddress"),
    }
    search = Search(client=client, resource="transfers", reference=reference, place="userName")
    return Write(
        method="POST",
        path="/transfers",
        body={**body, "userName": reference},
        find=search.find,
        read=lambda code: get_record(client, "transfers", code),
        code_of=lambda answer: code_in(answer, "transferCode"),
        unlike=lambda record: unlike(asked, record, "transfers"),
        came_to_nothing=search.came_to_nothing,
        reference=reference,
        lookup_by_hand=f"Look through GET /transfers?createdFrom={{since}} for the one whose userName is {reference}.",
    )
