"""Persons and bank accounts of a customer. See docs/api_facts.rst, Persons and bank accounts."""

from __future__ import annotations

import re
from collections.abc import Callable

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.call import Answer, Call, not_found, success
from airflow_provider_nexus.sandbox.collection import Entry, Listed, Moment, Record, changed, written
from airflow_provider_nexus.sandbox.data import registers
from airflow_provider_nexus.sandbox.data.vocabulary import Bank
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.extras import customer_row
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.writes import banks, checks
from airflow_provider_nexus.sandbox.writes.checks import Body

PERSONS, BANK_ACCOUNTS = "customer_persons", "customer_bank_accounts"
_KINDS = {PERSONS: "Person", BANK_ACCOUNTS: "BankAccount"}
_TYPES = ("Director", "UltimateBeneficialOwner", "PseudoUltimateBeneficialOwner", "AuthorisedRepresentative", "Other")
_PERSON_TEXTS = ("firstName", "lastName", "dateOfBirth")
_COUNTRIES = {"nationality": "nationalityCountryCode", "residenceCountry": "residenceCountryCode"}
_CLEARABLE = {**{name.lower(): name for name in (*_PERSON_TEXTS, "ownershipPercentage")}, **{k.lower(): k for k in _COUNTRIES}}


def _add(world: World, name: str, customer: int, values: Record, at: int) -> Entry:
    listed = world.offspring.open(name, customer)
    guid = codes.guid(codes.WRITTEN + world.next_serial(), customer * 31 + at)
    make = written({"id": guid, **values})
    entry = Entry(guid, lambda moment, form: world.fitted(name, make(moment, form)), at)
    world.offspring.keep(name, customer, Listed([*listed.entries, entry]))
    return entry


def _place(world: World, name: str, call: Call) -> tuple[int, Listed, int]:
    customer = customer_row(world, call)
    listed = world.offspring.open(name, customer)
    place = listed.find(call.parts["id"].lower(), call.at)
    if place is None:
        raise not_found(_KINDS[name], call.parts["id"])
    return customer, listed, place


def _replace(world: World, name: str, call: Call, values: Record) -> Answer:
    customer, listed, place = _place(world, name, call)
    entries = list(listed.entries)
    entries[place] = changed(entries[place], values)
    world.offspring.keep(name, customer, Listed(entries))
    return success(world.fitted(name, entries[place].make(call.at, call.form(name))))


def _remove(name: str) -> Callable[[World, Call], Answer]:
    def remove(world: World, call: Call) -> Answer:
        customer, listed, place = _place(world, name, call)
        kept = [entry for position, entry in enumerate(listed.entries) if position != place]
        world.offspring.keep(name, customer, Listed(kept))
        return success(None)

    return remove


def _person_values(body: Body) -> Record:
    values: Record = {name: str(body[name.lower()]) for name in _PERSON_TEXTS if body.get(name.lower()) is not None}
    if "dateOfBirth" in values and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", values["dateOfBirth"]):
        raise checks.refuse("ValidationError", "The request is not valid", "dateOfBirth is yyyy-MM-dd")
    if body.get("types") is not None:
        values["types"] = [checks.choice({"type": kind}, "type", _TYPES) for kind in body["types"]]
    for name, asked in _COUNTRIES.items():
        if body.get(asked.lower()):
            values[name] = banks.country(str(body[asked.lower()]), asked)
    owned = checks.units(body, "ownershipPercentage", 4)
    if owned is not None:
        if not 100 <= owned <= 10_000:
            raise checks.refuse("ValidationError", "The request is not valid", "ownershipPercentage lies from 0.01 to 1")
        values["ownershipPercentage"] = money.number(owned, 4)
    return values


def _add_person(world: World, call: Call) -> Answer:
    customer, values = customer_row(world, call), _person_values(call.json())
    blank: Record = dict.fromkeys(("firstName", "lastName", "types", "dateOfBirth", *_COUNTRIES, "ownershipPercentage"))
    made = {"createdOn": Moment(call.at), "createdBy": "api", "updatedOn": None, "updatedBy": None}
    code = {"customerCode": world.customers.code(customer)}
    entry = _add(world, PERSONS, customer, {**code, **blank, "types": [], **values, **made}, call.at)
    return success(entry.make(call.at, call.form(PERSONS)))


def _change_person(world: World, call: Call) -> Answer:
    body = call.json()
    values = _person_values(body)
    for name in map(str, body.get("fieldstoclear") or []):
        kind = name.lower().removeprefix("type.")
        if kind != name.lower():
            values["types"] = [each for each in values.get("types", _types_held(world, call)) if each.lower() != kind]
        elif name.lower() in _CLEARABLE:
            values[_CLEARABLE[name.lower()]] = None
        else:
            raise checks.refuse("ValidationError", "The request is not valid", f"fieldsToClear can't name {name}")
    return _replace(world, PERSONS, call, {**values, "updatedOn": Moment(call.at), "updatedBy": "api"})


def _types_held(world: World, call: Call) -> list[str]:
    _, listed, place = _place(world, PERSONS, call)
    return list(listed.entries[place].make(call.at, call.form(PERSONS))["types"])


def add_bank_account(world: World, customer: int, body: Body, call: Call) -> Entry:
    """Make a bank account, from the present body or the older one of a broker.

    :raises Refusal: for a missing number or currency
    """
    number = checks.text(body, "number") or checks.text(body, "bankAccountNumber")
    checks.require({**body, "number": number}, "number")
    listed = world.offspring.open(BANK_ACCOUNTS, customer)
    primary = bool(body.get("isprimary", not listed.entries))
    values: Record = {
        "number": number,
        "name": checks.text(body, "name") or checks.text(body, "bankAccountName"),
        "customerCode": world.customers.code(customer),
        "currencyCode": checks.text(body, "currencyCode") or world.customers.currency(customer).code,
        "bank": _bank(world, body),
        "isPrimary": primary,
        "created": Moment(call.at),
        "createdBy": "api",
        "updated": Moment(call.at),
        "updatedBy": None,
    }
    if primary:
        _make_primary(world, customer, str(number))
    return _add(world, BANK_ACCOUNTS, customer, values, call.at)


def _make_primary(world: World, customer: int, number: str) -> None:
    listed = world.offspring.open(BANK_ACCOUNTS, customer)
    world.offspring.keep(BANK_ACCOUNTS, customer, Listed([changed(entry, {"isPrimary": False}) for entry in listed.entries]))
    world.customers.patch(customer, bankAccount=number)


def _bank(world: World, body: Body) -> Record | None:
    """The bank that the body describes; one that is not known joins the register."""
    given = body.get("bank")
    if not isinstance(given, dict):
        return None
    bic, country = checks.text(given, "bicCode"), checks.text(given, "countryCode")
    code = str(banks.country(country, "countryCode")["code"]) if country else None
    return registers.bank(world, Bank(bic, checks.text(given, "name"), checks.text(given, "city"), code))


def _add_bank(world: World, call: Call) -> Answer:
    body = call.json()
    entry = add_bank_account(world, customer_row(world, call), body, call)
    return success(entry.make(call.at, call.form(BANK_ACCOUNTS)))


def _change_bank(world: World, call: Call) -> Answer:
    """The number and the customer have to be named as they are: they can't be changed."""
    body = call.json()
    customer, listed, place = _place(world, BANK_ACCOUNTS, call)
    held = listed.entries[place].make(call.at, call.form(BANK_ACCOUNTS))
    fixed = [name for name in ("number", "customerCode") if checks.text(body, name) != held[name]]
    if fixed:
        raise checks.refuse("ValidationError", "The request is not valid", *(f"{name} can't be changed" for name in fixed))
    values: Record = {"updated": Moment(call.at), "updatedBy": "api"}
    for name in ("name", "currencyCode"):
        if body.get(name.lower()) is not None:
            values[name] = checks.text(body, name)
    if body.get("bank"):
        values["bank"] = _bank(world, body)
    if body.get("isprimary"):
        _make_primary(world, customer, str(held["number"]))
        values["isPrimary"] = True
    return _replace(world, BANK_ACCOUNTS, call, values)


ROUTES = (
    Route("POST", "/customer/{customer}/person", _add_person, writes=True),
    Route("PUT", "/customer/{customer}/person/{id}", _change_person, writes=True),
    Route("DELETE", "/customer/{customer}/person/{id}", _remove(PERSONS), writes=True),
    Route("POST", "/customer/{customer}/bankaccounts", _add_bank, writes=True),
    Route("PUT", "/customer/{customer}/bankaccounts/{id}", _change_bank, writes=True),
    Route("DELETE", "/customer/{customer}/bankaccounts/{id}", _remove(BANK_ACCOUNTS), writes=True),
)
"""Persons and bank accounts."""
