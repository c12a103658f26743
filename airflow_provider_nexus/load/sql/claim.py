"""Whose a table is, by the books beside it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.sql.sessions import transaction
from airflow_provider_nexus.load.sql.tables import Model

_log = logging.getLogger(__name__)


def owner_of(connection: Connection, model: Model) -> Mapping[str, Any] | None:
    """What the books say of a table; ``None`` when they do not name it, or there are none."""
    owner = model.owner
    there = sa.inspect(connection).has_table(owner.name, schema=owner.schema)
    connection.rollback()
    if not there:
        return None
    with transaction(connection, begin="BEGIN"):
        found = connection.execute(sa.select(owner).where(owner.c.table_name == model.bare)).mappings().one_or_none()
    return dict(found) if found else None


def refuse_other(connection: Connection, model: Model, belongs: dict[str, str], *, is_there: bool) -> None:
    """Make sure, before anything is made, that a table is what the books say of it, if they name it.

    :param belongs: resource, environment, base URL and output
    :param is_there: whether the table itself is there
    :raises NexusConfigurationError: when it holds something else, or is gone
    """
    held = owner_of(connection, model)
    if held is None:
        return
    _compare(model, belongs, held)
    if held["loads"] and not is_there:
        raise NexusConfigurationError(
            f"Table {model.name} is gone, and the books beside it tell of {held['loads']} loads of it: take it back from a "
            f"backup, or name a new one in table. To begin anew under this name, delete the rows of table_name {model.bare!r} "
            "from nexus_table, nexus_manifest and nexus_rejected"
        )


def claim(connection: Connection, model: Model, belongs: dict[str, str]) -> None:
    """Enter a new table into the books, or make sure that it is what the books say.

    :param belongs: resource, environment, base URL and output
    :raises NexusConfigurationError: when the table holds something else
    """
    held = owner_of(connection, model)
    if held is None:
        _enter(connection, model, belongs)
        held = owner_of(connection, model)
    if held is not None:
        _compare(model, belongs, held)


def _compare(model: Model, belongs: dict[str, str], held: Mapping[str, Any]) -> None:
    differing = [name for name, value in belongs.items() if held[name] != value]
    if differing:
        lines = "; ".join(f"{name.replace('_', ' ')} {held[name]!r}, not {belongs[name]!r}" for name in differing)
        raise NexusConfigurationError(f"Table {model.name} holds another copy: {lines}. Give this one a table of its own.")


def _enter(connection: Connection, model: Model, belongs: dict[str, str]) -> None:
    values = {"table_name": model.bare, **belongs, "fingerprint": model.fingerprint, "loads": 0}
    with transaction(connection, begin="BEGIN"):
        has_rows = connection.execute(sa.select(sa.literal(1)).select_from(model.data).limit(1)).first() is not None
    # Another load may have entered the table since, and its rows are no stranger's.
    if has_rows and owner_of(connection, model) is None:
        raise NexusConfigurationError(
            f"Table {model.name} holds rows that no sync has brought: the books beside it do not name it. Empty it, take the "
            "books back from the same backup, or name another table"
        )
    try:
        with transaction(connection):
            connection.execute(sa.insert(model.owner).values(values))
    except sa.exc.IntegrityError:
        # Another load was faster.
        _log.debug("Table %s was entered by another load.", model.name)
