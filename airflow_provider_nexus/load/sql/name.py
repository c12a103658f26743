"""Names of tables: which ones every database takes. Needs no database, so that a DAG can be refused while it is read."""

from __future__ import annotations

import re

from airflow_provider_nexus.api.codes import a_kind
from airflow_provider_nexus.exceptions import NexusConfigurationError

BOOKS = ("nexus_table", "nexus_manifest", "nexus_rejected")
"""The bookkeeping tables beside every copy."""
LONGEST = 55
"""Characters of a table's name: PostgreSQL takes 63, and the view of its records has eight more."""
LONGEST_ROUND = 250
"""Characters of the name of a compliance round: as many as Airflow's run ids have."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def split_name(name: object, argument: str = "table") -> tuple[str | None, str]:
    """The schema, ``None`` for the connection's own, and the table's name in it.

    :param name: as the argument has it
    :param argument: what it is called
    :raises NexusConfigurationError: when it is none that every database takes
    """
    if not isinstance(name, str):
        raise NexusConfigurationError(f"{argument} is {name!r}, {a_kind(name)}, and has to be text: give NAME or SCHEMA.NAME")
    if name.strip() in ("", "None"):
        raise NexusConfigurationError(f"{argument} is {name!r}, which is what a template makes of a missing value: give its name")
    parts = name.split(".")
    is_name = len(parts) <= 2 and all(_NAME.fullmatch(part) for part in parts) and len(parts[-1]) <= LONGEST
    if not is_name or parts[-1].lower() in BOOKS:
        raise NexusConfigurationError(
            f"{argument} is {name!r}, which is no name for a table: give NAME or SCHEMA.NAME, each of letters, digits and "
            f"underscores and beginning with no digit, NAME of at most {LONGEST} and SCHEMA of 63; {', '.join(BOOKS)} are taken"
        )
    return (parts[0] if len(parts) == 2 else None), parts[-1]
