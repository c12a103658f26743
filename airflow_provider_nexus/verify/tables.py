"""Check of tables: whether a table of a SQL database is what its last load left in it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine

from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusContractError
from airflow_provider_nexus.extract.progress import Follow, unheard
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.load.claims import contradictions
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Output
from airflow_provider_nexus.load.sql.bookkeeping import BACKUP, Bookkeeping
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.name import split_name
from airflow_provider_nexus.load.sql.place import placed
from airflow_provider_nexus.load.sql.sessions import reading
from airflow_provider_nexus.load.sql.tables import Model
from airflow_provider_nexus.verify.findings import Findings, Report

_AGAIN = "sync the windows of these rows again, or the snapshot; what that does not put right, take back from a backup"


def open_table(engine: Engine, name: str, argument: str = "table") -> SqlCopy:
    """The copy in a table, as the tables beside it describe it.

    :param engine: of the database; it stays the caller's
    :param name: of the table, behind a schema and a point if it has one
    :param argument: what the name was given as, for the error
    :raises NexusConfigurationError: when no sync has made it
    :raises NexusStorageError: when the database fails
    """
    split_name(name, argument)
    given = Model(name, Table(next(iter(RESOURCES.values()))), "current")
    with failing("read", name), reading(engine) as connection:
        model, is_there = placed(connection, given)
        found = Bookkeeping(connection, model).owner()
    if found is None:
        lack = "nexus_table beside it does not name it" if is_there else "the database has no table of that name"
        raise NexusConfigurationError(f"{name} is no table that a sync has made: {lack}")
    output: Output = "history" if found["output"] == "history" else "current"
    table, environment = Table(get_resource(found["resource"])), found["environment"]
    return SqlCopy(engine, name, table, environment=environment, base_url=found["base_url"], output=output)


def verify_table(copy: SqlCopy, follow: Follow = unheard) -> Report:
    """Check every row and every manifest of a table. Nexus is not asked.

    :param follow: called with the number of rows checked
    :raises NexusStorageError: when the database fails
    """
    findings, name = Findings(), copy.model.name
    checked = copy.check(follow)
    findings.windows, findings.records = checked.manifests, checked.records
    for line in checked.problems:
        findings.problem(name, f"{line}: {_AGAIN if line in checked.of_rows else BACKUP}")
    put_aside, stated = dict[str, dict[str, Any]](), defaultdict[str, set[str]](set)
    last = dict[str, str]()
    with copy.books() as books:
        owner = books.owner() or {}
        for row in books.manifests():
            put_aside.pop(row["label"], None)
            last[row["label"]] = row["verdict"]
            if row["rejected"]:
                put_aside[row["label"]] = row
            for member in ("resource", "environment", "base_url"):
                stated[member].add(row[member])
            where = f"manifest {row['number']} of table {name}"
            with suppress(NexusContractError):  # the check of the copy names it as one that can't be read
                manifest = books.manifest(row)
                stated["output"].add("history" if manifest.state and manifest.state.versions is not None else "current")
                for flaw in contradictions(manifest, row["rejected"]):
                    findings.problem(where, f"{flaw}: the manifest was edited; {BACKUP}")
            if row["verdict"] == Verdict.UNPROVED:
                findings.note(where, f"warning: reading {row['label']} was never proved complete")
        for label in sorted({*put_aside, *books.rejected_labels()}):
            row = put_aside.get(label, {})
            if flaw := books.rejects_flaw(label, row):
                findings.problem(name, f"{flaw}: {_AGAIN if row.get('feed') == 'created' else BACKUP}")
        findings.unproved = list(last.values()).count(Verdict.UNPROVED)
        if not books.missing:
            findings.note_gaps(name, (window for window, _ in books.windows_read()))
        if not books.missing and set(books.windows()) != set(books.windows_read()):
            hint = "empty its column windows, which the next load fills"
            findings.problem(name, f"nexus_table has other windows of {name} than the manifests: {hint}")
    for member, values in stated.items():
        if others := values - {owner.get(member, "")}:
            text = f"nexus_table has the {member} {owner.get(member)!r}, and manifests have"
            findings.problem(name, f"{text} {', '.join(map(repr, sorted(others)))}: {BACKUP}")
    return findings.report()
