"""Where the last sync into a table ended, told by the table's own books."""

from __future__ import annotations

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.load.sql.copy import SqlCopy


class TableWatermark:
    """The end of the windows that a table holds without a gap, from the first on.

    :param copy: the table
    """

    def __init__(self, copy: SqlCopy) -> None:
        self._copy = copy

    def get(self) -> str | None:
        """The stamp; ``None`` before the first sync."""
        windows = sorted((window for window, _ in self._copy.windows()), key=lambda window: (window.start, window.end))
        if not windows:
            return None
        end = windows[0].end
        for window in windows:
            if window.start <= end:
                end = max(end, window.end)
        return to_wire(end)

    def set(self, moment: str) -> None:
        """Nothing to do: the load has written it."""
