"""What is asked of a reconciliation, checked where the DAG is parsed: which copies, and how much may differ."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal

from airflow_provider_nexus.api.codes import did_you_mean
from airflow_provider_nexus.api.records import money
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.exceptions import NexusConfigurationError

COPIES = ("transactions", "hot_wallet_mutations", "orders", "transfers")
"""The resources whose copies can be reconciled."""
_OF_RESERVES = {"hot_wallet_mutations", "orders", "transfers"}


def check_copies(copies: object) -> None:
    """Refuse copies that can't be reconciled, or of which some are missing.

    :param copies: paths or tables by the name of the resource
    :raises NexusConfigurationError: names what is wrong
    """
    if not isinstance(copies, Mapping) or not copies:
        raise NexusConfigurationError(
            f"copies is {copies!r}: give a dictionary with the path or the table of at least one of {', '.join(COPIES)}"
        )
    for name in copies:
        if name not in COPIES:
            known = f"copies can be of {', '.join(COPIES)}"
            hint = known if name in RESOURCES else did_you_mean(str(name), COPIES)
            raise NexusConfigurationError(f"{name!r} is not reconciled: {hint}")
    if {"orders", "transfers"} & set(copies) and (missing := sorted(_OF_RESERVES - set(copies))):
        raise NexusConfigurationError(
            f"reserves are moved by orders, transfers and hot wallet mutations: give the copy of {' and '.join(missing)} too"
        )


class Tolerance:
    """How much a place may differ: nothing, unless a currency or crypto has an amount.

    :param given: an amount for all, or amounts by currency or crypto code
    :param name: of the argument, for the error
    :raises NexusConfigurationError: when one is no amount, or negative
    """

    def __init__(self, given: object = 0, name: str = "tolerance") -> None:
        each = given if isinstance(given, Mapping) else {}
        if not all(isinstance(code, str) and code.strip() for code in each):
            raise NexusConfigurationError(f"{name} has an amount without a code: name the currency or crypto of each")
        self._each = {str(code).upper(): _amount(f"{name} of {code}", value) for code, value in each.items()}
        self._all = Decimal(0) if isinstance(given, Mapping) else _amount(name, given)

    @property
    def codes(self) -> set[str]:
        """The currencies and cryptos that have an amount of their own, in upper case."""
        return set(self._each)

    def of(self, code: str) -> Decimal:
        """That of a currency or crypto."""
        return self._each.get(code.upper(), self._all)


def _amount(name: str, given: object) -> Decimal:
    if isinstance(given, Decimal | str | int) and not isinstance(given, bool):
        with suppress(TypeError, ValueError):
            if (found := money(given)) >= 0:
                return found
    raise NexusConfigurationError(f"{name} is {given!r}: give an amount such as '0.01', 0 or more")
