"""What a transaction did on the chain: who sent and who received."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import Call, not_found
from airflow_provider_nexus.sandbox.collection import Record
from airflow_provider_nexus.sandbox.data.accounts import address_of
from airflow_provider_nexus.sandbox.data.trades import UNITS
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


def flow(world: World, call: Call) -> Record:
    """The flow of the transaction that the path names.

    :raises Refusal: 404 when there is none
    """
    code = call.parts["parent"]
    row = world.transactions.find(code, call.at)
    if row is None:
        raise not_found("Transaction", code)
    trade = world.trades.get(row)
    bits, amount = trade.dealt[11], money.number(trade.units, UNITS, trade.spelt)
    record: Record = {
        "transactionCode": code,
        "transactionHash": f"{bits:064x}",
        "senders": [{"address": address_of(bits), "amount": amount}],
        "receivers": [{"address": address_of(bits + 1), "amount": amount}],
        "token": CRYPTOS[trade.crypto].code,
    }
    return world.fitted("transaction_flows", record)
