"""Create, change and delete customers. See docs/api_facts.rst, Customer."""

from __future__ import annotations

from typing import Any

from airflow_provider_nexus.api.lifecycles import CUSTOMER as LIFECYCLE
from airflow_provider_nexus.api.schemas.customers import CUSTOMER
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, Refusal, success
from airflow_provider_nexus.sandbox.data.customers import blank_customer
from airflow_provider_nexus.sandbox.data.vocabulary import TRUST_LEVELS
from airflow_provider_nexus.sandbox.extras import customer_row
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.accounts import add_account
from airflow_provider_nexus.sandbox.writes.checks import Body
from airflow_provider_nexus.sandbox.writes.people import BANK_ACCOUNTS, add_bank_account

_FIXED = ("customercode", "created", "status", "firsttransaction", "latesttransaction", "trustlevel", "portfoliocode")
_NAMES = {field.name.lower(): field.name for field in CUSTOMER.fields if field.name.lower() not in _FIXED}
_CLEARABLE = {**_NAMES, "portfoliocode": "portFolioCode"}


def _create(world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    code = str(body["customercode"])
    if not checks.code_like(code):
        raise checks.refuse("InvalidCustomerCode", "The customer code is not valid", "customerCode has other characters")
    status = checks.choice(body, "status", ("NEW", "ACTIVE")) if body.get("status") else "NEW"
    if world.customers.find(code, call.at) is not None:
        raise Refusal(
            world.settings.duplicate_status, "CustomerExists", f"Customer {code!r} exists already", ["customerCode exists"]
        )
    values = {**blank_customer(), **_values(world, body, call), "customerCode": code, "status": status}
    values["currencyCode"] = checks.currency(body).code if body.get("currencycode") else "EUR"
    values["portFolioCode"] = values["portFolioCode"] or "DEFAULT"
    values["isReviewRecommended"] = bool(values["isReviewRecommended"])
    del values["created"]
    row = world.customers.register(call.at, values)
    accounts = [add_account(world, row, item, call) for item in _items(body, "accounts")]
    for item in _items(body, "bankAccounts"):
        add_bank_account(world, row, item, call)
    return success(world.answered_row(call, "customers", row) | {"accounts": accounts})


def _items(body: Body, name: str) -> list[Body]:
    return [item for item in body.get(name.lower()) or [] if isinstance(item, dict)]


def _values(world: World, body: Body, call: ApiCall) -> Record:
    values: dict[str, Any] = checks.given(body, *(name for folded, name in _NAMES.items() if folded != "currencycode"))
    level = body.get("trustlevelcode") or body.get("trustlevel")
    if level:
        values["trustlevel"] = checks.choice({"trustlevel": level}, "trustLevel", TRUST_LEVELS)
    portfolio = body.get("portfoliocode")
    if portfolio:
        if world.lists["portfolios"].find(str(portfolio), call.at) is None:
            raise checks.refuse("PortfolioNotFound", f"Portfolio {portfolio!r} was not found", "portfolioCode is not valid")
        values["portFolioCode"] = portfolio
    email = values.get("email")
    if email and not checks.email_like(str(email)):
        raise checks.refuse("InvalidEmailAddress", "The e-mail address is not valid", "email is not valid")
    return values


def _update(world: World, call: ApiCall) -> ApiAnswer:
    """A null leaves a field alone; ``fieldsToClear`` blanks it. A status of Deleted does not reach the accounts."""
    row, body = customer_row(world, call), call.json()
    values = _values(world, body, call)
    if body.get("currencycode"):
        values["currencyCode"] = checks.currency(body).code
    if body.get("status"):
        values["status"] = checks.choice(body, "status", LIFECYCLE.statuses).upper()
    for name in body.get("fieldstoclear") or []:
        if str(name).lower() not in _CLEARABLE:
            raise checks.invalid(f"fieldsToClear can't name {name}")
        values[_CLEARABLE[str(name).lower()]] = None
    world.customers.patch(row, **values)
    return success(world.answered_row(call, "customers", row))


def _delete(world: World, call: ApiCall) -> ApiAnswer:
    row = customer_row(world, call)
    if world.customers.status(row, call.at) == "DELETED":
        raise checks.refuse("CustomerAlreadyDeleted", "The customer is deleted already")
    world.customers.patch(row, status="DELETED")
    accounts = world.accounts.of_customer(row, call.at)
    for account in accounts:
        world.accounts.patch(account, accountStatus="DELETED")
    world.children(BANK_ACCOUNTS, row, call.at, to_change=True).entries.clear()
    names = ("accountCode", "accountStatus")
    records = (world.accounts.record(account, call.at) for account in accounts)
    listed = [{name: record[name] for name in names} for record in records]
    return success({"customerCode": world.customers.code(row), "customerStatus": "DELETED", "accounts": listed})


ROUTES = (
    Route("POST", "/customer", _create, writes=True),
    Route("PUT", "/customer/{customer}", _update, writes=True),
    Route("DELETE", "/customer/{customer}", _delete, writes=True),
)
"""Customers."""
