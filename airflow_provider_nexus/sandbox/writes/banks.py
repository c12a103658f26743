"""The register of banks."""

from __future__ import annotations

from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.call import Answer, Call, not_found, success
from airflow_provider_nexus.sandbox.collection import Entry, Record, changed
from airflow_provider_nexus.sandbox.data import cabinet
from airflow_provider_nexus.sandbox.data.vocabulary import COUNTRIES
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.checks import Body

BANKS = "banks"


def country(code: str, name: str) -> Record:
    """A country by its code.

    :param name: of the field that has the code
    :raises Refusal: when there is none
    """
    found = next((known for known in COUNTRIES if known[0] == code.upper()), None)
    if found is None:
        raise checks.refuse("ValidationError", "The request is not valid", f"{name} is not valid")
    return {"code": found[0], "name": found[1]}


def _made(world: World, body: Body, call: Call) -> Entry:
    entries = world.register(BANKS).entries
    blank: Record = dict.fromkeys(("name", "country", "bicCode", "city"))
    guid = codes.guid(codes.WRITTEN + world.next_serial(), call.at)
    entry = cabinet.entry("id", {"id": guid, **blank, **_values(body)}, call.at)
    entries.append(entry)
    return entry


def _values(body: Body) -> Record:
    values: Record = {name: checks.text(body, name) for name in ("name", "bicCode", "city") if body.get(name.lower()) is not None}
    if body.get("countrycode"):
        values["country"] = country(str(body["countrycode"]), "countryCode")["code"]
    return values


def _place(world: World, call: Call) -> int:
    """A bank goes by its id; by its BIC too."""
    wanted = call.parts["bank"].lower()
    for place, held in enumerate(world.register(BANKS).entries):
        bank = held.make(call.at, call.form(BANKS))
        if wanted in (str(bank["id"]).lower(), str(bank["bicCode"]).lower(), str(_shown(world, bank)["id"])):
            return place
    raise not_found("Bank", call.parts["bank"])


def _shown(world: World, bank: Record) -> Record:
    return world.fitted(BANKS, bank)


def _answer(world: World, entry: Entry, call: Call) -> Answer:
    return success(_shown(world, entry.make(call.at, call.form(BANKS))), 1)


def _add(world: World, call: Call) -> Answer:
    return _answer(world, _made(world, call.json(), call), call)


def _change(world: World, call: Call) -> Answer:
    entries, place = world.register(BANKS).entries, _place(world, call)
    entries[place] = changed(entries[place], _values(call.json()))
    return _answer(world, entries[place], call)


ROUTES = (
    Route("POST", "/banks", _add, "B", writes=True),
    Route("PUT", "/banks/{bank}", _change, "B", writes=True),
)
"""Banks."""
