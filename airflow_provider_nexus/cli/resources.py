"""`airflow nexus resources` and `airflow nexus describe`: what can be read, and the fields of its records."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.output import print_json, print_table, print_text
from airflow_provider_nexus.load.columns import Column, Table

_FOR = {"A": "brokers", "B": "custodians", "AB": "brokers, custodians"}
"""Who is served by each generation of the API."""


@running.command
def run(arguments: Namespace) -> int:
    """List the resources whose name, path or meaning contains a text."""
    wanted = (arguments.filter or "").lower()
    found = [_summary(each) for each in RESOURCES.values() if wanted in f"{each.name} {each.path} {each.meaning}".lower()]
    if arguments.output == "table":
        print_table("Resources", ("name", "for", "meaning"), [(each["name"], each["for"], each["meaning"]) for each in found])
    else:
        print_json(found)
    return 0 if found else running.PROBLEMS


@running.command
def describe(arguments: Namespace) -> int:
    """Show the fields of a resource."""
    resource = get_resource(arguments.resource)
    columns = [_column(path, column) for path, column in Table(resource).by_path.items()]
    if arguments.output != "table":
        facts = {"key": list(resource.key), "statuses": dict(_statuses(resource)), "columns": columns}
        print_json({**_summary(resource), **facts})
        return 0
    rows = [(list(dict.fromkeys((each["field"], each["column"]))), _kinds(each), each["meaning"]) for each in columns]
    print_table(f"{resource.name}: {resource.meaning}", ("field, column", "kind", "meaning"), rows)
    facts = {
        "for": _FOR[resource.surface],
        "path": resource.path,
        "key": ", ".join(resource.key),
        "window": _window(resource) or "none: it is read whole",
        **{phase: ", ".join(statuses) for phase, statuses in _statuses(resource) if statuses},
    }
    label = max(map(len, facts))
    for name, text in facts.items():
        print_text(f"{name:{label}}  {text}", " " * (label + 2))
    return 0


def _summary(resource: Resource) -> dict[str, Any]:
    return {
        "name": resource.name,
        "for": _FOR[resource.surface],
        "window": _window(resource),
        "changes": "yes" if resource.mutable else "",
        "path": resource.path,
        "meaning": resource.meaning,
    }


def _kinds(column: dict[str, Any]) -> list[str]:
    """What a column has: its kind, the digits of an amount, and whether it is personal."""
    return [column["kind"], *filter(None, [column["digits"], column["personal"] and "personal"])]


def _window(resource: Resource) -> str:
    dates = resource.created
    return f"{dates.since}, {dates.until}" if dates and resource.is_windowed else ""


def _column(path: str, column: Column) -> dict[str, Any]:
    return {
        "field": path,
        "column": column.name,
        "kind": column.kind,
        "digits": f"{column.scale} decimals" if column.kind == "money" else "",
        "personal": "yes" if column.personal else "",
        "meaning": column.meaning,
    }


def _statuses(resource: Resource) -> list[tuple[str, tuple[str, ...]]]:
    if not (of := resource.lifecycle):
        return []
    return [("in flight", of.in_flight), ("held", of.held), ("succeeded", of.succeeded), ("failed", of.failed)]
