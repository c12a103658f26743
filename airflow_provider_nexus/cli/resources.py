"""`airflow nexus resources` and `airflow nexus describe`: what can be read, and the fields of its records."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.cli import running
from airflow_provider_nexus.load.columns import Column, Table


@running.command
def run(arguments: Namespace) -> int:
    """List the resources whose name, path or meaning contains a text."""
    wanted = (arguments.filter or "").lower()
    found = [_summary(each) for each in RESOURCES.values() if wanted in f"{each.name} {each.path} {each.meaning}".lower()]
    if arguments.output == "json":
        running.print_json(found)
    else:
        names = ("name", "surface", "window", "changes", "path", "meaning")
        running.print_table("Resources", names, [[str(each[name]) for name in names] for each in found])
    return 0 if found else running.PROBLEMS


@running.command
def describe(arguments: Namespace) -> int:
    """Show the fields of a resource.

    :raises NexusUnknownResourceError: when there is none of that name
    """
    resource = get_resource(arguments.resource)
    columns = [_column(path, column) for path, column in Table(resource).by_path.items()]
    if arguments.output == "json":
        running.print_json(
            {**_summary(resource), "key": list(resource.key), "statuses": dict(_statuses(resource)), "columns": columns}
        )
        return 0
    names = ("field", "column", "kind", "digits", "personal", "meaning")
    running.print_table(f"{resource.name}: {resource.meaning}", names, [[str(each[name]) for name in names] for each in columns])
    print(f"Path {resource.path}, key {', '.join(resource.key)}, window {_window(resource) or 'none: it is read whole'}")
    for phase, statuses in _statuses(resource):
        print(f"{phase}: {', '.join(statuses)}")
    return 0


def _summary(resource: Resource) -> dict[str, Any]:
    return {
        "name": resource.name,
        "surface": resource.surface,
        "window": _window(resource),
        "changes": "yes" if resource.mutable else "",
        "path": resource.path,
        "meaning": resource.meaning,
    }


def _window(resource: Resource) -> str:
    dates = resource.created
    return f"{dates.since}, {dates.until}" if dates and resource.is_windowed else ""


def _column(path: str, column: Column) -> dict[str, Any]:
    return {
        "field": path,
        "column": column.name,
        "kind": column.kind,
        "digits": f"{column.scale} after the point" if column.kind == "money" else "",
        "personal": "yes" if column.personal else "",
        "meaning": column.meaning,
    }


def _statuses(resource: Resource) -> Iterator[tuple[str, tuple[str, ...]]]:
    lifecycle = resource.lifecycle
    if lifecycle:
        yield "in flight", lifecycle.in_flight
        yield "held", lifecycle.held
        yield "succeeded", lifecycle.succeeded
        yield "failed", lifecycle.failed
