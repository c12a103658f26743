"""Create, activate and delete accounts. See docs/api_facts.rst, Account."""

from __future__ import annotations

import re

from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, not_found, success
from airflow_provider_nexus.sandbox.data.market import CRYPTOS
from airflow_provider_nexus.sandbox.extras import customer_row
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.stamps import Stamp
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.checks import Body

_TYPES = {"broker": "Broker", "brokerbuyonly": "Broker", "custodian": "Custodian"}
_ADDRESS = re.compile(r"[A-Za-z0-9:]{10,128}")


def add_account(world: World, customer: int, body: Body, call: ApiCall) -> Record:
    """Make an account; its record is answered.

    :raises Refusal: for an unknown type or crypto, or a bad address
    """
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


def _create(world: World, call: ApiCall) -> ApiAnswer:
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


def _delete(world: World, call: ApiCall) -> ApiAnswer:
    row = _row(world, call)
    if world.accounts.status(row, call.at) == "DELETED":
        raise checks.refuse("AccountAlreadyDeleted", f"Account {codes.account(row)} is deleted already")
    world.accounts.patch(row, accountStatus="DELETED")
    return success(None)


def _one(world: World, call: ApiCall) -> ApiAnswer:
    return success(world.answered_row(call, "accounts", _row(world, call)), 1)


def _change(world: World, call: ApiCall) -> ApiAnswer:
    row, body = _row(world, call), call.json()
    values = {name: checks.text(body, name) for name in ("customerCryptoAddress", "bucketCode") if body.get(name.lower())}
    world.accounts.patch(row, **values)
    return success(world.answered_row(call, "accounts", row))


_OF_CUSTOMER = "/customer/{customer}/accounts"
ROUTES = (
    Route("POST", _OF_CUSTOMER, _create, writes=True),
    Route("POST", "/customer/{customer}/nonnativeaccount", _add_token, "B", writes=True),
    Route("GET", f"{_OF_CUSTOMER}/{{code}}", _one, "B"),
    Route("PUT", f"{_OF_CUSTOMER}/{{code}}", _change, "B", writes=True),
    Route("DELETE", f"{_OF_CUSTOMER}/{{code}}", _delete, "B", writes=True),
    Route("GET", f"{_OF_CUSTOMER}/activate/{{code}}", _activate, "B", writes=True),
    Route("GET", "/accounts/activate/{code}", _activate, writes=True),
    Route("DELETE", "/accounts/{code}", _delete, writes=True),
)
"""Accounts."""
