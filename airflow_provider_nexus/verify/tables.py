"""Check of tables: whether a table of a SQL database is what its last load left in it."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Engine

from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError
from airflow_provider_nexus.extract.progress import Follow, unheard
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.load.claims import contradictions
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Output
from airflow_provider_nexus.load.manifest import parse
from airflow_provider_nexus.load.sql.bookkeeping import Bookkeeping
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.place import placed
from airflow_provider_nexus.load.sql.sessions import reading
from airflow_provider_nexus.load.sql.tables import Model
from airflow_provider_nexus.verify.findings import Findings, Report

_HINT = "take it back from a backup, or sync into a new table"


def open_table(engine: Engine, name: str) -> SqlCopy:
    """The copy in a table, as the tables beside it describe it.

    :param engine: of the database; it stays the caller's
    :param name: of the table, behind a schema and a point if it has one
    :raises NexusConfigurationError: when no sync has made it
    :raises NexusStorageError: when the database fails
    """
    given = Model(name, Table(next(iter(RESOURCES.values()))), "current")
    with failing("read", name), reading(engine) as connection:
        model, is_there = placed(connection, given)
        found = Bookkeeping(connection, model).owner()
    if found is None:
        lack = "nexus_table beside it does not name it" if is_there else "the database has no table of that name"
        raise NexusConfigurationError(f"{name} is no table that a sync has made: {lack}")
    output: Output = "history" if found["output"] == "history" else "current"
    return SqlCopy(
        engine,
        name,
        Table(get_resource(found["resource"])),
        environment=found["environment"],
        base_url=found["base_url"],
        output=output,
    )


def verify_table(copy: SqlCopy, follow: Follow = unheard) -> Report:
    """Check every row and every manifest of a table. Nexus is not asked.

    :param follow: called with the number of rows checked
    :raises NexusStorageError: when the database fails
    """
    findings, name = Findings(), copy.model.name
    checked = copy.check(follow)
    findings.windows, findings.records = checked.manifests, checked.records
    for line in checked.problems:
        findings.problem(name, f"{line}: {_HINT}")
    rejected = dict[str, int]()
    with copy.books() as books:
        for row in books.manifests():
            rejected[row["label"]] = row["rejected"]
            where = f"manifest {row['number']} of table {name}"
            with suppress(NexusDataError):  # the check of the copy names it as one that can't be read
                for flaw in contradictions(parse(row["manifest"].encode(), where), row["rejected"]):
                    findings.problem(where, f"{flaw}: the manifest was edited; {_HINT}")
            if row["verdict"] == Verdict.UNPROVED:
                findings.note(where, f"warning: reading {row['label']} was never proved complete")
        stored = {label: sum(counts.values()) for label, counts in books.rejected_counts().items()}
    for label in sorted({*rejected, *stored}):
        if stored.get(label, 0) != rejected.get(label, 0):
            counts = f"{stored.get(label, 0):,} records of {label}, and its last manifest says {rejected.get(label, 0):,}"
            findings.problem(name, f"nexus_rejected has {counts}: {_HINT}")
    return findings.report()
