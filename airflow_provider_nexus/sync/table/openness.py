"""Which records of a table may still change by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.sync.table.columns import Table


class Openness:
    """Tells unsettled records.

    One whose status no source explains counts as unsettled, unless it carries the time of its end.

    :param table: of a resource; without a lifecycle none of its records is unsettled
    """

    def __init__(self, table: Table) -> None:
        names = [column.name for column in table.columns]
        self._status = names.index(table.status) if table.status else None
        self._ended = names.index(ended) if (ended := ended_of(table)) else None
        lifecycle = table.resource.lifecycle
        self._phase = cache(lifecycle.phase if lifecycle else lambda _: Phase.SUCCEEDED)

    def is_open(self, row: Sequence[Any]) -> bool:
        """Whether a row's record is unsettled."""
        if self._status is None:
            return False
        phase = self._phase(row[self._status])
        if phase is Phase.UNKNOWN:
            return self._ended is None or row[self._ended] is None
        return not phase.is_settled


def ended_of(table: Table) -> str:
    """The column of the time at which a record ended; empty where there is none."""
    return table.by_path["finished"].name if "finished" in table.by_path else ""
