"""The records of a table whose end has not been seen."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.load.columns import Openness
from airflow_provider_nexus.load.sql.merge import current
from airflow_provider_nexus.load.sql.tables import Model


def unsettled_in(connection: Connection, model: Model) -> dict[str, Open]:
    """By key, in one query; nothing where records have no creation stamp or no status."""
    openness, source = Openness(model.source), model.source
    if not source.created or not source.status:
        return {}
    columns, lifecycle = model.data.c, source.resource.lifecycle
    ends = [status.lower() for status in (*lifecycle.succeeded, *lifecycle.failed)] if lifecycle else []
    status = sa.func.lower(sa.func.trim(sa.func.coalesce(columns[source.status], "")))
    ended = columns[openness.ended] if openness.ended else sa.null()
    query = sa.select(columns["_key"], columns[source.created], columns[source.status], ended)
    rows = connection.execute(query.where(status.not_in(ends), current(model)))
    return {key: Open(created, said or "") for key, created, said, end in rows if openness.is_unsettled(said, end)}
