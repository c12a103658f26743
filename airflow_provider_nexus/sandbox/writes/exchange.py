"""Place and cancel orders, make transfers. See docs/api_facts.rst, Exchange calls."""

from __future__ import annotations

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import Answer, Call, Refusal, not_found, success
from airflow_provider_nexus.sandbox.collection import Moment, Record
from airflow_provider_nexus.sandbox.data.market import PRICE_SCALE
from airflow_provider_nexus.sandbox.data.progress import COMPLETED, Course
from airflow_provider_nexus.sandbox.data.trades import CENTS, UNITS, Trade, units_for
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS, EXCHANGES
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.filters import read_moment
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.stamps import MINUTE
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.checks import Body

_PLACES = ("Exchange", "HotWallet", "Coldstore", "Other")
_OPEN = ("Initiated", "Queued", "Open")


def _place_order(world: World, call: Call) -> Answer:
    body = call.json()
    exchange = _exchange(body, "exchangeCode")
    crypto, currency = checks.crypto(body, "crypto"), checks.currency(body, "currency")
    cents, limit = checks.units(body, "amount", CENTS) or 0, checks.units(body, "limitPrice", PRICE_SCALE)
    kind = checks.choice(body, "type", ("Market", "Limit"))
    if kind == "Limit" and limit is None:
        raise checks.refuse("ValidationError", "The request is not valid", "limitPrice is required")
    price = limit or world.market.price(crypto, currency, call.at)
    units = units_for(cents, price)
    trade = Trade(
        -1, call.at, "BUY", None, None, crypto, currency, cents, units, price, money.PLAIN, Course(MINUTE, COMPLETED), ()
    )
    values: Record = {
        "tradePair": {"exchangeCode": exchange, "currencyCode": currency.code, "cryptoCode": CRYPTOS[crypto].code},
        "action": checks.choice(body, "action", ("Buy", "Sell")),
        "type": kind,
        "amount": money.number(cents, CENTS),
        "limitPrice": None if limit is None else money.number(limit, PRICE_SCALE),
        "data": body.get("data"),
        "_crypto": crypto,
        "_trade": trade,
    }
    if body.get("expiring"):
        values["originalValidTill"] = Moment(read_moment("expiring", str(body["expiring"])))
    row = world.orders.register(call.at, values)
    return success(world.orders.record(row, call.at, call.form("orders"), single=True))


def _exchange(body: Body, name: str) -> str:
    code = (checks.text(body, name) or "").upper()
    if code not in (known for known, _ in EXCHANGES):
        raise Refusal(404, "ExchangeNotFound", f"Exchange {code!r} was not found")
    return code


def _cancel_order(world: World, call: Call) -> Answer:
    """No body comes back: the API's documents declare none."""
    row = world.orders.find(call.parts["code"], call.at)
    if row is None:
        raise not_found("Order", call.parts["code"])
    if world.orders.status(row, call.at) not in _OPEN:
        raise checks.refuse("InvalidOrderStatus", f"An order that is {world.orders.status(row, call.at)} can't be cancelled")
    world.orders.patch(row, status="CANCELLED", finished=Moment(call.at), reason="Cancelled by user")
    return Answer(media="")


def _transfer(world: World, call: Call) -> Answer:
    """No body comes back: the API's documents declare none."""
    body = call.json()
    source, sink = checks.choice(body, "sourceType", _PLACES), checks.choice(body, "sinkType", _PLACES)
    crypto = checks.crypto(body)
    ends = {
        f"{end}ExchangeCode": _exchange(body, f"{end}ExchangeCode") if place == "Exchange" else None
        for end, place in (("sink", sink), ("source", source))
    }
    values: Record = {
        "type": "DEPOSIT" if sink == "Exchange" else "WITHDRAW" if source == "Exchange" else "CORRECTION",
        "amount": money.number(checks.units(body, "amount", UNITS) or 0, UNITS),
        "userName": checks.text(body, "userName"),
        "cryptoCode": CRYPTOS[crypto].code,
        "address": {"sourceType": source, "sinkType": sink, "address": checks.text(body, "transferAddress"), **ends},
    }
    world.transfers.register(call.at, values)
    return Answer(media="")


ROUTES = (
    Route("POST", "/orders", _place_order, "B", writes=True),
    Route("PUT", "/orders/{code}/cancel", _cancel_order, "B", writes=True),
    Route("POST", "/transfers", _transfer, "B", writes=True),
)
"""Orders and transfers."""
