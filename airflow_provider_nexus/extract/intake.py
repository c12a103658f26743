"""The intake of records that are read: personal data is treated, fields are looked at, progress is reported."""

from __future__ import annotations

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.fields import FieldWatch
from airflow_provider_nexus.extract.progress import Progress
from airflow_provider_nexus.extract.protect import Protector


class Intake:
    """Takes the records of a reading in, before anything else sees them.

    :param resource: what is read
    :param progress: counts the records
    :param protector: treats personal data
    :param looks_at_all: whether the fields of every record are looked at; by default those of one a page
    """

    def __init__(self, resource: Resource, progress: Progress, protector: Protector, *, looks_at_all: bool = False) -> None:
        self._resource, self.progress, self._protector, self._looks_at_all = resource, progress, protector, looks_at_all
        self.fields = FieldWatch(resource)

    def begin(self) -> None:
        """The records come from the first one on."""
        self.progress.restart()
        self.fields = FieldWatch(self._resource)

    def take(self, rows: list[Row]) -> list[Row]:
        """Rows as they may be stored."""
        for row in rows if self._looks_at_all else rows[:1]:
            self.fields.look(row.raw)
        self.progress.add(len(rows))
        return rows if self._protector.is_idle else [self._protector.row(row) for row in rows]
