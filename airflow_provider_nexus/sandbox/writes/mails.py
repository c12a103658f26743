"""Create mails, give them content and mark them as sent. See docs/api_facts.rst, Mail."""

from __future__ import annotations

from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, success
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.stamps import Stamp
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks

_CONTENT = ("subject", "html", "text")
_BAD = {"email": "InvalidEmailAddress", "cc": "InvalidCCEmailAddress", "bcc": "InvalidBCCEmailAddress"}


def _create(world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    references = checks.texts(body["references"], ("accountCode", "customerCode", "transactionCode"))
    if not any(references.values()):
        raise checks.invalid("references needs one code at least")
    recipient = checks.texts(body["recipient"], _BAD)
    for name, code in _BAD.items():
        given = recipient[name]
        if (name == "email" and not given) or (given and not all(map(checks.email_like, given.split(",")))):
            raise checks.refuse(code, "The recipient is not valid", f"recipient.{name} is not valid")
    values: Record = {
        "type": checks.text(body, "type"),
        "references": references,
        "content": checks.texts(body.get("content") or {}, _CONTENT),
        "recipient": recipient,
        "count": 1,
    }
    return success(world.answered_row(call, "mails", world.mails.register(call.at, values)))


def _patched(world: World, call: ApiCall, **values: object) -> ApiAnswer:
    row = world.found("mails", call.parts["code"], call.at)
    world.mails.patch(row, **values)
    return success(world.answered_row(call, "mails", row))


def _change(world: World, call: ApiCall) -> ApiAnswer:
    return _patched(world, call, content=checks.texts(call.json()["content"], _CONTENT))


ROUTES = (
    Route("POST", "/mail", _create, writes=True),
    Route("PUT", "/mail/{code}", _change, writes=True),
    Route("PUT", "/mail/{code}/sent", lambda world, call: _patched(world, call, status="Sent", sent=Stamp(call.at)), writes=True),
)
"""Mails."""
