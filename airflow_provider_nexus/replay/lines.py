"""Brings records into a window of JSON lines."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import RowReader, in_order
from airflow_provider_nexus.extract.jsonl import JsonLinesWriter
from airflow_provider_nexus.extract.tally import Tally
from airflow_provider_nexus.load.copy import Reject
from airflow_provider_nexus.load.publish import publish
from airflow_provider_nexus.replay.outcome import Replayed, sort_lines
from airflow_provider_nexus.verify.lines import records_of


def replay_lines(folder: Any, manifest: dict[str, Any], resource: Resource, put_aside: Sequence[Reject]) -> Replayed:
    """Write the window anew with the records that fit, in order of stamp and key."""
    reader = RowReader(resource)
    tried = sort_lines(reader, put_aside)
    tally, writer = Tally(reader), JsonLinesWriter()
    held = (reader.read(raw) for file in manifest["files"] for raw in records_of(folder / file["name"]))
    try:
        for row in heapq.merge(held, in_order(tried.rows), key=itemgetter(0, 1, 2)):
            tally.add(row)
            writer.write([row])
        publish(folder, writer.parts(), {**manifest, **_members(tally)}, tried.left)
    finally:
        writer.close()
    return tried.told(folder)


def _members(tally: Tally) -> dict[str, Any]:
    ends = {
        name: {"key": row.key, "stamp": row.stamp} if row else None
        for name, row in (("first", tally.first), ("last", tally.last))
    }
    return {"records": tally.records, "key_digest": tally.key_digest, "sums": tally.sums_by_field, **ends}
