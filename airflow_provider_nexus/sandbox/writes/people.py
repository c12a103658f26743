"""Persons and bank accounts of a customer, and the register of banks. See docs/api_facts.rst, Persons and bank accounts."""

from __future__ import annotations

import re

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, not_found, success
from airflow_provider_nexus.sandbox.data.vocabulary import COUNTRIES, Bank
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.rows import ListedRow, Record, blank
from airflow_provider_nexus.sandbox.stamps import Stamp
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks, lists

PERSONS, BANK_ACCOUNTS, BANKS = "customer_persons", "customer_bank_accounts", "banks"
_TYPES = ("Director", "UltimateBeneficialOwner", "PseudoUltimateBeneficialOwner", "AuthorisedRepresentative", "Other")
_PERSON_TEXTS = ("firstName", "lastName", "dateOfBirth")
_COUNTRIES = {"nationality": "nationalityCountryCode", "residenceCountry": "residenceCountryCode"}
_CLEARABLE = {name.lower(): name for name in (*_PERSON_TEXTS, "ownershipPercentage", *_COUNTRIES)}


def _add(world: World, resource: str, customer: int, at: int, values: Record) -> Record:
    guid = codes.guid(codes.WRITTEN + world.next_serial(), customer * 31 + at)
    return world.children(resource, customer, at, to_change=True).append("id", blank(resource, id=guid, **values), at)


def _country(code: str, name: str) -> Record:
    """A country by its code; refused, naming the field that has the code, when there is none."""
    found = dict(COUNTRIES).get(code.upper())
    if found is None:
        raise checks.invalid(f"{name} is not valid")
    return {"code": code.upper(), "name": found}


def _person_values(body: checks.Body) -> Record:
    values: Record = {name: str(value) for name, value in checks.given(body, *_PERSON_TEXTS).items()}
    if "dateOfBirth" in values and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", values["dateOfBirth"]):
        raise checks.invalid("dateOfBirth is yyyy-MM-dd")
    if body.get("types") is not None:
        values["types"] = [checks.choice({"type": kind}, "type", _TYPES) for kind in body["types"]]
    for name, asked in _COUNTRIES.items():
        if body.get(asked.lower()):
            values[name] = _country(str(body[asked.lower()]), asked)
    owned = checks.units(body, "ownershipPercentage", 4)
    if owned is not None:
        if not 100 <= owned <= 10_000:
            raise checks.invalid("ownershipPercentage lies from 0.01 to 1")
        values["ownershipPercentage"] = money.number(owned, 4)
    return values


def _add_person(world: World, call: ApiCall) -> ApiAnswer:
    customer = world.found("customers", call.parts["parent"], call.at)
    made: Record = {
        "types": [],
        **_person_values(call.json()),
        "customerCode": world.customers.code(customer),
        "createdOn": Stamp(call.at),
        "createdBy": "api",
    }
    return success(world.answered(call, PERSONS, _add(world, PERSONS, customer, call.at, made)))


def _change_person(world: World, call: ApiCall) -> ApiAnswer:
    body, person = call.json(), lists.row_of(world, call, PERSONS)
    values = _person_values(body)
    for name in map(str, body.get("fieldstoclear") or ()):
        kind = name.lower().removeprefix("type.")
        if kind != name.lower():
            types = values["types"] if "types" in values else person.record(call.at)["types"]
            values["types"] = [each for each in types if each.lower() != kind]
        elif name.lower() in _CLEARABLE:
            values[_CLEARABLE[name.lower()]] = None
        else:
            raise checks.invalid(f"fieldsToClear can't name {name}")
    person.changes.update(values, updatedOn=Stamp(call.at), updatedBy="api")
    return lists.answer(world, call, PERSONS, person)


def add_bank_account(world: World, customer: int, body: checks.Body, call: ApiCall) -> Record:
    """Make a bank account, from the present body or the older one of a broker; it needs a number."""
    number = checks.text(body, "number") or checks.text(body, "bankAccountNumber")
    if not number:
        raise checks.invalid("number is required")
    others = world.children(BANK_ACCOUNTS, customer, call.at).entries
    primary = bool(body.get("isprimary", not others))
    bank = _bank(world, body)
    if primary:
        _make_primary(world, customer, number, call)
    values: Record = {
        "number": number,
        "name": checks.text(body, "name") or checks.text(body, "bankAccountName"),
        "customerCode": world.customers.code(customer),
        "currencyCode": checks.text(body, "currencyCode") or world.customers.currency(customer).code,
        "bank": bank,
        "isPrimary": primary,
        "created": Stamp(call.at),
        "createdBy": "api",
        "updated": Stamp(call.at),
    }
    return _add(world, BANK_ACCOUNTS, customer, call.at, values)


def _make_primary(world: World, customer: int, number: str, call: ApiCall) -> None:
    """The other bank accounts of the customer are not primary any more."""
    for row in world.children(BANK_ACCOUNTS, customer, call.at, to_change=True).entries:
        row.changes["isPrimary"] = False
    world.customers.patch(customer, bankAccount=number)


def _bank(world: World, body: checks.Body) -> Record | None:
    """The bank that the body describes; one that is not known joins the register."""
    described = body.get("bank")
    if not isinstance(described, dict):
        return None
    bic, country = checks.text(described, "bicCode"), checks.text(described, "countryCode")
    code = str(_country(country, "countryCode")["code"]) if country else None
    return world.banks.known(Bank(bic, checks.text(described, "name"), checks.text(described, "city"), code))


def _add_bank_account(world: World, call: ApiCall) -> ApiAnswer:
    customer = world.found("customers", call.parts["parent"], call.at)
    return success(world.answered(call, BANK_ACCOUNTS, add_bank_account(world, customer, call.json(), call)))


def _change_bank_account(world: World, call: ApiCall) -> ApiAnswer:
    """The number and the customer have to be named as they are: they can't be changed."""
    body, row = call.json(), lists.row_of(world, call, BANK_ACCOUNTS)
    record = row.record(call.at)
    fixed = [name for name in ("number", "customerCode") if checks.text(body, name) != record[name]]
    if fixed:
        raise checks.invalid(*(f"{name} can't be changed" for name in fixed))
    values: Record = {"updated": Stamp(call.at), "updatedBy": "api", **checks.given(body, "name", "currencyCode")}
    if body.get("bank"):
        values["bank"] = _bank(world, body)
    if body.get("isprimary"):
        customer = world.found("customers", call.parts["parent"], call.at)
        _make_primary(world, customer, str(record["number"]), call)
        values["isPrimary"] = True
    row.changes.update(values)
    return lists.answer(world, call, BANK_ACCOUNTS, row)


def _bank_values(body: checks.Body) -> Record:
    values: Record = checks.given(body, "name", "bicCode", "city")
    if body.get("countrycode"):
        values["country"] = _country(str(body["countrycode"]), "countryCode")["code"]
    return values


def _add_bank(world: World, call: ApiCall) -> ApiAnswer:
    values = _bank_values(call.json())
    guid = codes.guid(codes.WRITTEN + world.next_serial(), call.at)
    record = blank(BANKS, id=guid, **values)
    return success(world.answered(call, BANKS, world.banks.append("id", record, call.at)))


def _bank_named(world: World, call: ApiCall) -> ListedRow:
    """A bank goes by its id; by its BIC too."""
    wanted = call.parts["bank"].lower()
    for row in world.banks.entries:
        record = row.record(call.at)
        if wanted in (str(record["id"]).lower(), str(record["bicCode"]).lower(), str(world.fitted(BANKS, record)["id"])):
            return row
    raise not_found("Bank", call.parts["bank"])


def _change_bank(world: World, call: ApiCall) -> ApiAnswer:
    row = _bank_named(world, call)
    row.changes.update(_bank_values(call.json()))
    return lists.answer(world, call, BANKS, row)


_PERSON, _BANK_ACCOUNT = "/customer/{parent}/person", "/customer/{parent}/bankaccounts"
ROUTES = (
    Route("POST", _PERSON, _add_person, writes=True),
    Route("PUT", f"{_PERSON}/{{code}}", _change_person, writes=True),
    Route("DELETE", f"{_PERSON}/{{code}}", lists.removal(PERSONS), writes=True),
    Route("POST", _BANK_ACCOUNT, _add_bank_account, writes=True),
    Route("PUT", f"{_BANK_ACCOUNT}/{{code}}", _change_bank_account, writes=True),
    Route("DELETE", f"{_BANK_ACCOUNT}/{{code}}", lists.removal(BANK_ACCOUNTS), writes=True),
    Route("POST", "/banks", _add_bank, "B", writes=True),
    Route("PUT", "/banks/{bank}", _change_bank, "B", writes=True),
)
"""Persons, bank accounts and banks."""
