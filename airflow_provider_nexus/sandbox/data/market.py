"""Cryptos, currencies, and their prices as a closed form of time, so that the price of any moment is known."""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.stamps import MINUTE

_WEEK = 7 * 24 * 60


class Crypto(NamedTuple):
    """A crypto with its price in millionths of a euro, and the decimals that its amounts have, up to eight."""

    code: str
    name: str
    price: int
    decimals: int = 8


CRYPTOS = (
    Crypto("BTC", "Bitcoin", 61_234_567_800),
    Crypto("ETH", "Ethereum", 2_812_345_600),
    Crypto("ADA", "Cardano", 412_345, 6),
    Crypto("XRP", "XRP", 534_210, 6),
    Crypto("DOT", "Polkadot", 5_432_100),
    Crypto("LINK", "Chainlink", 13_987_600),
    Crypto("LTC", "Litecoin", 78_654_300),
    Crypto("XLM", "Stellar Lumens", 98_765, 7),
    Crypto("ALGO", "Algorand", 154_321, 6),
    Crypto("USDT-ERC20", "Tether USD", 923_400, 6),
)


class Currency(NamedTuple):
    """A currency with its rate in millionths per euro."""

    code: str
    name: str
    rate: int
    is_active: bool = True


CURRENCIES = (
    Currency("EUR", "Euro", 1_000_000),
    Currency("USD", "US dollar", 1_083_450),
    Currency("GBP", "British pound", 853_120),
    Currency("CHF", "Swiss franc", 956_700),
    Currency("SEK", "Swedish krona", 11_345_000, is_active=False),
)


def crypto_index(code: str) -> int | None:
    """The place of a crypto in the list, in any case."""
    return next((place for place, crypto in enumerate(CRYPTOS) if crypto.code == code.upper()), None)


def currency_of(code: str) -> Currency | None:
    """A currency by its code, in any case."""
    return next((currency for currency in CURRENCIES if currency.code == code.upper()), None)


class Market:
    """Prices per crypto and currency. They swing by a tenth in a week and jitter by a thousandth every minute."""

    def __init__(self, seed: int) -> None:
        self._salt = salt_of(seed, "market")

    def price(self, crypto: int, currency: Currency, at: int) -> int:
        """The middle price in millionths of the currency."""
        minute = at // MINUTE
        swing = abs((minute + crypto * 1009) % (2 * _WEEK) - _WEEK) * 2000 // _WEEK
        jitter = scatter(self._salt + crypto, minute) % 21
        return CRYPTOS[crypto].price * (9_000 + swing - 10 + jitter) // 10_000 * currency.rate // 1_000_000

    def buy(self, crypto: int, currency: Currency, at: int) -> int:
        """What a customer pays: half a percent above the middle."""
        return self.price(crypto, currency, at) * 1005 // 1000

    def sell(self, crypto: int, currency: Currency, at: int) -> int:
        """What a customer gets: half a percent below the middle."""
        return self.price(crypto, currency, at) * 995 // 1000
