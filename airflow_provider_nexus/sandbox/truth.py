"""What there is, whatever the server lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.sandbox.call import Call, Refusal
from airflow_provider_nexus.sandbox.misfits import outgoing
from airflow_provider_nexus.sandbox.reads import collection_of, records_in
from airflow_provider_nexus.sandbox.stamps import ceil_second, to_micros, zulu
from airflow_provider_nexus.sandbox.state import State


def records(
    state: State, name: str, start: datetime | None, end: datetime | None, parent: str, at: datetime | None
) -> list[bytes]:
    """See :meth:`Sandbox.truth`; take the state's lock first."""
    resource = get_resource(name)
    moment = state.clock.now if at is None else to_micros(at)
    try:
        if resource.name in state.world.snapshots:
            return [msgspec.json.encode(record) for record in _held(state, resource, parent, moment)]
        collection = collection_of(state.world, resource, parent, moment)
    except Refusal as refusal:
        raise LookupError(str(refusal)) from None
    rows = collection.rows(_displayed(start), _displayed(end), moment)
    if name == "exchanges" and name not in state.settings.other_shapes:
        rows = rows[:1]  # as one object, there is but one
    return [
        msgspec.json.encode(outgoing(resource, collection, row, collection.record(row, moment, zulu), state.settings))
        for row in rows
    ]


def _displayed(moment: datetime | None) -> int | None:
    """A bound on displayed stamps, which are cut to seconds, as a bound on true ones."""
    return None if moment is None else ceil_second(to_micros(moment))


def _held(state: State, resource: Resource, parent: str, at: int) -> list[Any]:
    headers = {"request_iso8601": "true"}
    call = Call(method="GET", path=resource.path, query={}, headers=headers, parts={"parent": parent}, at=at)
    return records_in(resource, state.world.snapshots[resource.name](call))
