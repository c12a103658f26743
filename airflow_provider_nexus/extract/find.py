"""Search for the records that have a reference: all that they can be are read, and compared with what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.api.records import at, typed
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.extract.proved_read import stream
from airflow_provider_nexus.extract.source import Source
from airflow_provider_nexus.extract.window import Window

Record = dict[str, Any]
FAR_BACK = timedelta(days=30)
"""How far back a record is searched that can't be read by its code, when it is not known when it was made."""
_AHEAD = timedelta(minutes=1)
_LIMIT = 100


@dataclass(frozen=True, kw_only=True)
class Search:
    """Where a reference is carried, and which records can carry it.

    :param resource: name in the catalogue
    :param place: the field that carries it, dotted where it lies deeper
    :param filters: query that narrows the candidates, and what a candidate must have, as a server may ignore filters; only what
        every record with the reference has in common, whatever else was asked for under it
    :param by: query name that filters by the reference itself; empty where there is none
    """

    resource: str
    place: str
    filters: Mapping[str, str] = field(default_factory=dict)
    by: str = ""

    def find(self, client: NexusClient, reference: str, since: datetime) -> list[Record]:
        """The records that carry a reference, read whole where that can be done; of a pair the one that gives.

        Of several, those that failed with nothing executed do not count.

        :param since: from when on they can have been made; without effect where the server filters by the reference
        :raises NexusUnprovedError: when the candidates can't be read completely, so that nothing is known
        """
        found = [record for record in self._carriers(client, reference, since) if at(record, self.place) == reference]
        givers = _without_takers(found)
        return [record for record in givers if not self.came_to_nothing(record)] or givers[:1]

    def _carriers(self, client: NexusClient, reference: str, since: datetime) -> Iterator[Record]:
        """The records to compare: what the server's own filter gives, if it has one and heeds it, else all of the time.

        An answer of the filter counts only when it has as many as match: the one that was carried out may be on the next page.
        """
        entry = get_resource(self.resource)
        if self.by:
            page = client.fetch(entry, params={self.by: reference, "page": 1, "limit": _LIMIT}).value
            records = [typed(entry, envelope.decode(raw)) for raw in page.raw]
            if all(at(record, self.place) == reference for record in records) and page.total == len(records):
                yield from records
                return
        listed = [record for record in self.candidates(client, self.filters, since) if self._can_be(record)]
        if "." not in self.place or not entry.member_path or any(at(record, self.place) is not None for record in listed):
            yield from listed  # what carries a reference, shows it in the list
            return
        for record in listed:
            yield client.get_record(self.resource, str(record[entry.key[0]]))

    def candidates(self, client: NexusClient, filters: Mapping[str, Any], since: datetime) -> Iterator[Record]:
        """The records since a time that can be the one, up to what is made while they are read."""
        entry = get_resource(self.resource)
        for row in stream(Source(client, entry, filters=filters), self._window(client, since)):
            yield typed(entry, envelope.decode(row.raw))

    def _window(self, client: NexusClient, since: datetime) -> Window:
        now = client.session.server_now or self._ask_the_time(client)
        return Window(since.replace(microsecond=0), max(now, since).replace(microsecond=0) + _AHEAD)

    def _ask_the_time(self, client: NexusClient) -> datetime:
        answer = client.fetch(get_resource(self.resource), params={"page": 1, "limit": 1})
        return answer.server_time or datetime.now(UTC)

    def came_to_nothing(self, record: Record) -> bool:
        """Whether a record failed, with nothing executed."""
        lifecycle = get_resource(self.resource).lifecycle
        executed = at(record, "executed.amount") or at(record, "executedAmounts.cryptoAmount")
        return lifecycle is not None and lifecycle.phase(record.get("status")) is Phase.FAILED and not executed

    def _can_be(self, record: Record) -> bool:
        return all(_folded(at(record, name)) == _folded(value) for name, value in self.filters.items())


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


def finder(search: Search, client: NexusClient, reference: str) -> Callable[[datetime], list[Record]]:
    """A search that knows all but the time."""
    return lambda since: search.find(client, reference, since)


def unlike(asked: Mapping[str, Any], record: Record, resource: str) -> list[str]:
    """What of a record is not as asked for, one text each; personal values are left out of it.

    What the record does not show is not compared.

    :param asked: place in the record, dotted where it lies deeper -> what it should be
    """
    personal = {item.name for item in get_resource(resource).schema.fields if item.personal}
    found = []
    for place, wanted in asked.items():
        has = at(record, place)
        if has in (None, "") or wanted in (None, "") or _is_alike(wanted, has):
            continue
        name = place.rpartition(".")[2]
        found.append(f"{name} differs" if name in personal else f"{name} is {_shown(has)}, asked for is {_shown(wanted)}")
    return found


def _is_alike(wanted: Any, has: Any) -> bool:
    if isinstance(wanted, Decimal | int) and isinstance(has, Decimal | int):
        return wanted == has
    return _folded(wanted) == _folded(has)


def _shown(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else repr(str(value))


def _without_takers(records: list[Record]) -> list[Record]:
    """Of each pair of transactions that belong together the one that gives."""
    by_code = {record.get("transactionCode"): record for record in records}
    takers: set[Any] = set()
    for code, record in by_code.items():
        other = record.get("linkedTransactionCode")
        if other in by_code and other not in takers and code not in takers:
            takers.add(code if _folded(record.get("direction")) == "destination" else other)
    return [record for record in records if record.get("transactionCode") not in takers or not record.get("transactionCode")]


def _folded(value: Any) -> str:
    return str("" if value is None else value).strip().casefold()
