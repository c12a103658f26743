"""What a table may be called. Needs no database, so that a DAG can be refused while it is read."""

from __future__ import annotations

import re

from airflow_provider_nexus.exceptions import NexusConfigurationError

BOOKS = ("nexus_table", "nexus_manifest", "nexus_rejected")
"""The tables of books beside every copy."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def split_name(name: object) -> tuple[str | None, str]:
    """The schema, ``None`` for the connection's own, and the table's name in it.

    :param name: as the argument ``table`` has it
    :raises NexusConfigurationError: when it is none that every database takes
    """
    if not isinstance(name, str):
        raise NexusConfigurationError(f"table is {name!r}, a {type(name).__name__}, and has to be text: give NAME or SCHEMA.NAME")
    if name.strip() in ("", "None"):
        raise NexusConfigurationError(f"table is {name!r}, which is what a template makes of a missing value: give its name")
    parts = name.split(".")
    if len(parts) > 2 or not all(_NAME.fullmatch(part) for part in parts) or parts[-1].lower() in BOOKS:
        raise NexusConfigurationError(
            f"table is {name!r}, which is no name for a table: give NAME or SCHEMA.NAME, each of at most 63 letters, digits and "
            f"underscores and beginning with no digit; {', '.join(BOOKS)} are taken"
        )
    return (parts[0] if len(parts) == 2 else None), parts[-1]
