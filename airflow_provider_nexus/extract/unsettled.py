"""Reads records again whose end has not been seen, in the form in which the collection lists them.

Most are found in one list of all that is unsettled. Those that have left it are asked for by their codes, many in one call,
where the server filters by codes; else they are looked for among those that ended last; and what is then still missing is
looked for where it was made: each record lies in the second of its creation stamp. No filter and no order is believed: a
server that takes no notice of them costs calls, never a record.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from airflow_provider_nexus.api.envelope import decode
from airflow_provider_nexus.api.records import at
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, in_order
from airflow_provider_nexus.api.timestamps import SECOND, normalise, to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import NexusNotFoundError, NexusUnprovedError, NexusValidationError
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.extract.proof import Proof, Verdict
from airflow_provider_nexus.extract.proved_read import stream
from airflow_provider_nexus.extract.source import Page, Source, widened
from airflow_provider_nexus.extract.window import Window

if TYPE_CHECKING:
    from airflow_provider_nexus.extract.extracted import Intake

_FEW = 3
"""As many records are looked for where they were made at once."""
_CODES = 50
"""Codes in one call: they have to fit into its address."""
_ENDED = "finished"
_REFUSED = (NexusValidationError, NexusNotFoundError, NexusUnprovedError)


class UnsettledReading:
    """Looks records up.

    :param resource: a windowed one
    :param wanted: the records, by key
    :param since: they were unsettled then
    """

    def __init__(
        self,
        client: NexusClient,
        resource: Resource,
        page_size: int,
        wanted: Mapping[str, Open],
        since: datetime,
        on_page: Callable[[Page], None],
    ) -> None:
        self._client, self._resource, self._page_size = client, resource, page_size
        self._wanted, self._since, self._on_page = wanted, since, on_page

    proof: Proof

    def rows(self, intake: Intake | None = None) -> Generator[list[Row]]:
        """The records, all at once."""
        wanted, found = self._wanted, dict[str, Row]()
        missing = wanted
        for way in (self._listed, self._by_code, self._ended_lately):
            with suppress(*_REFUSED):
                for row in way(missing) if len(missing) > _FEW else ():
                    if row.key in missing:
                        found[row.key] = row
            missing = {key: each for key, each in wanted.items() if key not in found}
        found |= {row.key: row for row in self._where_made(missing) if row.key in missing}
        if rows := in_order(found.values()):
            yield intake.take(rows) if intake else rows
        deleted = len(wanted) - len(found)
        reasons = (f"{number_of(deleted, 'record')} {'is' if deleted == 1 else 'are'} not there any more",) if deleted else ()
        self.proof = Proof(Verdict.PROVED, "lookup", 1, len(wanted), len(found), len(found), reasons=reasons)

    def _listed(self, wanted: Mapping[str, Open]) -> Iterator[Row]:
        """Those that are still unsettled, unless the list is too long to be worth it."""
        lifecycle = self._resource.lifecycle
        if lifecycle is None or "status" not in self._resource.filters:
            return
        statuses = {status.upper(): status for status in (*lifecycle.unsettled, *(each.status for each in wanted.values()))}
        source = self._source({"status": "|".join(sorted(statuses.values()))})
        made = [each.created.replace(microsecond=0) for each in wanted.values()]
        window = Window(min(made), max(made) + SECOND)
        count = source.count(*widened(window))
        if count is not None and count <= len(wanted) * self._page_size:
            # a server that takes no notice of the filter is not read any further
            yield from takewhile(lambda row: source.reader.status(row) in statuses, stream(source, window))

    def _by_code(self, wanted: Mapping[str, Open]) -> Iterator[Row]:
        """By their codes joined with bars, as other filters take several values; whether this one does is seen."""
        name = self._resource.key[0]
        if name not in self._resource.filters or len(self._resource.key) > 1:
            return
        for start in range(0, len(wanted), _CODES):
            codes = sorted(wanted)[start : start + _CODES]
            page = self._source({name: "|".join(codes)}).page(limit=max(_CODES, self._page_size))
            yield from page.rows
            if not page.rows or any(row.key not in codes for row in page.rows):
                return

    def _ended_lately(self, wanted: Mapping[str, Open]) -> Iterator[Row]:
        """Those with the latest ends, as long as the server sorts by that."""
        dates, source = self._resource.created, self._source({})
        if dates is None or _ENDED not in self._resource.schema.by_folded_name:
            return
        before = max(each.created for each in wanted.values()) + 2 * SECOND
        query = {dates.until: to_wire(before), "limit": self._page_size, "sortBy": _ENDED, "sortDirection": "Desc"}
        known: set[str] = set()
        for number in range(1, len(wanted) + 1):
            answer = self._client.fetch(self._resource, params={**query, "page": number}).value
            rows = [source.reader.read(raw) for raw in answer.raw]
            self._on_page(Page(rows, answer.total, answer.total_pages))
            yield from rows
            ends = [_end_of(row.raw) for row in rows]
            if known.issuperset(row.key for row in rows):
                return
            known.update(row.key for row in rows)
            if any(a < b for a, b in pairwise(ends)) or ends[-1] < f"{self._since:%FT%T}":
                return

    def _where_made(self, missing: Mapping[str, Open]) -> Iterator[Row]:
        source = self._source({})
        for second in sorted({each.created.replace(microsecond=0) for each in missing.values()}):
            yield from stream(source, Window(second, second + SECOND))

    def _source(self, filters: dict[str, str]) -> Source:
        return Source(self._client, self._resource, filters=filters, page_size=self._page_size, on_page=self._on_page)


def _end_of(raw: bytes) -> str:
    """When a record ended, as text that sorts as time; nothing when it has not, or when that can't be read."""
    try:
        value = at(decode(raw), _ENDED)
        return normalise(value) if value else ""
    except ValueError:
        return ""
