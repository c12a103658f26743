"""Amounts for Nexus: every digit that was given, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_nexus.api.codes import IN_QUOTES
from airflow_provider_nexus.api.records import money
from airflow_provider_nexus.client.values import refuse_float, refuse_twins
from airflow_provider_nexus.exceptions import NexusConfigurationError

_MAY_BE_NONE = "riskqualification"
_AMOUNTS = frozenset({"amount", "cryptoamount", "fiatvalue", "limitprice", "requestedprice"})


def amount(name: str, value: Any) -> Decimal:
    """An amount above zero.

    :param name: what it is called, for the error
    :param value: ``Decimal``, whole number or text
    :raises NexusConfigurationError: for a float, which has lost digits, and for what is no amount
    """
    refuse_float(value, name)
    try:
        number = money(value)
    except (TypeError, ValueError):
        number = Decimal(0)
    if number <= 0:
        raise NexusConfigurationError(f"{name} is {value!r}: give an amount above zero, as Decimal or text such as '12.50'")
    return number


def refuse_none(values: Mapping[str, Any]) -> None:
    """Refuse the text that templates make of a missing value.

    :raises NexusConfigurationError: for the first such, however deep
    """
    for name, value in values.items():
        if value == "None" and name.casefold() != _MAY_BE_NONE:
            raise NexusConfigurationError(f"{name} is 'None', what a template makes of a missing value: nothing was sent")
        if isinstance(value, Mapping):
            refuse_none(value)


def exact(values: Mapping[str, Any]) -> dict[str, Any]:
    """A body with its amounts as ``Decimal``; nulls are left out.

    :raises NexusConfigurationError: for any float in it, an amount that is none, another field that is a number, a ``None`` as
        text, and a field that is there in two spellings
    """
    refuse_twins(values, "the body")
    return {name: _exact(name, value) for name, value in values.items() if value is not None}


def _exact(name: str, value: Any) -> Any:
    refuse_float(value, name)
    if isinstance(value, Mapping):
        return exact(value)
    if name.lower() in _AMOUNTS:
        return amount(name, value)
    refuse_none({name: value})
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        raise NexusConfigurationError(f"{name} is the number {value!r}, and has to be text: {IN_QUOTES}; nothing was sent")
    return value


def require(body: Mapping[str, Any], *names: str) -> None:
    """Refuse a body that lacks some of its fields.

    :raises NexusConfigurationError: names them
    """
    missing = [name for name in names if body.get(name) in (None, "")]
    if missing:
        raise NexusConfigurationError(f"the call lacks {', '.join(missing)}: nothing was sent")
