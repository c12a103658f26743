"""Create mails, give them content and mark them as sent. See docs/api_facts.rst, Mail."""

from __future__ import annotations

from airflow_provider_nexus.sandbox.call import Answer, Call, not_found, success
from airflow_provider_nexus.sandbox.collection import Moment, Record
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.checks import Body

_REFERENCES = ("accountCode", "customerCode", "transactionCode")
_CONTENT = ("subject", "html", "text")
_RECIPIENT = ("email", "cc", "bcc")
_BAD = {"email": "InvalidEmailAddress", "cc": "InvalidCCEmailAddress", "bcc": "InvalidBCCEmailAddress"}


def _create(world: World, call: Call) -> Answer:
    body = call.json()
    references = _named(checks.part(body, "references"), _REFERENCES)
    if not any(references.values()):
        raise checks.refuse("ValidationError", "The request is not valid", "references needs one code at least")
    recipient = _named(checks.part(body, "recipient"), _RECIPIENT)
    for name, code in _BAD.items():
        given = recipient[name]
        if (name == "email" and not given) or (given and not all(map(checks.email_like, given.split(",")))):
            raise checks.refuse(code, "The recipient is not valid", f"recipient.{name} is not valid")
    content = body.get("content")
    values: Record = {
        "type": checks.text(body, "type"),
        "references": references,
        "content": _named(content if isinstance(content, dict) else {}, _CONTENT),
        "recipient": recipient,
        "count": 1,
    }
    return _shown(world, world.mails.register(call.at, values), call)


def _named(body: Body, names: tuple[str, ...]) -> dict[str, str | None]:
    return {name: checks.text(body, name) for name in names}


def _shown(world: World, row: int, call: Call) -> Answer:
    return success(world.mails.record(row, call.at, call.form("mails"), single=True))


def _row(world: World, call: Call) -> int:
    row = world.mails.find(call.parts["code"], call.at)
    if row is None:
        raise not_found("Mail", call.parts["code"])
    return row


def _change(world: World, call: Call) -> Answer:
    row = _row(world, call)
    world.mails.patch(row, content=_named(checks.part(call.json(), "content"), _CONTENT))
    return _shown(world, row, call)


def _sent(world: World, call: Call) -> Answer:
    row = _row(world, call)
    world.mails.patch(row, status="Sent", sent=Moment(call.at))
    return _shown(world, row, call)


ROUTES = (
    Route("POST", "/mail", _create, writes=True),
    Route("PUT", "/mail/{code}", _change, writes=True),
    Route("PUT", "/mail/{code}/sent", _sent, writes=True),
)
"""Mails."""
