"""Snapshots: currencies, prices, reserves, balances and the tenant itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import Call, not_found
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.collection import Entry, Listed, Record
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.data.market import PRICE_SCALE
from airflow_provider_nexus.sandbox.data.trades import UNITS
from airflow_provider_nexus.sandbox.filters import read_moment
from airflow_provider_nexus.sandbox.stamps import HOUR, MINUTE, Form, naive_millis, zulu

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


_CHAINS = {"LINK": "ETH", "USDT-ERC20": "ETH"}
_FEE = Raw(b"2.5E-05")


class Treasury:
    """The ``values`` of the snapshots; each takes a call."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._salt = salt_of(world.settings.seed, "treasury")
        self.snapshots: dict[str, Callable[[Call], Any]] = {
            "currencies": self.currencies,
            "prices": self.prices,
            "reserves": self.reserves,
            "balances": self.balances,
            "customer_balances": self.customer_balances,
            "broker_balances": self.broker_balances,
            "label_partner": self.label_partner,
        }

    def currencies(self, call: Call) -> Record:
        """The base currency and the rates."""
        form = call.form("currencies")
        base = words.CURRENCIES[0]
        rated = form(call.at // HOUR * HOUR)
        return {
            "baseCurrency": {"name": base.name, "code": base.code},
            "currencies": [
                self._world.fitted(
                    "currencies",
                    {
                        "code": each.code,
                        "name": each.name,
                        "isActive": each.is_active,
                        "rate": money.number(each.rate, 6, money.WHOLE),
                        "rateUpdated": rated if each.is_active else None,
                    },
                )
                for each in words.CURRENCIES
            ],
        }

    def prices(self, call: Call) -> Record:
        """Prices of all cryptos in a currency, or of the one named.

        :raises Refusal: 404 for a currency that is unknown or not in use, or an unknown crypto
        """
        currency = words.currency_of(call.parts["parent"])
        if currency is None or not currency.is_active:
            raise not_found("Currency", call.parts["parent"])
        wanted = call.parts.get("crypto")
        chosen = range(len(words.CRYPTOS)) if wanted is None else [crypto_place(wanted)]
        updated = (zulu if call.iso8601 else naive_millis)(call.at // MINUTE * MINUTE)
        return {
            "created": call.form("prices")(call.at),
            "currencyCode": currency.code,
            "prices": {words.CRYPTOS[place].code: self._price(place, currency, call.at, updated) for place in chosen},
        }

    def _price(self, place: int, currency: words.Currency, at: int, updated: str) -> Record:
        market = self._world.market
        known = place != len(words.CRYPTOS) - 2
        return self._world.fitted(
            "prices",
            {
                "buy": money.number(market.buy(place, currency, at), PRICE_SCALE) if known else None,
                "sell": money.number(market.sell(place, currency, at), PRICE_SCALE),
                "estimatedNetworkSlowFee": _FEE,
                "estimatedNetworkFastFee": Raw(b"0.00010000") if place % 2 else None,
                "updated": updated,
            },
        )

    def reserves(self, call: Call) -> Record:
        """Reserves of currencies at exchanges, and of cryptos at exchanges, in the hot wallet and in cold store."""
        text = call.query.get("reservestimestamp")
        at = call.at if text is None else read_moment("reservesTimeStamp", text)
        form = call.form("reserves")
        fiat = [
            self._reserve(place, each.code, each.name, "Exchange", at, form) | {"exchangeCode": exchange[0]}
            for place, each in enumerate(words.CURRENCIES[:2])
            for exchange in words.EXCHANGES
        ]
        return {
            "currencyReserves": [self._world.fitted("reserves", each) for each in fiat],
            "cryptoReserves": [self._world.fitted("reserves", each) for each in self._crypto_reserves(at, form)],
        }

    def _crypto_reserves(self, at: int, form: Form) -> list[Record]:
        kinds = [("HotWallet", None), ("Coldstore", None), ("Exchange", "KRAKEN"), ("Yield", None)]
        return [
            {
                **self._reserve(place * 7 + 3, each.code, each.name, kind, at, form),
                "exchangeCode": exchange,
                "bucketCode": "BUCKET0000" if kind == "Yield" else None,
                "blockchainCode": _CHAINS.get(each.code, each.code),
                "tokenCode": each.code if each.code in _CHAINS else None,
                "cryptoCode": each.code,
                "isActive": True,
            }
            for place, each in enumerate(words.CRYPTOS)
            for kind, exchange in kinds[: 4 if place == 1 else 3]
        ]

    def _reserve(self, place: int, code: str, name: str, kind: str, at: int, form: Form) -> Record:
        units, locked = self._amount(place, at), self._amount(place + 1, at) // 100
        return {
            "code": code,
            "name": name if place % 2 else None,
            "type": kind,
            "bucketCode": None,
            "exchangeCode": None,
            "total": money.number(units, UNITS, money.WHOLE),
            "locked": money.number(locked, UNITS),
            "available": money.number(units - locked, UNITS),
            "unconfirmed": money.number(place % 3, UNITS, money.TINY) if kind == "HotWallet" else None,
            "updated": form(at // MINUTE * MINUTE),
        }

    def _amount(self, place: int, at: int) -> int:
        return 10**10 + scatter(self._salt + place, at // HOUR) % 10**12

    def balances(self, call: Call) -> Record:
        """Custodian balances, now or at ``balanceDateTime``."""
        records = self._world.balances.records(_balanced_at(call))
        return {"cryptoBalances": [self._world.fitted("balances", record) for record in records]}

    def customer_balances(self, call: Call) -> Record:
        """The same of the customer that the path names."""
        records = self._world.balances.records(_balanced_at(call), self._world.compliance.row_of(call))
        return {"cryptoBalances": [self._world.fitted("customer_balances", record) for record in records]}

    def hot_wallet(self) -> Listed:
        """The hot wallet, one record for each crypto."""
        return Listed([self._hot_wallet(place) for place in range(len(words.CRYPTOS))])

    def _hot_wallet(self, place: int) -> Entry:
        kind = words.CRYPTOS[place]

        def make(at: int, form: Form) -> Record:  # noqa: ARG001
            units = self._amount(place, at)
            return {
                "cryptoCode": kind.code,
                "cryptoName": kind.name,
                "available": money.number(units, UNITS),
                "unconfirmed": money.number(place, UNITS, money.TINY),
                "confirmedReserve": money.number(units + 5, UNITS),
                "delayedSending": money.number(0, UNITS, money.WHOLE),
            }

        return Entry(kind.code, make)

    def broker_balances(self, call: Call) -> Record:
        """The classic broker balances by crypto."""
        form = call.form("broker_balances")
        return {each.code: self._broker_balance(place, call.at, form) for place, each in enumerate(words.CRYPTOS)}

    def _broker_balance(self, place: int, at: int, form: Form) -> Record:
        units, updated, base = self._amount(place, at), form(at // MINUTE * MINUTE), words.CURRENCIES[0]
        market = self._world.market
        record: Record = {
            "balanceCurrencyCode": words.CRYPTOS[place].code,
            "availableBalance": money.number(units, UNITS),
            "unconfirmedBalance": money.number(-place, UNITS, money.TINY),
            "hotConfirmedBalance": money.number(units + 5, UNITS),
            "delayedSending": money.number(0, UNITS, money.WHOLE),
            "coldStoreBalance": money.number(units * 9, UNITS),
            "custodianBalance": None if place == 0 else money.number(units // 3, UNITS),
            "nexusTickerPrice": money.number(market.price(place, base, at), PRICE_SCALE),
            "nexusPriceUpdated": updated,
            "currencies": [
                {
                    "code": each.code,
                    "updated": updated,
                    "ask": money.number(market.buy(place, each, at), PRICE_SCALE),
                    "bid": money.number(market.sell(place, each, at), PRICE_SCALE),
                    "rates": [{"code": "USD", "rate": Raw(b"1.0834500000000001"), "updated": updated}],
                }
                for each in words.CURRENCIES[:2]
            ],
        }
        return self._world.fitted("broker_balances", record)

    def label_partner(self, call: Call) -> Record:  # noqa: ARG002
        """The tenant."""
        return self._world.fitted(
            "label_partner",
            {
                "labelPartnerCode": words.LABEL_PARTNER,
                "baseCurrencyCode": words.CURRENCIES[0].code,
                "businessModel": "Custodian",
                "features": {"orders": True, "interest": False},
                "maximumAllowedYieldDeviationValue": Raw(b"0.0500"),
            },
        )


def _balanced_at(call: Call) -> int:
    text = call.query.get("balancedatetime")
    return call.at if text is None else min(call.at, read_moment("balanceDateTime", text))


def crypto_place(code: str) -> int:
    """Where a crypto stands in the list.

    :raises Refusal: 404 when there is none of that code
    """
    place = words.crypto_index(code)
    if place is None:
        raise not_found("CryptoCurrency", code)
    return place
