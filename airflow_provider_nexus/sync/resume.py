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
    :param read_at: the server's time now
    """

    def __init__(self, sink: WindowSink, staging: Staging, read_at: datetime, log: Log) -> None:
        self._sink, self._staging, self._now, self._log = sink, staging, read_at, log
        self.read_at = read_at
        """The server's time at which the reading began, be it in an earlier try: its oldest records are as they were then."""
        self._kept = 0

    def resume(self, count: Count, tally: TotalsTally | None) -> datetime | None:
        """Put an earlier try's rows into the sink and its counts into ``count`` and ``tally``."""
        checkpoint = self._staging.load(self._now)
        if checkpoint is None:
            return None
        self._fill(self._staging.records(checkpoint), count)
        self._sink.fields.restore(checkpoint.fields)
        self._kept = len(checkpoint.parts) if self._parts == checkpoint.parts else 0  # another zlib packs otherwise
        self.read_at = checkpoint.read_at
        count.unique, count.outside, count.total_first = checkpoint.unique, checkpoint.outside, checkpoint.total_first
        if tally and checkpoint.totals is not None:
            tally.restore(checkpoint.totals)
        self._log.info("going on from %s, where an earlier try ended: %s records", checkpoint.position, f"{count.unique:,}")
        return second_of(checkpoint.position)

    def _fill(self, records: Iterator[bytes], count: Count) -> None:
        rows = (self._sink.reader.read(raw) for raw in records)
        while batch := list(islice(rows, _BATCH)):
            self._sink.restore(batch)
            for row in batch:
                count.keys.add(row.key)

    def keep(self, group: list[Row], count: Count, tally: TotalsTally | None) -> None:
        """Keep the parts that became full."""
        fresh = self._sink.writer.full_parts[self._kept :]
        if fresh:
            self._kept += len(fresh)
            self._staging.save(fresh, self._checkpoint(group, count, tally))

    def _checkpoint(self, group: list[Row], count: Count, tally: TotalsTally | None) -> Checkpoint:
        return Checkpoint(
            f"{second_of(group[-1].stamp) + SECOND:%FT%T}",
            self.read_at,
            count.unique,
            count.outside,
            count.total_first,
            tally.dump() if tally else None,
            self._sink.fields.dump(),
            self._parts,
            self._sink.writer.overhang,
        )

    @property
    def _parts(self) -> list[tuple[str, str]]:
        return [(part.name, part.sha256) for part in self._sink.writer.full_parts]

    def forget(self) -> None:
        """What was kept is of no use."""
        self._kept, self.read_at = 0, self._now
        self._staging.clear()
