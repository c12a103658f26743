"""Place and cancel orders, make transfers. See docs/api_facts.rst, Exchange calls."""

from __future__ import annotations

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, Refusal, read_moment, success
from airflow_provider_nexus.sandbox.data.market import CRYPTOS
from airflow_provider_nexus.sandbox.data.progress import COMPLETED, Course
from airflow_provider_nexus.sandbox.data.trades import TradeFacts
from airflow_provider_nexus.sandbox.data.vocabulary import EXCHANGES
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.stamps import MINUTE, Stamp
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks

_PLACES = ("Exchange", "HotWallet", "Coldstore", "Other")
_OPEN = ("Initiated", "Queued", "Open")


def _place_order(world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    exchange = _exchange(body, "exchangeCode")
    crypto, currency = checks.crypto(body, "crypto"), checks.currency(body, "currency")
    cents, limit = checks.units(body, "amount", money.CENTS) or 0, checks.units(body, "limitPrice", money.PRICE_SCALE)
    kind = checks.choice(body, "type", ("Market", "Limit"))
    if kind == "Limit" and limit is None:
        raise checks.invalid("limitPrice is required")
    price = limit or world.market.price(crypto, currency, call.at)
    units, course = money.units_for(cents, price), Course(MINUTE, COMPLETED)
    trade = TradeFacts(-1, call.at, "BUY", None, None, crypto, currency, cents, units, price, money.PLAIN, course, ())
    values: Record = {
        "tradePair": {"exchangeCode": exchange, "currencyCode": currency.code, "cryptoCode": CRYPTOS[crypto].code},
        "action": checks.choice(body, "action", ("Buy", "Sell")),
        "type": kind,
        "amount": money.fiat(cents),
        "limitPrice": None if limit is None else money.price(limit),
        "data": body.get("data"),
        "_crypto": crypto,
        "_trade": trade,
    }
    if body.get("expiring"):
        values["originalValidTill"] = Stamp(read_moment("expiring", str(body["expiring"])))
    row = world.orders.register(call.at, values)
    return success(world.answered_row(call, "orders", row))


def _exchange(body: checks.Body, name: str) -> str:
    code = (checks.text(body, name) or "").upper()
    if code not in dict(EXCHANGES):
        raise Refusal(404, "ExchangeNotFound", f"Exchange {code!r} was not found")
    return code


def _cancel_order(world: World, call: ApiCall) -> ApiAnswer:
    """No body comes back: the API's documents declare none."""
    row = world.found("orders", call.parts["code"], call.at)
    status = world.orders.status(row, call.at)
    if status not in _OPEN:
        raise checks.refuse("InvalidOrderStatus", f"An order that is {status} can't be cancelled")
    world.orders.patch(row, status="CANCELLED", finished=Stamp(call.at), reason="Cancelled by user")
    return ApiAnswer(media="")


def _transfer(world: World, call: ApiCall) -> ApiAnswer:
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
        "amount": money.crypto(checks.units(body, "amount", money.UNITS) or 0),
        "userName": checks.text(body, "userName"),
        "cryptoCode": CRYPTOS[crypto].code,
        "address": {"sourceType": source, "sinkType": sink, "address": checks.text(body, "transferAddress"), **ends},
    }
    world.transfers.register(call.at, values)
    return ApiAnswer(media="")


ROUTES = (
    Route("POST", "/orders", _place_order, "B", writes=True),
    Route("PUT", "/orders/{code}/cancel", _cancel_order, "B", writes=True),
    Route("POST", "/transfers", _transfer, "B", writes=True),
)
"""Orders and transfers."""
