"""`airflow nexus check`: what a connection can do and what its server honours, without changing anything."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.bar import followed
from airflow_provider_nexus.cli.connection_probe import Finding, Grade, Probe

_MARKS = {Grade.OK: "ok", Grade.NOTE: "note", Grade.WARNING: "WARNING", Grade.FAILED: "FAILED"}


@running.command
def run(arguments: Namespace) -> int:
    """Look at a connection.

    :return: 1 when something is a failure, or a warning and ``--strict`` is given
    :raises NexusConfigurationError: when there is no such connection
    """
    with running.nexus(arguments.nexus_conn_id) as hook:
        probe = Probe(hook.client, warning_days=arguments.key_warning_days)
        findings = list(followed("looking", "findings", probe.findings()))
    if arguments.output == "json":
        running.print_json([asdict(finding) for finding in findings])
    else:
        rows = [(finding.what, _MARKS[finding.grade], finding.detail) for finding in findings]
        running.print_table(f"Connection {arguments.nexus_conn_id}", ("what", "", "seen"), rows)
    return running.PROBLEMS if any(_is_bad(finding, strict=arguments.strict) for finding in findings) else 0


def _is_bad(finding: Finding, *, strict: bool) -> bool:
    return finding.grade is Grade.FAILED or (strict and finding.grade is Grade.WARNING)
