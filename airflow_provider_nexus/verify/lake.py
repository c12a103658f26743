"""Check of Delta tables: whether each is what its last load left in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.progress import Follow, unheard
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.load.collection import tables_below
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.delta.found import open_table
from airflow_provider_nexus.verify.findings import Findings, Report

OpenTable = Callable[[Any], DeltaCopy]
"""Opens a Delta table at its root."""


def verify_tables(root: Any, opened: OpenTable = open_table, follow: Follow = unheard) -> Report:
    """Check every row and every manifest of the Delta tables at or below a root. Nexus is not asked.

    :param opened: opens a table; by default with the credentials that the machine has
    :param follow: called with the number of rows that were looked at
    :raises NexusConfigurationError: when a table can't be opened, or deltalake is not installed
    """
    findings = Findings()
    for _, folder in tables_below(root):
        copy = opened(folder)
        checked = copy.check(follow)
        findings.windows += checked.manifests
        findings.records += checked.records
        findings.bytes += checked.bytes
        for line in checked.problems:
            findings.problem(folder, line)
        try:
            books = copy.books()
        except NexusStorageError:  # the check has said so
            continue
        for label, reading in books.readings.items():
            if reading.verdict == Verdict.UNPROVED:
                findings.unproved += 1
                findings.note(folder, f"warning: the reading {label} was never proved complete")
        findings.note_gaps(folder, (window for window, _ in books.windows))
    return findings.report()
