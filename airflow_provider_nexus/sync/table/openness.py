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
        self.status, self.ended = table.status, table.by_path["finished"].name if "finished" in table.by_path else ""
        """The columns that tell, empty where there are none."""
        self._places = [table.place(name) if name else None for name in (self.status, self.ended)]
        lifecycle = table.resource.lifecycle
        self._phase = cache(lifecycle.phase if lifecycle else lambda _: Phase.SUCCEEDED)

    def is_open(self, row: Sequence[Any]) -> bool:
        """Whether a row's record is unsettled."""
        status, ended = (None if place is None else row[place] for place in self._places)
        return self.is_unsettled(status, ended)

    def is_unsettled(self, status: str | None, ended: Any) -> bool:
        """Whether a record is, by its status and the time of its end."""
        phase = self._phase(status)
        return ended is None if phase is Phase.UNKNOWN else not phase.is_settled
