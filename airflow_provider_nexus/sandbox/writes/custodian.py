"""Trading of the CASP generation, each call with its simulation. See docs/api_facts.rst, Trading calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from airflow_provider_nexus.sandbox.call import Answer, Call, success
from airflow_provider_nexus.sandbox.data.accounts import address_of
from airflow_provider_nexus.sandbox.data.trades import Trade, units_for
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.writes import checks, trade
from airflow_provider_nexus.sandbox.writes.checks import Body


@dataclass(frozen=True)
class Kind:
    """One trading call that makes one transaction.

    :param takes: whether crypto leaves the customer's balance
    :param simulates: whether it has a twin that changes nothing
    """

    path: str
    kind: str
    takes: bool = False
    simulates: bool = True


_SINGLE = (
    Kind("/buy/custodian", "BUY"),
    Kind("/sell/custodian", "SELL", takes=True),
    Kind("/gift/custodian", "GIFT"),
    Kind("/clawback/custodian", "CLAWBACK", takes=True, simulates=False),
    Kind("/brokerbuy", "BROKERBUY"),
    Kind("/paymentrequest/brokersell", "BROKERSELL"),
    Kind("/paymentrequest/custodian", "RECEIVEIN"),
)
_SOURCED = (
    Kind("/sendout/custodian", "SENDOUT", takes=True),
    Kind("/sendtobucket/custodian", "SENDTOBUCKET", takes=True, simulates=False),
)


def _method(world: World, body: Body, call: Call) -> str | None:
    return checks.payment_method(world, body, call) if body.get("paymentmethodcode") else None


def _single(kind: Kind, simulated: bool, world: World, call: Call) -> Answer:
    body = call.json()
    named = checks.text(body, "customerCode")
    customer = None if named is None and kind.kind == "RECEIVEIN" else checks.active_customer(world, named, call)
    wanted = trade.order(world, call, kind.kind, body, customer)
    made = _made(world, call, kind, wanted, body, simulated=simulated)
    values = {"transaction": trade.shown(world, call, made)}
    if kind.kind == "RECEIVEIN":
        address = checks.text(body, "receiveAddress") or address_of(made.dealt[0])
        crypto = CRYPTOS[made.crypto]
        return success({**values, "paymentUri": f"{crypto.name.lower().replace(' ', '')}:{address}"})
    return success(values)


def _made(world: World, call: Call, kind: Kind, wanted: trade.Order, body: Body, *, simulated: bool) -> Trade:
    if kind.takes:
        trade.refuse_low_balance(world, call, wanted)
    made = trade.build(world, call, wanted, body, _method(world, body, call))
    address = checks.text(body, "destinationAddress")
    made.extra["destinationCryptoAddress"] = address or checks.text(body.get("destination") or {}, "address")
    return made if simulated else trade.write(world, call, made, staged=bool(body.get("stage")))


def _sourced(kind: Kind, simulated: bool, world: World, call: Call) -> Answer:
    body = call.json()
    source = checks.part(body, "source")
    customer = checks.active_customer(world, checks.text(source, "customerCode"), call)
    wanted = trade.order(world, call, kind.kind, source, customer)
    made = _made(world, call, kind, wanted, body, simulated=simulated)
    return success({"transaction": trade.shown(world, call, made)})


def _send_internal(simulated: bool, world: World, call: Call) -> Answer:
    body = call.json()
    source, destination = checks.part(body, "source"), checks.part(body, "destination")
    giver = checks.active_customer(world, checks.text(source, "customerCode"), call)
    taker = checks.active_customer(world, checks.text(destination, "customerCode"), call)
    wanted = trade.order(world, call, "SENDINTERNAL", source, giver)
    trade.refuse_low_balance(world, call, wanted)
    account = trade.find_account(world, call, checks.text(destination, "accountCode"))
    other = trade.Order("SENDINTERNAL", taker, account, wanted.crypto, wanted.currency, wanted.cents, wanted.units, wanted.price)
    return _both(world, call, wanted, other, body, simulated=simulated)


def _swap(simulated: bool, world: World, call: Call) -> Answer:
    body = call.json()
    customer = checks.active_customer(world, checks.text(body, "customerCode"), call)
    currency = world.customers.currency(customer)
    source = {**checks.part(body, "source"), "currencycode": currency.code}
    wanted = trade.order(world, call, "SWAP", source, customer)
    trade.refuse_low_balance(world, call, wanted)
    crypto = checks.crypto(checks.part(body, "destination"))
    price = world.market.price(crypto, currency, call.at)
    other = trade.Order("SWAP", customer, None, crypto, currency, wanted.cents, units_for(wanted.cents, price), price)
    return _both(world, call, wanted, other, body, simulated=simulated)


def _both(world: World, call: Call, wanted: trade.Order, other: trade.Order, body: Body, *, simulated: bool) -> Answer:
    method = _method(world, body, call)
    source, destination = (trade.build(world, call, each, body, method) for each in (wanted, other))
    source.direction, destination.direction = "SOURCE", "DESTINATION"
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


def _routes() -> Iterator[Route]:
    for kinds, handler in ((_SINGLE, _single), (_SOURCED, _sourced)):
        for kind in kinds:
            yield Route("POST", kind.path, partial(handler, kind, False), "B", writes=True)
            if kind.simulates:
                yield Route("POST", f"{kind.path}/simulate", partial(handler, kind, True), "B", writes=True)
    for path, pair in (("/sendinternal/custodian", _send_internal), ("/swap/custodian", _swap)):
        yield Route("POST", path, partial(pair, False), "B", writes=True)
        yield Route("POST", f"{path}/simulate", partial(pair, True), "B", writes=True)


ROUTES = tuple(_routes())
"""Trading of the CASP generation."""
