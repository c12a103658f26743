"""A table against what Nexus says now: totals where it has them, else the count of each window."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sync.progress import Follow, Steps, unheard
from airflow_provider_nexus.sync.sql.errors import failing
from airflow_provider_nexus.sync.sql.merge import current
from airflow_provider_nexus.sync.sql.sessions import reading
from airflow_provider_nexus.sync.verify.asked import Asked, Stored
from airflow_provider_nexus.sync.verify.report import Findings, Report
from airflow_provider_nexus.sync.verify.table import StoredTable
from airflow_provider_nexus.sync.window import Window


def table_against_nexus(stored: StoredTable, client: NexusClient, follow: Follow = unheard) -> Report:
    """Compare the windows of a table with Nexus.

    :param follow: told how many windows were compared
    :raises NexusConfigurationError: when it was read elsewhere than where the client calls, or holds no windows
    :raises NexusApiError: one class per cause
    """
    name, here = stored.model.name, client.session.environment.base_url
    if stored.base_url != here:
        raise NexusConfigurationError(f"{name} was read from {stored.base_url} and the connection leads to {here}")
    findings, before = Findings(), client.session.calls
    windows = _windows(stored)
    if not windows:
        findings.note(name, "holds no windows, so it is not compared: Nexus says only how it stands now")
    asked, steps = Asked(client, stored.resource, findings), Steps(len(windows), follow)
    rejected = any(each.rejected for each in windows)
    if rejected or not stored.resource.totals_path or not all(_totals(asked, stored, run, steps) for run in _runs(windows)):
        for each in windows:
            asked.count(each)
            steps.add()
    findings.calls = client.session.calls - before
    return findings.report()


def _totals(asked: Asked, stored: StoredTable, run: list[Stored], steps: Steps) -> bool:
    offered = asked.totals(stored.copy, run[0].window.start, run[-1].window.end, run)
    if offered:
        steps.add(len(run))
    return offered


def _runs(windows: Iterable[Stored]) -> list[list[Stored]]:
    """Windows that touch or meet, together: in a table no record counts twice."""
    found: list[list[Stored]] = []
    for each in sorted(windows, key=lambda one: (one.window.start, one.window.end)):
        if found and max(one.window.end for one in found[-1]) >= each.window.start:
            found[-1].append(each)
        else:
            found.append([each])
    return found


def _windows(stored: StoredTable) -> list[Stored]:
    """Each window as the last load of it told, and as many records as the table holds of it now."""
    books = stored.model.manifest.c
    query = sa.select(books.window_start, books.window_end, books.rejected, books.manifest).where(
        books.table_name == stored.model.bare, books.feed == "created"
    )
    with failing("read", stored.model.name), reading(stored.engine) as connection:
        latest = {(row[0], row[1]): row for row in connection.execute(query.order_by(books.number))}
        return [
            Stored(
                f"{stored.model.name}, {to_wire(start)} to {to_wire(end)}",
                Window(start, end),
                connection.execute(_count(stored, start, end)).scalar_one(),
                rejected,
                json.loads(text)["proof"]["outside"],
            )
            for start, end, rejected, text in latest.values()
        ]


def _count(stored: StoredTable, start: object, end: object) -> sa.Select[Any]:
    created = stored.model.data.c[stored.model.source.created]
    inside = sa.and_(created >= start, created < end, current(stored.model))
    return sa.select(sa.func.count()).select_from(stored.model.data).where(inside)
