"""Cancel transactions and pay them out. See docs/api_facts.rst, Custodian lifecycle."""

from __future__ import annotations

from airflow_provider_nexus.sandbox.call import Answer, Call, not_found, success
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.trades import Trade
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.writes import checks

_SELLS = ("SELL", "BROKERSELL")


def _trade(world: World, call: Call) -> Trade:
    row = world.transactions.find(call.parts["code"], call.at)
    if row is None:
        raise not_found("Transaction", call.parts["code"])
    return world.trades.get(row)


def _answer(world: World, call: Call, found: Trade) -> Answer:
    form = call.form("transactions")
    return success({"transaction": world.transactions.shown(found, call.at, form, single=True)})


def _cancel(world: World, call: Call) -> Answer:
    """Both ends of a swap or send are cancelled."""
    found = _trade(world, call)
    if world.trades.phase(found, call.at) in progress.ENDED:
        raise checks.refuse(
            "InvalidTransactionStatus", f"A transaction that is {world.trades.status(found, call.at)} can't be cancelled"
        )
    for row in (found.row, found.twin):
        if row is not None:
            world.trades.pin(row, call.at, progress.FAILED)
    return _answer(world, call, found)


def _pay_out(world: World, call: Call, phase: int) -> Answer:
    found, body = _trade(world, call), call.json()
    if found.kind not in _SELLS or world.trades.status(found, call.at) not in ("ToPayout", "PayoutConfirming"):
        raise checks.refuse("InvalidTransactionStatus", f"The transaction is {world.trades.status(found, call.at)}")
    if body.get("paymentreference"):
        world.transactions.patch(found.row, paymentReference=checks.text(body, "paymentReference"))
    world.trades.pin(found.row, call.at, phase)
    return _answer(world, call, found)


def _confirming(world: World, call: Call) -> Answer:
    return _pay_out(world, call, progress.THIRD)


def _payout(world: World, call: Call) -> Answer:
    return _pay_out(world, call, progress.DONE)


ROUTES = (
    Route("POST", "/transactions/custodian/{code}/cancel", _cancel, writes=True),
    Route("PUT", "/transactions/custodian/{code}/payoutconfirming", _confirming, "B", writes=True),
    Route("PUT", "/transactions/custodian/{code}/payout", _payout, "B", writes=True),
)
"""Ends of transactions."""
