"""Trading of the CASP generation, each call with its simulation; transactions cancelled and paid out.

See docs/api_facts.rst, Trading calls and Custodian lifecycle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, success
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.customers import address_of
from airflow_provider_nexus.sandbox.data.market import CRYPTOS
from airflow_provider_nexus.sandbox.data.trades import OUTGOING, TradeFacts
from airflow_provider_nexus.sandbox.money import units_for
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks, trade
from airflow_provider_nexus.sandbox.writes.checks import Body

_SELLS = ("SELL", "BROKERSELL")


_SINGLE = {
    "/buy/custodian": "BUY",
    "/sell/custodian": "SELL",
    "/gift/custodian": "GIFT",
    "/clawback/custodian": "CLAWBACK",
    "/brokerbuy": "BROKERBUY",
    "/paymentrequest/brokersell": "BROKERSELL",
    "/paymentrequest/custodian": "RECEIVEIN",
    "/sendout/custodian": "SENDOUT",
    "/sendtobucket/custodian": "SENDTOBUCKET",
}
"""Trading calls that make one transaction, and its type."""
_SOURCED = ("SENDOUT", "SENDTOBUCKET")
"""Types whose customer and amount are in an object ``source``."""
_NOT_SIMULATED = ("/clawback/custodian", "/sendtobucket/custodian")


def _method(world: World, body: Body, call: ApiCall) -> str | None:
    return checks.payment_method(world, body, call) if body.get("paymentmethodcode") else None


def _single(kind: str, simulated: bool, world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    asked = body["source"] if kind in _SOURCED else body
    named = checks.text(asked, "customerCode")
    customer = None if named is None and kind == "RECEIVEIN" else checks.active_customer(world, named, call)
    made = trade.asked(world, call, kind, asked, customer)
    if kind in OUTGOING:
        trade.refuse_low_balance(world, call, made)
    address = checks.text(body, "destinationAddress") or checks.text(body.get("destination") or {}, "address")
    made.extra = trade.described(body, _method(world, body, call), address)
    if not simulated:
        trade.write(world, call, made, staged=bool(body.get("stage")))
    values: Record = {"transaction": trade.shown(world, call, made)}
    if kind == "RECEIVEIN":
        address = checks.text(body, "receiveAddress") or address_of(made.dealt[0])
        values["paymentUri"] = f"{CRYPTOS[made.crypto].name.lower().replace(' ', '')}:{address}"
    return success(values)


def _send_internal(simulated: bool, world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    source, destination = body["source"], body["destination"]
    giver = checks.active_customer(world, checks.text(source, "customerCode"), call)
    taker = checks.active_customer(world, checks.text(destination, "customerCode"), call)
    sent = trade.asked(world, call, "SENDINTERNAL", source, giver)
    trade.refuse_low_balance(world, call, sent)
    account = trade.find_account(world, call, checks.text(destination, "accountCode"))
    return _both(world, call, sent, replace(sent, customer=taker, account=account), body, simulated=simulated)


def _swap(simulated: bool, world: World, call: ApiCall) -> ApiAnswer:
    body = {name: value for name, value in call.json().items() if name != "data"}  # the only trade that takes none
    customer = checks.active_customer(world, checks.text(body, "customerCode"), call)
    currency = world.customers.currency(customer)
    source = {**body["source"], "currencycode": currency.code}
    given = trade.asked(world, call, "SWAP", source, customer)
    trade.refuse_low_balance(world, call, given)
    crypto = checks.crypto(body["destination"])
    price = world.market.price(crypto, currency, call.at)
    taken = replace(given, account=None, crypto=crypto, units=units_for(given.cents, price), price=price)
    return _both(world, call, given, taken, body, simulated=simulated)


def _both(world: World, call: ApiCall, source: TradeFacts, destination: TradeFacts, body: Body, *, simulated: bool) -> ApiAnswer:
    method = _method(world, body, call)
    for end, direction in ((source, "SOURCE"), (destination, "DESTINATION")):
        end.direction, end.extra = direction, trade.described(body, method)
    if not simulated:
        trade.write(world, call, source)
        trade.write(world, call, destination)
        source.twin, destination.twin = destination.row, source.row
    return success(
        {
            "sourceTransaction": trade.shown(world, call, source),
            "destinationTransaction": trade.shown(world, call, destination),
        }
    )


def _trade(world: World, call: ApiCall) -> TradeFacts:
    return world.trades.get(world.found("transactions", call.parts["code"], call.at))


def _cancel(world: World, call: ApiCall) -> ApiAnswer:
    """Both ends of a swap or send are cancelled."""
    found = _trade(world, call)
    if world.trades.phase(found, call.at) in progress.ENDED:
        raise checks.refuse(
            "InvalidTransactionStatus", f"A transaction that is {world.trades.status(found, call.at)} can't be cancelled"
        )
    for row in (found.row, found.twin):
        if row is not None:
            world.trades.pin(row, call.at, progress.FAILED)
    return success({"transaction": world.answered_row(call, "transactions", found.row)})


def _pay_out(phase: int, world: World, call: ApiCall) -> ApiAnswer:
    found, body = _trade(world, call), call.json()
    if found.kind not in _SELLS or world.trades.status(found, call.at) not in ("ToPayout", "PayoutConfirming"):
        raise checks.refuse("InvalidTransactionStatus", f"The transaction is {world.trades.status(found, call.at)}")
    if body.get("paymentreference"):
        world.transactions.patch(found.row, paymentReference=checks.text(body, "paymentReference"))
    world.trades.pin(found.row, call.at, phase)
    return success({"transaction": world.answered_row(call, "transactions", found.row)})


def _twins(path: str, handler: Callable[[bool, World, ApiCall], ApiAnswer]) -> Iterator[Route]:
    """A trading call, and its twin that changes nothing if it has one."""
    yield Route("POST", path, partial(handler, False), "B", writes=True)
    if path not in _NOT_SIMULATED:
        yield Route("POST", f"{path}/simulate", partial(handler, True), "B", writes=True)


_TRANSACTION = "/transactions/custodian/{code}"
ROUTES = (
    *(route for path, kind in _SINGLE.items() for route in _twins(path, partial(_single, kind))),
    *_twins("/sendinternal/custodian", _send_internal),
    *_twins("/swap/custodian", _swap),
    Route("POST", f"{_TRANSACTION}/cancel", _cancel, writes=True),
    Route("PUT", f"{_TRANSACTION}/payoutconfirming", partial(_pay_out, progress.THIRD), "B", writes=True),
    Route("PUT", f"{_TRANSACTION}/payout", partial(_pay_out, progress.DONE), "B", writes=True),
)
"""Trading of the CASP generation."""
