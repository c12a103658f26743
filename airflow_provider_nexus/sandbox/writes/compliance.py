"""Screening against sanction lists, and the history of comments."""

from __future__ import annotations

from airflow_provider_nexus.sandbox.call import Answer, Call, not_found, success
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.extras import customer_row
from airflow_provider_nexus.sandbox.routing import Route

COMMENTS = "customer_comments"


def _history(world: World, call: Call) -> Answer:
    """What a comment has been: no call changes one, so it is the one that there is."""
    comments = world.children[COMMENTS](customer_row(world, call), call.at)
    row = comments.find(call.parts["id"].lower(), call.at)
    if row is None:
        raise not_found("Comment", call.parts["id"])
    records = [comments.record(row, call.at, call.form(COMMENTS))]
    return success({"page": 1, "total": 1, "totalPages": 1, "filteringParameters": {}, "records": records}, 1)


def _search(world: World, call: Call) -> Answer:  # noqa: ARG001
    """A POST that changes nothing. Nobody is on a list here."""
    return success({"listResults": []})


def _judge(world: World, call: Call) -> Answer:
    body = call.json()
    key = str(body.get("list") or body.get("listcode") or ""), str(body.get("entity") or body.get("entityid") or "")
    record = {"list": key[0], "entity": key[1], "validated": call.form("sanctions")(call.at), "validatedBy": "api"}
    world.cabinet.judged[key] = record
    return success(record, 1)


def _judged(world: World, call: Call) -> Answer:
    key = call.parts["list"], call.parts["entity"]
    if key not in world.cabinet.judged:
        raise not_found("ValidatedEntry", "/".join(key))
    return success(world.cabinet.judged[key], 1)


def _forget(world: World, call: Call) -> Answer:
    _judged(world, call)
    del world.cabinet.judged[call.parts["list"], call.parts["entity"]]
    return success(None)


ROUTES = (
    Route("GET", "/customer/{customer}/comments/{id}/history", _history, "B"),
    Route("POST", "/sanction/search", _search, "B"),
    Route("POST", "/sanction/validatedentry", _judge, "B", writes=True),
    Route("GET", "/sanction/validatedentry/{list}/{entity}", _judged, "B"),
    Route("DELETE", "/sanction/validatedentry/{list}/{entity}", _forget, "B", writes=True),
)
"""Screening, and the history of comments."""
