"""Create, change and delete customers; create, activate and delete accounts. See docs/api_facts.rst, Customer and Account."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_nexus.api.lifecycles import CUSTOMER as LIFECYCLE
from airflow_provider_nexus.api.schemas.customers import CUSTOMER
from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, Refusal, not_found, success
from airflow_provider_nexus.sandbox.data.customers import blank_customer
from airflow_provider_nexus.sandbox.data.market import CRYPTOS
from airflow_provider_nexus.sandbox.data.vocabulary import TRUST_LEVELS
from airflow_provider_nexus.sandbox.extras import customer_row
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.stamps import Stamp
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.people import BANK_ACCOUNTS, add_bank_account

_FIXED = ("customercode", "created", "status", "firsttransaction", "latesttransaction", "trustlevel", "portfoliocode")
_NAMES = {field.name.lower(): field.name for field in CUSTOMER.fields if field.name.lower() not in _FIXED}
_CLEARABLE = {**_NAMES, "portfoliocode": "portFolioCode"}
_TYPES = {"broker": "Broker", "brokerbuyonly": "Broker", "custodian": "Custodian"}
_ADDRESS = re.compile(r"[A-Za-z0-9:]{10,128}")


def _create(world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    code = str(body["customercode"])
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", code):
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


def _items(body: checks.Body, name: str) -> list[checks.Body]:
    return [item for item in body.get(name.lower()) or [] if isinstance(item, dict)]


def _values(world: World, body: checks.Body, call: ApiCall) -> Record:
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
    """A null changes nothing; ``fieldsToClear`` blanks a field. A status of Deleted does not reach the accounts."""
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


def add_account(world: World, customer: int, body: checks.Body, call: ApiCall) -> Record:
    """Make an account; its record is answered. An unknown type or crypto and a bad address are refused."""
    kind = checks.choice(body, "accountType", _TYPES)
    crypto = checks.crypto(body, "cryptoCode" if body.get("cryptocode") else "dcCode")
    address = checks.text(body, "customerCryptoAddress")
    if kind == "Broker" and not _ADDRESS.fullmatch((address or "").strip()):
        raise checks.refuse("ERRORMESSAGE007", "The crypto address is not valid")
    row = register(world, customer, kind, crypto, call.at, address, checks.text(body, "bucketCode"))
    return world.answered_row(call, "accounts", row)


def register(world: World, customer: int, kind: str, crypto: int, at: int, address: str | None, bucket: str | None = None) -> int:
    """An account's row; those in custody are active at once, those for broker trades have to be activated."""
    active = kind == "Custodian"
    values: Record = {
        "_customer": customer,
        "_crypto": crypto,
        "accountType": kind,
        "accountStatus": "ACTIVE" if active else "NEW",
        "activated": Stamp(at) if active else None,
        "customerCryptoAddress": address,
        "dcCode": CRYPTOS[crypto].code,
        "bucketCode": bucket or None,
    }
    return world.accounts.register(at, values)


def _create_account(world: World, call: ApiCall) -> ApiAnswer:
    return success(add_account(world, customer_row(world, call), call.json(), call))


def _add_token(world: World, call: ApiCall) -> ApiAnswer:
    """An account for a token on a chain whose native account there is."""
    customer, body = customer_row(world, call), call.json()
    code = checks.text(body, "accountCode") or ""
    native = world.accounts.find(code, call.at)
    if native is None or world.accounts.owner(native) != customer:
        raise not_found("Account", code)
    kind, address = world.accounts.kind(native), checks.text(body, "customerCryptoAddress")
    row = register(world, customer, kind, checks.crypto(body), call.at, address)
    return success(world.answered_row(call, "accounts", row))


def _row(world: World, call: ApiCall) -> int:
    """The account that the path names; of the customer, where the path names one too."""
    row = world.found("accounts", call.parts["code"], call.at)
    if "customer" in call.parts and customer_row(world, call) != world.accounts.owner(row):
        raise not_found("Account", call.parts["code"])
    return row


def _activate(world: World, call: ApiCall) -> ApiAnswer:
    """A GET that changes something."""
    row = _row(world, call)
    status = world.accounts.status(row, call.at)
    if status not in ("NEW", "VALID"):
        raise checks.refuse("InvalidAccountStatus", f"An account that is {status} can't be activated")
    world.accounts.patch(row, accountStatus="ACTIVE", activated=Stamp(call.at))
    return success(None)


def _delete_account(world: World, call: ApiCall) -> ApiAnswer:
    row = _row(world, call)
    if world.accounts.status(row, call.at) == "DELETED":
        raise checks.refuse("AccountAlreadyDeleted", f"Account {codes.account(row)} is deleted already")
    world.accounts.patch(row, accountStatus="DELETED")
    return success(None)


def _account(world: World, call: ApiCall) -> ApiAnswer:
    return success(world.answered_row(call, "accounts", _row(world, call)), 1)


def _change_account(world: World, call: ApiCall) -> ApiAnswer:
    row, body = _row(world, call), call.json()
    values = {name: checks.text(body, name) for name in ("customerCryptoAddress", "bucketCode") if body.get(name.lower())}
    world.accounts.patch(row, **values)
    return success(world.answered_row(call, "accounts", row))


_OF_CUSTOMER = "/customer/{customer}/accounts"
ROUTES = (
    Route("POST", "/customer", _create, writes=True),
    Route("PUT", "/customer/{customer}", _update, writes=True),
    Route("DELETE", "/customer/{customer}", _delete, writes=True),
    Route("POST", _OF_CUSTOMER, _create_account, writes=True),
    Route("POST", "/customer/{customer}/nonnativeaccount", _add_token, "B", writes=True),
    Route("GET", f"{_OF_CUSTOMER}/{{code}}", _account, "B"),
    Route("PUT", f"{_OF_CUSTOMER}/{{code}}", _change_account, "B", writes=True),
    Route("DELETE", f"{_OF_CUSTOMER}/{{code}}", _delete_account, "B", writes=True),
    Route("GET", f"{_OF_CUSTOMER}/activate/{{code}}", _activate, "B", writes=True),
    Route("GET", "/accounts/activate/{code}", _activate, writes=True),
    Route("DELETE", "/accounts/{code}", _delete_account, writes=True),
)
"""Customers and accounts."""
