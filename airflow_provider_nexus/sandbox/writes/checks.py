"""Checks of request bodies; refusals have the shapes of docs/api_facts.rst, Errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_nexus.sandbox.call import ApiCall, Refusal
from airflow_provider_nexus.sandbox.data.market import Currency, crypto_index, currency_of
from airflow_provider_nexus.sandbox.world import World

Body = Mapping[str, Any]
"""A request body, names in lower case."""

_EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")


def refuse(code: str, message: str, *problems: str) -> Refusal:
    """A 400; the problems become an array of strings."""
    return Refusal(400, code, message, list(problems) or None)


def invalid(*problems: str) -> Refusal:
    """The refusal of a body."""
    return refuse("ValidationError", "The request is not valid", *problems)


def text(body: Body, name: str) -> str | None:
    """A text, or ``None``."""
    value = body.get(name.lower())
    return None if value is None else str(value)


def texts(body: Body, names: Iterable[str]) -> dict[str, str | None]:
    """Texts by their names."""
    return {name: text(body, name) for name in names}


def given(body: Body, *names: str) -> dict[str, Any]:
    """The values of a body that are there and not null."""
    return {name: body[name.lower()] for name in names if body.get(name.lower()) is not None}


def units(body: Body, name: str, scale: int) -> int | None:
    """An amount above zero as whole units at a scale, ``None`` when it is not given; any other is refused."""
    value = body.get(name.lower())
    if value is None:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise invalid(f"{name} is not a number") from None
    if not amount.is_finite() or amount <= 0:
        raise invalid(f"{name} must be above zero")
    return int(amount.scaleb(scale))


def choice(body: Body, name: str, known: Mapping[str, str] | tuple[str, ...]) -> str:
    """One of the known words, in any case, as it is spelt; any other is refused."""
    words = known if isinstance(known, Mapping) else {word.casefold(): word for word in known}
    found = words.get((text(body, name) or "").casefold())
    if found is None:
        raise invalid(f"{name} is one of {', '.join(words.values())}")
    return found


def email_like(value: str) -> bool:
    """Whether a text looks like an e-mail address."""
    return _EMAIL.fullmatch(value.strip()) is not None


def active_customer(world: World, code: str | None, call: ApiCall) -> int:
    """The row of a customer that may trade; 404 for an unknown one, 400 for one that is not active."""
    row = world.found("customers", code or "", call.at)
    if world.customers.status(row, call.at) != "ACTIVE":
        raise refuse("InvalidCustomerStatus", f"The customer is {world.customers.status(row, call.at)}")
    return row


def crypto(body: Body, name: str = "cryptoCode") -> int:
    """The place in the list of the crypto that the body names; refused when it names none."""
    place = crypto_index(text(body, name) or "")
    if place is None:
        raise refuse("CryptoCurrencyNotFound", f"{name} is no known crypto currency", f"{name} is not valid")
    return place


def currency(body: Body, name: str = "currencyCode") -> Currency:
    """The currency that the body names; refused when it names none that is in use."""
    found = currency_of(text(body, name) or "")
    if found is None or not found.is_active:
        raise refuse("CurrencyNotFound", f"{name} is no currency in use", f"{name} is not valid")
    return found


def payment_method(world: World, body: Body, call: ApiCall) -> str:
    """The code of the payment method that the body names; refused when there is none."""
    code = text(body, "paymentMethodCode") or ""
    if world.collections["payment_methods"].find(code, call.at) is None:
        raise refuse("PaymentMethodNotFound", f"Payment method {code!r} was not found")
    return code
