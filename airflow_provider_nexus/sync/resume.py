"""Lets a reading go on where an earlier try ended: the go-between of reading, sink and staging place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.sync.sink import WindowSink
from airflow_provider_nexus.sync.source import second_of
from airflow_provider_nexus.sync.staging import Checkpoint, Staging
from airflow_provider_nexus.sync.tally import TotalsTally
from airflow_provider_nexus.sync.walks import Count

_BATCH = 1000


class PartKeeper:
    """Keeps each part as it becomes full.

    :param sink: takes the rows
    :param staging: where parts are kept
    """

    def __init__(self, sink: WindowSink, staging: Staging, log: Log) -> None:
        self._sink, self._staging, self._log = sink, staging, log
        self._kept = 0

    def resume(self, count: Count, tally: TotalsTally | None) -> datetime | None:
        """Put an earlier try's rows into the sink and its counts into ``count`` and ``tally``."""
        checkpoint = self._staging.load()
        if checkpoint is None:
            return None
        self._fill(self._staging.records(checkpoint))
        self._kept = len(self._sink.writer.full_parts)
        count.unique, count.outside, count.total_first = checkpoint.unique, checkpoint.outside, checkpoint.total_first
        if tally and checkpoint.totals is not None:
            tally.restore(checkpoint.totals)
        self._log.info("going on from %s, where an earlier try ended: %s records", checkpoint.position, f"{count.unique:,}")
        return second_of(checkpoint.position)

    def _fill(self, records: Iterator[bytes]) -> None:
        rows = (self._sink.reader.read(raw) for raw in records)
        while batch := list(islice(rows, _BATCH)):
            self._sink.fields.look(batch[0].raw)
            self._sink.restore(batch)

    def keep(self, group: list[Row], count: Count, tally: TotalsTally | None) -> None:
        """Keep the parts that became full."""
        fresh = self._sink.writer.full_parts[self._kept :]
        if fresh:
            self._kept += len(fresh)
            self._staging.save(fresh, self._checkpoint(group, count, tally))

    def _checkpoint(self, group: list[Row], count: Count, tally: TotalsTally | None) -> Checkpoint:
        return Checkpoint(
            f"{second_of(group[-1].stamp) + SECOND:%FT%T}",
            count.unique,
            count.outside,
            count.total_first,
            tally.dump() if tally else None,
            [(part.name, part.sha256) for part in self._sink.writer.full_parts],
            [raw.decode() for raw in self._sink.writer.overhang],
        )

    def forget(self) -> None:
        """What was kept is of no use."""
        self._kept = 0
        self._staging.clear()
