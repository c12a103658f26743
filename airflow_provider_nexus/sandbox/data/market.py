"""Prices: a closed form of time, so that any moment's price can be told."""

from __future__ import annotations

from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS, Currency
from airflow_provider_nexus.sandbox.stamps import MINUTE

PRICE_SCALE = 6
"""Prices are millionths of the currency."""

_WEEK = 7 * 24 * 60


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
