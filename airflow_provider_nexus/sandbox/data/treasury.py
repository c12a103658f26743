"""Snapshots: currencies, prices, reserves, balances and the tenant itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec import Raw

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import ApiCall, not_found
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.data.books import COLD_STORE, EXCHANGE, HOT_WALLET, Balances, Holdings, Place, opening
from airflow_provider_nexus.sandbox.data.customers import Customers
from airflow_provider_nexus.sandbox.data.market import CRYPTOS, CURRENCIES, Currency, Market, crypto_index, currency_of
from airflow_provider_nexus.sandbox.rows import Listed, ListedRow, Record
from airflow_provider_nexus.sandbox.stamps import HOUR, MINUTE, Stamp, naive_millis, zulu

_CHAINS = {"LINK": "ETH", "USDT-ERC20": "ETH"}
_FEE = Raw(b"2.5E-05")
_NOTHING = money.crypto(0, money.WHOLE)
_LENT = money.crypto(12 * 10**8, money.WHOLE)


class Treasury:
    """The ``values`` of the snapshots; each takes a call."""

    def __init__(self, seed: int, market: Market, balances: Balances, books: Holdings, customers: Customers) -> None:
        self._market, self._balances, self._books = market, balances, books
        self._salt = salt_of(seed, "treasury")
        self.snapshots: dict[str, Callable[[ApiCall], Any]] = {
            "currencies": self._currencies,
            "prices": self._prices,
            "reserves": self._reserves,
            "balances": self._custodian_balances,
            "customer_balances": lambda call: self._custodian_balances(
                call, customers.found("Customer", call.parts["parent"], call.at)
            ),
            "broker_balances": lambda call: {
                each.code: self._broker_balance(place, call.at) for place, each in enumerate(CRYPTOS)
            },
            "label_partner": lambda call: {  # noqa: ARG005
                "labelPartnerCode": words.LABEL_PARTNER,
                "baseCurrencyCode": CURRENCIES[0].code,
                "businessModel": "Custodian",
                "features": {"orders": True, "interest": False},
                "maximumAllowedYieldDeviationValue": Raw(b"0.0500"),
            },
        }

    def _currencies(self, call: ApiCall) -> Record:
        base, rated = CURRENCIES[0], Stamp(call.at // HOUR * HOUR)
        currencies = [
            {
                "code": each.code,
                "name": each.name,
                "isActive": each.is_active,
                "rate": money.number(each.rate, 6, money.WHOLE),
                "rateUpdated": rated if each.is_active else None,
            }
            for each in CURRENCIES
        ]
        return {"baseCurrency": {"name": base.name, "code": base.code}, "currencies": currencies}

    def _prices(self, call: ApiCall) -> Record:
        """Prices of all cryptos in a currency, or of the one named; 404 for what is unknown, or a currency that is not in use."""
        currency = currency_of(call.parts["parent"])
        if currency is None or not currency.is_active:
            raise not_found("Currency", call.parts["parent"])
        wanted = call.parts.get("crypto")
        only = None if wanted is None else crypto_index(wanted)
        if wanted is not None and only is None:
            raise not_found("CryptoCurrency", wanted)
        chosen = range(len(CRYPTOS)) if only is None else [only]
        updated = (zulu if call.iso8601 else naive_millis)(call.at // MINUTE * MINUTE)
        return {
            "created": Stamp(call.at),
            "currencyCode": currency.code,
            "prices": {CRYPTOS[place].code: self._price(place, currency, call.at, updated) for place in chosen},
        }

    def _price(self, place: int, currency: Currency, at: int, updated: str) -> Record:
        known = place != len(CRYPTOS) - 2
        return {
            "buy": money.price(self._market.buy(place, currency, at)) if known else None,
            "sell": money.price(self._market.sell(place, currency, at)),
            "estimatedNetworkSlowFee": _FEE,
            "estimatedNetworkFastFee": Raw(b"0.00010000") if place % 2 else None,
            "updated": updated,
        }

    def _reserves(self, call: ApiCall) -> Record:
        """Reserves of currencies at exchanges, and of cryptos at exchanges, in the hot wallet and in cold store."""
        asked = call.moment("reservesTimeStamp")
        at = call.at if asked is None else asked
        moved = self._books.moved(at)
        fiat = [
            self._reserve((EXCHANGE, exchange, each.code), each.name if exchange != "KRAKEN" else None, moved, at)
            for each in CURRENCIES
            if each.is_active
            for exchange, _ in words.EXCHANGES
        ]
        kinds = [(HOT_WALLET, None), (COLD_STORE, None), *((EXCHANGE, code) for code, _ in words.EXCHANGES)]
        crypto = [
            {
                **self._reserve((kind, exchange, each.code), each.name if index % 2 else None, moved, at),
                "blockchainCode": _CHAINS.get(each.code, each.code),
                "tokenCode": each.code if each.code in _CHAINS else None,
                "cryptoCode": each.code,
                "isActive": True,
            }
            for index, each in enumerate(CRYPTOS)
            for kind, exchange in kinds
        ]
        lent = {**crypto[len(kinds)], "type": "Yield", "bucketCode": "BUCKET0000", "total": _LENT, "locked": _LENT}
        return {"currencyReserves": fiat, "cryptoReserves": [*crypto, {**lent, "available": _NOTHING, "unconfirmed": None}]}

    def _reserve(self, place: Place, name: str | None, moved: Mapping[Place, Decimal], at: int) -> Record:
        kind, exchange, code = place
        total = money.add(opening(kind, code), moved.get(place))
        locked = opening(kind, code).scaleb(-2) if kind == EXCHANGE else Decimal(0)
        return {
            "code": code,
            "name": name,
            "type": kind,
            "bucketCode": None,
            "exchangeCode": exchange,
            "total": money.raw(total),
            "locked": money.raw(locked),
            "available": money.raw(money.add(total, -locked)),
            "unconfirmed": money.crypto(len(code), money.TINY) if kind == HOT_WALLET else None,
            "updated": Stamp(at // MINUTE * MINUTE),
        }

    def _custodian_balances(self, call: ApiCall, customer: int | None = None) -> Record:
        """Custodian balances, now or at ``balanceDateTime``, of all or of one customer."""
        asked = call.moment("balanceDateTime")
        return {"cryptoBalances": self._balances.records(call.at if asked is None else min(call.at, asked), customer)}

    def hot_wallet(self) -> Listed:
        """The hot wallet, one record for each crypto."""
        return Listed(ListedRow(kind.code, partial(self._hot_wallet, place)) for place, kind in enumerate(CRYPTOS))

    def _hot_wallet(self, place: int, at: int) -> Record:
        code = CRYPTOS[place].code
        total = money.add(opening(HOT_WALLET, code), self._books.moved(at).get((HOT_WALLET, None, code)))
        return {
            "cryptoCode": code,
            "cryptoName": CRYPTOS[place].name,
            "available": money.raw(total),
            "unconfirmed": money.crypto(place, money.TINY),
            "confirmedReserve": money.raw(total),
            "delayedSending": _NOTHING,
        }

    def _broker_balance(self, place: int, at: int) -> Record:
        units, updated = 10**10 + scatter(self._salt + place, at // HOUR) % 10**12, Stamp(at // MINUTE * MINUTE)
        market = self._market
        return {
            "balanceCurrencyCode": CRYPTOS[place].code,
            "availableBalance": money.crypto(units),
            "unconfirmedBalance": money.crypto(-place, money.TINY),
            "hotConfirmedBalance": money.crypto(units + 5),
            "delayedSending": _NOTHING,
            "coldStoreBalance": money.crypto(units * 9),
            "custodianBalance": None if place == 0 else money.crypto(units // 3),
            "nexusTickerPrice": money.price(market.price(place, CURRENCIES[0], at)),
            "nexusPriceUpdated": updated,
            "currencies": [
                {
                    "code": each.code,
                    "updated": updated,
                    "ask": money.price(market.buy(place, each, at)),
                    "bid": money.price(market.sell(place, each, at)),
                    "rates": [{"code": "USD", "rate": Raw(b"1.0834500000000001"), "updated": updated}],
                }
                for each in CURRENCIES[:2]
            ],
        }
