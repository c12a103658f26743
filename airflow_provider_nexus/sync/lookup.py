"""Finding the record that carries a reference, by reading all that it can be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.records import at, typed
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusConflictError
from airflow_provider_nexus.sync.reading import stream
from airflow_provider_nexus.sync.source import Source, Span

Record = dict[str, Any]
FAR_BACK = timedelta(days=30)
"""How far back a record is searched that can't be read by its code, when nothing says when it was made."""
_AHEAD = timedelta(minutes=1)
_LIMIT = 100


@dataclass(frozen=True, kw_only=True)
class Search:
    """Where a reference is carried, and which records can carry it.

    :param resource: name in the catalogue
    :param place: the field that carries it, dotted where it lies deeper
    :param filters: query that narrows the candidates
    :param alike: field -> what it must hold, dotted where it lies deeper; compared here, as a server may ignore filters
    :param by: query name that filters by the reference itself; empty where there is none
    """

    resource: str
    place: str
    filters: Mapping[str, Any] = field(default_factory=dict)
    alike: Mapping[str, str] = field(default_factory=dict)
    by: str = ""

    def find(self, client: NexusClient, reference: str, since: datetime) -> Record | None:
        """The record, read whole where that can be done; of a pair the one that gives.

        :param since: from when on it can have been made; without effect where the server filters by the reference
        :raises NexusConflictError: when a record of another kind carries the reference
        :raises NexusUnprovedError: when the candidates can't be read completely, so that nothing can be said
        """
        found = [record for record in self._carriers(client, reference, since) if at(record, self.place) == reference]
        for record in found:
            self._refuse_stranger(record)
        return min(found, key=_is_taker, default=None)

    def _carriers(self, client: NexusClient, reference: str, since: datetime) -> Iterator[Record]:
        """The records to compare: what the server's own filter gives, if it has one and heeds it, else all of the time."""
        if not self.by:
            yield from self.candidates(client, {**self.filters}, since)
            return
        entry = get_resource(self.resource)
        page = client.fetch(entry, params={self.by: reference, "page": 1, "limit": _LIMIT}).value
        records = [typed(entry, envelope.decode(raw)) for raw in page.raw]
        if records and all(at(record, self.place) == reference for record in records):
            yield from records
        elif records or page.total:
            yield from self.candidates(client, {}, since)

    def candidates(self, client: NexusClient, filters: Mapping[str, Any], since: datetime) -> Iterator[Record]:
        """The records since a time that can be the one, up to what is made while they are read."""
        entry = get_resource(self.resource)
        for row in stream(Source(client, entry, filters=filters), self._span(client, since)):
            record = typed(entry, envelope.decode(row.raw))
            if self.by or self._fits(record):
                yield self._whole(client, record)

    def _span(self, client: NexusClient, since: datetime) -> Span:
        now = client.session.server_now or self._ask_the_time(client)
        return Span(since.replace(microsecond=0), max(now, since).replace(microsecond=0) + _AHEAD)

    def _ask_the_time(self, client: NexusClient) -> datetime:
        answer = client.fetch(get_resource(self.resource), params={"page": 1, "limit": 1})
        return answer.server_time or datetime.now(UTC)

    def _whole(self, client: NexusClient, record: Record) -> Record:
        """With what only the call for one record shows."""
        entry = get_resource(self.resource)
        if "." not in self.place or not entry.member_path or at(record, self.place) is not None:
            return record
        return client.get_record(self.resource, str(record[entry.key[0]]))

    def _fits(self, record: Record) -> bool:
        return all(_folded(at(record, name)) == _folded(value) for name, value in self.alike.items())

    def _refuse_stranger(self, record: Record) -> None:
        if not self._fits(record):
            raise NexusConflictError(
                "GET", get_resource(self.resource).path, detail="another record carries this reference: give each write its own"
            )


def find_by_codes(client: NexusClient, resource: str, codes: Collection[str], since: datetime) -> dict[str, Record]:
    """Records of a resource whose single records can't be read, by code; one that there is not is left out."""
    place = get_resource(resource).key[0]
    found: dict[str, Record] = {}
    for record in Search(resource=resource, place=place).candidates(client, {}, since):
        if (code := str(at(record, place))) in codes:
            found[code] = record
        if len(found) == len(codes):
            break
    return found


def finder(search: Search, client: NexusClient, reference: str) -> Callable[[datetime], Record | None]:
    """A search that knows all but the time."""
    return lambda since: search.find(client, reference, since)


def _is_taker(record: Record) -> bool:
    return _folded(record.get("direction")) == "destination"


def _folded(value: Any) -> str:
    return str("" if value is None else value).strip().casefold()
