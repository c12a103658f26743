"""Records found by their code or by a reference: all that they can be are read, and compared with what was asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.api.records import at, typed
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusNotFoundError
from airflow_provider_nexus.extract.proved_read import stream
from airflow_provider_nexus.extract.source import Source
from airflow_provider_nexus.extract.window import Window

Record = dict[str, Any]
_FAR_BACK = timedelta(days=30)
"""How far back a record is searched that can't be read by its code, when it is not known when it was made."""
_AHEAD = timedelta(minutes=1)
_LIMIT = 100


@dataclass(frozen=True, kw_only=True)
class Search:
    """A reference, where it is carried, and which records can carry it.

    :param resource: name in the catalogue
    :param place: the field that carries it, dotted where it lies deeper
    :param filters: query that narrows the candidates, and what a candidate must have, as a server may ignore filters; only what
        every record with the reference has in common, whatever else was asked for under it
    :param by: query name that filters by the reference itself; empty where there is none
    """

    client: NexusClient
    resource: str
    reference: str
    place: str
    filters: Mapping[str, str] = field(default_factory=dict)
    by: str = ""

    def find(self, since: datetime) -> list[Record]:
        """The records that carry the reference, read whole where that can be done; of a pair the one that gives.

        Of several, those that failed with nothing executed do not count.

        :param since: from when on they can have been made; without effect where the server filters by the reference
        :raises NexusUnprovedError: when the candidates can't be read completely, so that nothing is known
        """
        givers = _without_takers([record for record in self._candidates(since) if self.carries(record)])
        return [record for record in givers if not self.came_to_nothing(record)] or givers[:1]

    def carries(self, record: Record) -> bool:
        """Whether a record has the reference."""
        return bool(at(record, self.place) == self.reference)

    def came_to_nothing(self, record: Record) -> bool:
        """Whether a record failed, with nothing executed."""
        lifecycle = get_resource(self.resource).lifecycle
        executed = at(record, "executed.amount") or at(record, "executedAmounts.cryptoAmount")
        return lifecycle is not None and lifecycle.phase(record.get("status")) is Phase.FAILED and not executed

    def _candidates(self, since: datetime) -> Iterator[Record]:
        """The records to compare: what the server's own filter gives, if it has one and heeds it, else all of the time.

        An answer of the filter counts only when it has as many as match: the one that was carried out may be on the next page.
        """
        entry = get_resource(self.resource)
        if self.by:
            page = self.client.fetch(entry, params={self.by: self.reference, "page": 1, "limit": _LIMIT}).value
            reader = RowReader(entry)
            records = [typed(entry, reader.record(Row("", "?", raw))) for raw in page.raw]
            if all(map(self.carries, records)) and page.total == len(records):
                yield from records
                return
        listed = [
            record
            for record in _made_since(self.client, entry, since, self.filters)
            if all(_folded(at(record, name)) == _folded(value) for name, value in self.filters.items())
        ]
        if "." not in self.place or not entry.member_path or any(at(record, self.place) is not None for record in listed):
            yield from listed  # what carries a reference, shows it in the list
            return
        for record in listed:
            yield self.client.get_record(self.resource, str(record[entry.key[0]]))


def get_record(client: NexusClient, resource: str, code: str) -> Record:
    """One record by its code: read alone where Nexus has a call for that, else out of the list of the last thirty days.

    :raises NexusNotFoundError: when there is none
    :raises NexusConfigurationError: when it can be read in neither way
    """
    entry = get_resource(resource)
    if entry.member_path or not entry.is_windowed:
        return client.get_record(resource, code)
    return find_by_codes(client, resource, [code])[code]


def find_by_codes(client: NexusClient, resource: str, codes: Collection[str], since: datetime | None = None) -> dict[str, Record]:
    """Records of a resource whose single records can't be read, by code.

    :param since: from when on they can have been made; by default thirty days before now
    :raises NexusNotFoundError: names the first that is not there
    """
    entry = get_resource(resource)
    found: dict[str, Record] = {}
    for record in _made_since(client, entry, since, {}):
        if (code := str(at(record, entry.key[0]))) in codes:
            found[code] = record
        if len(found) == len(codes):
            return found
    where = f"since {to_wire(since)}" if since else f"of the last {_FAR_BACK.days} days"
    missing = min({*codes} - found.keys())
    raise NexusNotFoundError("GET", entry.path, detail=f"none {where} has the code {missing!r}")


def _made_since(client: NexusClient, resource: Resource, since: datetime | None, filters: Mapping[str, str]) -> Iterator[Record]:
    """The records of a resource since a time, by default thirty days before now, up to what is made while they are read."""
    now = client.session.server_now or client.fetch(resource, params={"page": 1, "limit": 1}).server_time or datetime.now(UTC)
    since = since or now - _FAR_BACK
    window = Window(since.replace(microsecond=0), max(now, since).replace(microsecond=0) + _AHEAD)
    source = Source(client, resource, filters=filters)
    for row in stream(source, window):
        yield typed(resource, source.reader.record(row))


def unlike(asked: Mapping[str, Any], record: Record, resource: str) -> list[str]:
    """What of a record is not as asked for, one text each; personal values are left out of it.

    What the record does not show is not compared.

    :param asked: place in the record, dotted where it lies deeper -> what it should be
    """
    personal = {item.name for item in get_resource(resource).schema.fields if item.personal}
    found = []
    for place, wanted in asked.items():
        has = at(record, place)
        are_numbers = isinstance(wanted, Decimal | int) and isinstance(has, Decimal | int)
        is_alike = wanted == has if are_numbers else _folded(wanted) == _folded(has)
        if has in (None, "") or wanted in (None, "") or is_alike:
            continue
        name = place.rpartition(".")[2]
        found.append(f"{name} differs" if name in personal else f"{name} is {_shown(has)}, asked for is {_shown(wanted)}")
    return found


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
