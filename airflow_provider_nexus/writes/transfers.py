"""Transfers between exchange, hot wallet and cold store: the call that makes one. See docs/api_facts.rst, Exchange calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.extract.find import Search, get_record, unlike
from airflow_provider_nexus.writes.amounts import exact, require
from airflow_provider_nexus.writes.once import Write, code_in


def transfer_write(client: NexusClient, values: Mapping[str, Any], reference: str) -> Write:
    """The call that makes a transfer.

    :raises NexusConfigurationError: when the values make no transfer
    """
    body = exact(values)
    require(body, "sourceType", "sinkType", "cryptoCode", "amount")
    asked = {
        "cryptoCode": body["cryptoCode"],
        "amount": body["amount"],
        "address.sourceType": body["sourceType"],
        "address.sinkType": body["sinkType"],
        "address.sourceExchangeCode": body.get("sourceExchangeCode"),
        "address.sinkExchangeCode": body.get("sinkExchangeCode"),
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
