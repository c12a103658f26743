"""`airflow nexus report`: the proofs of a folder of copies as one page."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from airflow_provider_nexus.cli import running
from airflow_provider_nexus.report import write_report


@running.command
def run(arguments: Namespace) -> int:
    """Write the page.

    :raises NexusConfigurationError: when there is no manifest
    """
    text = write_report(running.place(arguments.target))
    Path(arguments.out).write_text(text, encoding="utf-8")
    print(f"{arguments.out}: {len(text.encode()):,} bytes")
    return 0
