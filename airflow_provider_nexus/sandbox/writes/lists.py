"""Short lists that calls change: one row found, added, changed or removed, for all resources alike.

Paths name a parent as ``{parent}`` and a row as ``{code}``.
"""

from __future__ import annotations

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, Refusal, success
from airflow_provider_nexus.sandbox.reads import Handler
from airflow_provider_nexus.sandbox.rows import Listed, ListedRow, Record
from airflow_provider_nexus.sandbox.world import World, noun


def to_change(world: World, call: ApiCall, name: str) -> Listed:
    """The list of a resource; of a child, that of the parent which the path names, or 404."""
    parent = RESOURCES[name].parent
    if not parent:
        return world.lists[name]
    return world.children(name, world.found(parent, call.parts["parent"], call.at), call.at, to_change=True)


def row_of(world: World, call: ApiCall, name: str) -> ListedRow:
    """The row that the path names, or 404."""
    rows = to_change(world, call, name)
    return rows.entries[_place(rows, call, name)]


def _place(rows: Listed, call: ApiCall, name: str) -> int:
    code = call.parts["code"]
    return rows.found(noun(name), code.lower() if RESOURCES[name].key == ("id",) else code, call.at)


def answer(world: World, call: ApiCall, name: str, row: ListedRow) -> ApiAnswer:
    """A row as the answer to a call that changed it."""
    return success(world.answered(call, name, row.record(call.at)))


def changed(world: World, call: ApiCall, name: str, values: Record) -> ApiAnswer:
    """Set values of the row that the path names."""
    row = row_of(world, call, name)
    row.changes.update(values)
    return answer(world, call, name, row)


def refuse_known(world: World, call: ApiCall, name: str, code: str) -> None:
    """Refuse a code that there is already."""
    if world.lists[name].find(code, call.at) is not None:
        raise Refusal(world.settings.duplicate_status, f"{noun(name)}Exists", f"{code!r} exists already", [f"code {code} exists"])


def removal(name: str, *, shows: bool = False) -> Handler:
    """Removes the row that the path names; it comes back where it is to be shown."""

    def remove(world: World, call: ApiCall) -> ApiAnswer:
        rows = to_change(world, call, name)
        row = rows.entries.pop(_place(rows, call, name))
        return answer(world, call, name, row) if shows else success(None)

    return remove
