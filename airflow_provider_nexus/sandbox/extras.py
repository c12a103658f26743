"""GET endpoints beside the catalogue's, past prices among them. See docs/api_facts.rst, Endpoints."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from msgspec import Raw

from airflow_provider_nexus.api.resource import words
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, bad_query, bare, not_found, success
from airflow_provider_nexus.sandbox.data.market import CRYPTOS, CURRENCIES, crypto_index, currency_of
from airflow_provider_nexus.sandbox.filters import select
from airflow_provider_nexus.sandbox.reads import Route, page_answer, whole
from airflow_provider_nexus.sandbox.shapes import spoiled
from airflow_provider_nexus.sandbox.stamps import HOUR, MINUTE
from airflow_provider_nexus.sandbox.world import World

_SUMMED = {"payoutValue": "payout"} | {
    name: name for name in words("tradeValue bankCommission partnerCommission networkCommission")
}
_STEP = 10 * MINUTE
_LONGEST_CHART = 1440


def _totals(world: World, call: ApiCall) -> ApiAnswer:
    """Exact sums per status, in upper case here, and currency. See docs/api_facts.rst, Broker transaction."""
    resource, rows = RESOURCES["broker_transactions"], world.broker_transactions
    chosen = select(resource, rows, call, world.settings)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    sums: dict[tuple[str, str], dict[str, Decimal]] = {}
    for row in chosen.rows(rows, call.at):
        record = world.fitted(resource.name, rows.record(row, call.at))
        spoiled(resource, rows, row, record, world.settings, digits_alone=True)
        group = record["status"].upper(), record["currencyCode"]
        counts[group] += 1
        added = sums.setdefault(group, dict.fromkeys(_SUMMED, Decimal(0)))
        for name, source in _SUMMED.items():
            added[name] = money.add(added[name], record[source])
    totals = [
        {"status": status, "currencyCode": currency, "transactionCount": counts[status, currency]}
        | {name: money.raw(value) for name, value in sums[status, currency].items()}
        for status, currency in sorted(counts)
    ]
    return success({"filteringParameters": chosen.echo, "totals": totals})


def customer_row(world: World, call: ApiCall) -> int:
    """The customer that the path names, or 404."""
    return world.found("customers", call.parts["customer"], call.at)


def _accounts(world: World, call: ApiCall) -> ApiAnswer:
    accounts, customer = world.accounts, customer_row(world, call)
    return page_answer(world, RESOURCES["accounts"], accounts, call, lambda row: accounts.owner(row) == customer)


def _limits(world: World, call: ApiCall) -> ApiAnswer:
    row = customer_row(world, call)
    used = row * 137 % 1000
    remaining = {"dailyLimit": money.fiat(100_000 - used), "monthlyLimit": money.fiat(1_000_000 - used)}
    total = {"dailyLimit": Raw(b"1000.00"), "monthlyLimit": Raw(b"10000")}
    more = {"yearlyLimit": None, "lifetimeLimit": None}
    parameters = {name: call.query.get(name.lower()) for name in ("currencyCode", "paymentMethodCode", "cryptoCode")}
    reasons = None if world.customers.status(row, call.at) == "ACTIVE" else ["UnidentifiedBusiness"]
    return success(
        {"limitParameters": parameters, "limitReasons": reasons, "remaining": {**remaining, **more}, "total": {**total, **more}}
    )


def _hot_wallet(world: World, call: ApiCall) -> ApiAnswer:
    resource, balances, crypto = RESOURCES["hot_wallet_balances"], world.lists["hot_wallet_balances"], call.parts["crypto"]
    row = balances.found("CryptoCurrency", crypto.upper(), call.at)
    return bare(world.sent(resource, balances, row, call.at), records=1, form=call.form(resource.name))


def _exchanges(world: World, call: ApiCall) -> ApiAnswer:
    """One object, as it is declared; with the other shape, all of them."""
    records = whole(world, RESOURCES["exchanges"], world.lists["exchanges"], call)
    form = call.form("exchanges")
    return success(records, len(records), form) if "exchanges" in world.settings.other_shapes else success(records[0], 1, form)


def _trade_pairs(world: World, call: ApiCall) -> ApiAnswer:
    records = whole(world, RESOURCES["trade_pairs"], world.lists["trade_pairs"], call)
    exchange = call.parts.get("exchange")
    if exchange is not None:
        records = [record for record in records if record["exchange"]["code"].casefold() == exchange.casefold()]
        if not records:
            raise not_found("Exchange", exchange)
    values = records if "trade_pairs" in world.settings.other_shapes else {"tradePairs": records}
    return success(values, len(records), call.form("trade_pairs"))


def _price(world: World, call: ApiCall) -> ApiAnswer:
    return success(world.snapshot(RESOURCES["prices"], call)[0], form=call.form("prices"))


def _historic(world: World, call: ApiCall) -> ApiAnswer:
    """Prices of up to a day, ten minutes apart; an unknown crypto or currency gets a problem object, not the envelope."""
    currency, crypto = currency_of(call.parts["currency"]), crypto_index(call.parts["crypto"])
    if currency is None or crypto is None:
        problem = {"type": "https://tools.ietf.org/html/rfc7231#section-6.5.4", "title": "Not Found", "status": 404}
        answer = bare({**problem, "detail": "No prices", "instance": call.path}, 404)
        return ApiAnswer(404, answer.body, media="application/problem+json")
    hours = _between(call.query.get("hours", "24"), "hours", 24)
    form, market = call.form("historic"), world.market
    moments = range((call.at - hours * HOUR) // _STEP * _STEP + _STEP, call.at + 1, _STEP)
    data = [
        {
            "buy": money.price(market.buy(crypto, currency, moment)),
            "sell": money.price(market.sell(crypto, currency, moment)),
            "mid": money.price(market.price(crypto, currency, moment)),
            "timestamp": form(moment),
        }
        for moment in moments
    ]
    return success({"cryptoCode": CRYPTOS[crypto].code, "currencyCode": currency.code, "priceData": data})


def _between(text: str, name: str, most: int) -> int:
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise bad_query(f"{name} is a whole number from 1 to {most}")
    return int(text)


def _chart(world: World, call: ApiCall) -> ApiAnswer:
    """A bare array of two series: a line and a range. ``step`` is text."""
    minutes = _between(call.parts["span"], "timeSpan", _LONGEST_CHART)
    currency = currency_of(call.query.get("currency", "EUR")) or CURRENCIES[0]
    crypto = crypto_index(call.query.get("dccode", "BTC")) or 0
    last, market = call.at // MINUTE, world.market
    moments = [minute * MINUTE for minute in range(last - minutes + 1, last + 1)]
    line = [[moment // 1000, money.price(market.price(crypto, currency, moment))] for moment in moments]
    prices = ((moment, market.sell(crypto, currency, moment), market.buy(crypto, currency, moment)) for moment in moments)
    area = [[moment // 1000, money.price(low), money.price(high)] for moment, low, high in prices]
    return bare([_series("Price", "line", "true", line), _series("Spread", "arearange", "false", area)])


def _series(name: str, kind: str, step: str, data: list[Any]) -> dict[str, Any]:
    marker = {"enabled": False, "radius": 2}
    looks = {"color": "#0a84ff", "visible": True, "lineWidth": 1, "fillOpacity": 0.3, "marker": marker}
    return {**looks, "name": name, "type": kind, "step": step, "data": data}


ROUTES = (
    Route("GET", "/transaction/totals", _totals, "A"),
    Route("GET", "/customer/{customer}/accounts", _accounts),
    Route("GET", "/customer/{customer}/limits/broker/buy", _limits),
    Route("GET", "/customer/{customer}/limits/broker/sell", _limits),
    Route("GET", "/prices/{parent}/{crypto}", _price, "B"),
    Route("GET", "/balances/hotwallet/{crypto}", _hot_wallet, "B"),
    Route("GET", "/exchanges", _exchanges, "B"),
    Route("GET", "/tradepairs", _trade_pairs, "B"),
    Route("GET", "/tradepairs/{exchange}", _trade_pairs, "B"),
    Route("GET", "/prices/{currency}/{crypto}/historic", _historic, "B"),
    Route("GET", "/api/MinuteChart/GetDefault/{span}", _chart, "A"),
)
"""What the catalogue does not have, and the lists whose shape is not certain."""
