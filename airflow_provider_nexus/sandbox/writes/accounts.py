"""Create, activate and delete accounts. See docs/api_facts.rst, Account."""

from __future__ import annotations

import re

from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.call import Answer, Call, not_found, success
from airflow_provider_nexus.sandbox.collection import Moment, Record
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.extras import customer_row
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.checks import Body

_TYPES = {"broker": "Broker", "brokerbuyonly": "Broker", "custodian": "Custodian"}
_ADDRESS = re.compile(r"[A-Za-z0-9:]{10,128}")


def add_account(world: World, customer: int, body: Body, call: Call) -> Record:
    """Make an account; what it holds is answered.

    :raises Refusal: for an unknown type or crypto, or a bad address
    """
    kind = checks.choice(body, "accountType", _TYPES)
    crypto = checks.crypto(body, "cryptoCode" if body.get("cryptocode") else "dcCode")
    address = checks.text(body, "customerCryptoAddress")
    if kind == "Broker" and not _ADDRESS.fullmatch((address or "").strip()):
        raise checks.refuse("ERRORMESSAGE007", "The crypto address is not valid")
    row = register(world, customer, kind, crypto, call.at, address)
    if body.get("bucketcode"):
        world.accounts.patch(row, bucketCode=str(body["bucketcode"]))
    return world.accounts.record(row, call.at, call.form("accounts"))


def register(world: World, customer: int, kind: str, crypto: int, at: int, address: str | None) -> int:
    """An account's row; those in custody are active at once, those for broker trades have to be activated."""
    active = kind == "Custodian"
    values: Record = {
        "accountType": kind,
        "_crypto": crypto,
        "accountStatus": "ACTIVE" if active else "NEW",
        "activated": Moment(at) if active else None,
        "customerCryptoAddress": address,
        "dcCode": CRYPTOS[crypto].code,
        "bucketCode": None,
    }
    return world.accounts.register(customer, at, values)


def _create(world: World, call: Call) -> Answer:
    return success(add_account(world, customer_row(world, call), call.json(), call))


def _add_token(world: World, call: Call) -> Answer:
    """An account for a token on a chain whose native account there is."""
    customer, body = customer_row(world, call), call.json()
    code = checks.text(body, "accountCode") or ""
    native = world.accounts.find(code, call.at)
    if native is None or world.accounts.owner(native) != customer:
        raise not_found("Account", code)
    kind, address = world.accounts.kind(native), checks.text(body, "customerCryptoAddress")
    row = register(world, customer, kind, checks.crypto(body), call.at, address)
    return success(world.accounts.record(row, call.at, call.form("accounts")), 1)


def _row(world: World, call: Call) -> int:
    """The account that the path names; of the customer, where the path names one too."""
    row = world.accounts.find(call.parts["code"], call.at)
    owner = customer_row(world, call) if "customer" in call.parts else None
    if row is None or owner not in (None, world.accounts.owner(row)):
        raise not_found("Account", call.parts["code"])
    return row


def _activate(world: World, call: Call) -> Answer:
    """A GET that changes something."""
    row = _row(world, call)
    if world.accounts.status(row, call.at) not in ("NEW", "VALID"):
        raise checks.refuse(
            "InvalidAccountStatus", f"An account that is {world.accounts.status(row, call.at)} can't be activated"
        )
    world.accounts.patch(row, accountStatus="ACTIVE", activated=Moment(call.at))
    return success(None)


def _delete(world: World, call: Call) -> Answer:
    row = _row(world, call)
    if world.accounts.status(row, call.at) == "DELETED":
        raise checks.refuse("AccountAlreadyDeleted", f"Account {codes.account(row)} is deleted already")
    world.accounts.patch(row, accountStatus="DELETED")
    return success(None)


def _one(world: World, call: Call) -> Answer:
    return success(world.accounts.record(_row(world, call), call.at, call.form("accounts"), single=True), 1)


def _change(world: World, call: Call) -> Answer:
    row, body = _row(world, call), call.json()
    values = {name: checks.text(body, name) for name in ("customerCryptoAddress", "bucketCode") if body.get(name.lower())}
    world.accounts.patch(row, **values)
    return _one(world, call)


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
