"""Snapshots: currencies, prices, reserves, balances and the tenant itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Raw

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import ApiCall, not_found
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.data.balances import Balances
from airflow_provider_nexus.sandbox.data.customers import Customers
from airflow_provider_nexus.sandbox.data.market import CRYPTOS, CURRENCIES, Currency, Market, crypto_index, currency_of
from airflow_provider_nexus.sandbox.rows import Listed, ListedRow, Record
from airflow_provider_nexus.sandbox.stamps import HOUR, MINUTE, Stamp, naive_millis, zulu

_CHAINS = {"LINK": "ETH", "USDT-ERC20": "ETH"}
_FEE = Raw(b"2.5E-05")
_NOTHING = money.crypto(0, money.WHOLE)


class Treasury:
    """The ``values`` of the snapshots; each takes a call."""

    def __init__(self, seed: int, market: Market, balances: Balances, customers: Customers) -> None:
        self._market, self._balances = market, balances
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
            "label_partner": self._label_partner,
        }

    def _currencies(self, call: ApiCall) -> Record:
        """The base currency and the rates."""
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
        """Prices of all cryptos in a currency, or of the one named.

        :raises Refusal: 404 for a currency that is unknown or not in use, or an unknown crypto
        """
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
        fiat = [
            self._reserve(place, each.code, each.name, "Exchange", at) | {"exchangeCode": exchange}
            for place, each in enumerate(CURRENCIES[:2])
            for exchange, _ in words.EXCHANGES
        ]
        kinds = [("HotWallet", None), ("Coldstore", None), ("Exchange", "KRAKEN"), ("Yield", None)]
        crypto = [
            {
                **self._reserve(place * 7 + 3, each.code, each.name, kind, at),
                "exchangeCode": exchange,
                "bucketCode": "BUCKET0000" if kind == "Yield" else None,
                "blockchainCode": _CHAINS.get(each.code, each.code),
                "tokenCode": each.code if each.code in _CHAINS else None,
                "cryptoCode": each.code,
                "isActive": True,
            }
            for place, each in enumerate(CRYPTOS)
            for kind, exchange in kinds[: 4 if place == 1 else 3]
        ]
        return {"currencyReserves": fiat, "cryptoReserves": crypto}

    def _reserve(self, place: int, code: str, name: str, kind: str, at: int) -> Record:
        units, locked = self._amount(place, at), self._amount(place + 1, at) // 100
        return {
            "code": code,
            "name": name if place % 2 else None,
            "type": kind,
            "bucketCode": None,
            "exchangeCode": None,
            "total": money.crypto(units, money.WHOLE),
            "locked": money.crypto(locked),
            "available": money.crypto(units - locked),
            "unconfirmed": money.crypto(place % 3, money.TINY) if kind == "HotWallet" else None,
            "updated": Stamp(at // MINUTE * MINUTE),
        }

    def _amount(self, place: int, at: int) -> int:
        return 10**10 + scatter(self._salt + place, at // HOUR) % 10**12

    def _custodian_balances(self, call: ApiCall, customer: int | None = None) -> Record:
        """Custodian balances, now or at ``balanceDateTime``, of all or of one customer."""
        asked = call.moment("balanceDateTime")
        return {"cryptoBalances": self._balances.records(call.at if asked is None else min(call.at, asked), customer)}

    def hot_wallet(self) -> Listed:
        """The hot wallet, one record for each crypto."""
        return Listed(ListedRow(kind.code, partial(self._hot_wallet, place)) for place, kind in enumerate(CRYPTOS))

    def _hot_wallet(self, place: int, at: int) -> Record:
        units = self._amount(place, at)
        return {
            "cryptoCode": CRYPTOS[place].code,
            "cryptoName": CRYPTOS[place].name,
            "available": money.crypto(units),
            "unconfirmed": money.crypto(place, money.TINY),
            "confirmedReserve": money.crypto(units + 5),
            "delayedSending": _NOTHING,
        }

    def _broker_balance(self, place: int, at: int) -> Record:
        """The classic broker balance of a crypto."""
        units, updated, market = self._amount(place, at), Stamp(at // MINUTE * MINUTE), self._market
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

    def _label_partner(self, call: ApiCall) -> Record:  # noqa: ARG002
        """The tenant."""
        return {
            "labelPartnerCode": words.LABEL_PARTNER,
            "baseCurrencyCode": CURRENCIES[0].code,
            "businessModel": "Custodian",
            "features": {"orders": True, "interest": False},
            "maximumAllowedYieldDeviationValue": Raw(b"0.0500"),
        }
