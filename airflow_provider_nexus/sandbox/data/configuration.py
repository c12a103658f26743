"""What the tenant is set up with. See docs/api_facts.rst, Partner calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Raw

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.collection import Entry, Listed, Record
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.data.market import PRICE_SCALE
from airflow_provider_nexus.sandbox.stamps import HOUR, MINUTE, Form

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


BUCKETS = 300
_BUYS = ("IDEAL", "SEPA", "CARD")
_CUSTODIAN = ("GIFT", "SENDINTERNAL", "SENDOUT", "SENDTOBUCKET", "SWAP", "RECEIVEIN", "CLAWBACK", "INTEREST")


def plain(code: str, record: Record, stamp: int = 0) -> Entry:
    """A record without stamps, always the same."""
    return Entry(code, lambda at, form: dict(record), stamp)  # noqa: ARG005


def payment_methods() -> Listed:
    """Ways to buy and sell, and one for each kind of custodian trade; some bound to a currency or crypto."""
    entries = [_method(f"BUY_{way}", way, "BUY|BROKERBUY") for way in _BUYS]
    entries += [_method(f"CUST_BUY_{way}", way, "BUY") for way in _BUYS]
    entries += [_method("SELL_SEPA", "SEPA", "SELL|BROKERSELL"), _method("CUST_SELL_SEPA", "SEPA", "SELL")]
    entries += [_method(f"CUST_{kind}", "INTERNAL", kind) for kind in _CUSTODIAN]
    entries += [_method(f"BUY_CARD_{each.code}", "CARD", "BUY", currency=each.code) for each in words.CURRENCIES[1:4]]
    entries += [_method(f"SELL_{each.code}", "SEPA", "SELL", crypto=each.code) for each in words.CRYPTOS[:3]]
    return Listed(sorted(entries, key=lambda entry: entry.code))


def _method(code: str, way: str, kinds: str, currency: str | None = None, crypto: str | None = None) -> Entry:
    return plain(
        code,
        {
            "code": code,
            "name": code.replace("_", " ").title(),
            "cryptoCode": crypto,
            "currencyCode": currency,
            "fees": {"bank": {"fixed": Raw(b"0.50"), "relative": Raw(b"5E-03")}, "service": {"relative": Raw(b"0.0100")}},
            "paymentType": {"code": way, "description": None, "name": way.title()},
            "transactionType": kinds,
        },
    )


def trust_levels() -> Listed:
    """Four trust levels, one without an upper end."""
    return Listed([plain(name, _trust_level(place, name)) for place, name in enumerate(words.TRUST_LEVELS)])


def _trust_level(place: int, name: str) -> Record:
    scale = 10**place
    limits: Record = {
        "dailyLimit": Raw(f"{250 * scale}.00".encode()),
        "monthlyLimit": Raw(str(2_500 * scale).encode()) if place else None,
        "yearLimit": Raw(f"{25_000 * scale}.000".encode()) if place < 3 else None,
        "lifetimeLimit": None,
    }
    return {
        "name": name,
        "description": f"{name} customers" if place else None,
        "isActive": place != 0,
        "requireExecutedSellDoesNotExceedLifetimeBuy": place == 0,
        "buyLimits": limits,
        "sellLimits": dict(limits),
        "overallLimits": {"custodianLimit": Raw(b"1E+06") if place == 3 else None},
        "flags": {"canSendOut": place > 1},
    }


def portfolios() -> Listed:
    """Three portfolios."""
    return Listed(
        [plain(code, {"code": code, "name": name, "mailsEnabled": code != "PRIVATE"}) for code, name in words.PORTFOLIOS]
    )


def buckets(world: World) -> Listed:
    """A few hundred buckets, one made every hour until the span ends; every tenth has an owner."""
    return Listed([_bucket(world, place) for place in range(BUCKETS)])


def _bucket(world: World, place: int) -> Entry:
    count = world.settings.customers
    owner = world.customers.code(place % count) if count and place % 10 == 0 else None
    return bucket(f"BUCKET{place:04d}", f"Bucket {place}", owner, world.start - (BUCKETS - place) * HOUR)


def bucket(code: str, name: str, customer: str | None, stamp: int) -> Entry:
    """One bucket."""

    def make(at: int, form: Form) -> Record:  # noqa: ARG001
        made = form(stamp)
        return {"code": code, "name": name, "customerCode": customer, "created": made, "updated": made}

    return Entry(code, make, stamp)


def exchanges() -> Listed:
    """Three exchanges."""
    return Listed([_exchange(code, name) for code, name in words.EXCHANGES])


def _exchange(code: str, name: str) -> Entry:
    def make(at: int, form: Form) -> Record:
        return {
            "code": code,
            "name": name,
            "priceUpdated": form(at // MINUTE * MINUTE),
            "reserveUpdated": None if code == "BITVAVO" else form(at),
        }

    return Entry(code, make)


def trade_pairs(world: World) -> Listed:
    """Every crypto against two currencies at every exchange."""
    return Listed(list(_pairs(world)))


def _pairs(world: World) -> Iterator[Entry]:
    for code, name in words.EXCHANGES:
        for currency in words.CURRENCIES[:2]:
            for crypto in range(len(words.CRYPTOS)):
                yield _pair(world, (code, name), currency, crypto)


def _pair(world: World, exchange: tuple[str, str], currency: words.Currency, crypto: int) -> Entry:
    kind = words.CRYPTOS[crypto]
    code = f"{exchange[0]}-{kind.code}{currency.code}"
    works = crypto != 8

    def make(at: int, form: Form) -> Record:
        updated = form(at // MINUTE * MINUTE) if works else None
        bid, ask = world.market.sell(crypto, currency, at), world.market.buy(crypto, currency, at)
        return {
            "code": code,
            "exchange": {"code": exchange[0], "name": exchange[1]},
            "currency": {"code": currency.code, "name": currency.name},
            "crypto": {"code": kind.code, "name": kind.name},
            "price": {
                "bid": money.number(bid, PRICE_SCALE) if works else None,
                "ask": money.number(ask, PRICE_SCALE) if works else None,
                "updated": updated,
            },
            "supports": ["Market", "Limit"] if works else [],
            "status": {
                "tradeable": works,
                "enabled": True,
                "systemEnabled": works,
                "updated": form(world.start) if "trade_pair_updated" in world.settings.other_shapes else works,
                "exchangeSystemEnabled": True,
                "exchangeEnabled": True,
            },
        }

    return Entry(code, make)
