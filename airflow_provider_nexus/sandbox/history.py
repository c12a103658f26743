"""Past prices: the historic list and the classic minute chart. See docs/api_facts.rst, Price and balance calls."""

from __future__ import annotations

from typing import Any

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import Answer, Call, Refusal, bare, success
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.data.market import PRICE_SCALE
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.stamps import HOUR, MINUTE

_STEP = 10 * MINUTE
_LONGEST_CHART = 1440


def _historic(world: World, call: Call) -> Answer:
    """Prices of up to a day, ten minutes apart; an unknown crypto or currency gets a problem object, not the envelope."""
    currency, crypto = words.currency_of(call.parts["currency"]), words.crypto_index(call.parts["crypto"])
    if currency is None or crypto is None:
        problem = {"type": "https://tools.ietf.org/html/rfc7231#section-6.5.4", "title": "Not Found", "status": 404}
        answer = bare({**problem, "detail": "No prices", "instance": call.path}, 404)
        return Answer(404, answer.body, media="application/problem+json")
    hours = _whole(call.query.get("hours", "24"), "hours", 24)
    form, market = call.form("historic"), world.market
    moments = range((call.at - hours * HOUR) // _STEP * _STEP + _STEP, call.at + 1, _STEP)
    data = [
        {
            "buy": money.number(market.buy(crypto, currency, moment), PRICE_SCALE),
            "sell": money.number(market.sell(crypto, currency, moment), PRICE_SCALE),
            "mid": money.number(market.price(crypto, currency, moment), PRICE_SCALE),
            "timestamp": form(moment),
        }
        for moment in moments
    ]
    return success({"cryptoCode": words.CRYPTOS[crypto].code, "currencyCode": currency.code, "priceData": data})


def _whole(text: str, name: str, most: int) -> int:
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise Refusal(400, "InvalidQueryParameter", f"{name} is a whole number from 1 to {most}")
    return int(text)


def _chart(world: World, call: Call) -> Answer:
    """A bare array of two series: a line and a range. ``step`` is text."""
    minutes = _whole(call.parts["span"], "timeSpan", _LONGEST_CHART)
    currency = words.currency_of(call.query.get("currency", "EUR")) or words.CURRENCIES[0]
    crypto = words.crypto_index(call.query.get("dccode", "BTC")) or 0
    last, market = call.at // MINUTE, world.market
    moments = [minute * MINUTE for minute in range(last - minutes + 1, last + 1)]
    line = [[moment // 1000, money.number(market.price(crypto, currency, moment), PRICE_SCALE)] for moment in moments]
    area = [
        [
            moment // 1000,
            money.number(market.sell(crypto, currency, moment), PRICE_SCALE),
            money.number(market.buy(crypto, currency, moment), PRICE_SCALE),
        ]
        for moment in moments
    ]
    return bare([_series("Price", "line", "true", line), _series("Spread", "arearange", "false", area)])


def _series(name: str, kind: str, step: str, data: list[Any]) -> dict[str, Any]:
    marker = {"enabled": False, "radius": 2}
    looks = {"color": "#0a84ff", "visible": True, "lineWidth": 1, "fillOpacity": 0.3, "marker": marker}
    return {**looks, "name": name, "type": kind, "step": step, "data": data}


ROUTES = (
    Route("GET", "/prices/{currency}/{crypto}/historic", _historic, "B"),
    Route("GET", "/api/MinuteChart/GetDefault/{span}", _chart, "A"),
)
"""Past prices."""
