"""Records of a collection, lazily: what is asked for is checked at once, and read when the first record is wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from airflow_provider_nexus.api.codes import code_of, did_you_mean
from airflow_provider_nexus.api.moments import Moment, is_missing, moment, span_of_time
from airflow_provider_nexus.api.records import OnUntyped, typed
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.values import in_query, refuse_twins
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWindowError
from airflow_provider_nexus.extract.children import refuse_unknown_parent
from airflow_provider_nexus.extract.proved_read import stream
from airflow_provider_nexus.extract.request import LONGEST_LAG, SETTLE_LAG
from airflow_provider_nexus.extract.source import PAGE_SIZE, Source
from airflow_provider_nexus.extract.window import BEGINNING, RequestedWindow, settled_window

_PAGING = ("page", "limit", "sortby", "sortdirection")


@dataclass(frozen=True, kw_only=True)
class RecordsWanted:
    """What is wanted of a collection, checked.

    :param start: start of the stamps, included; by default the beginning
    :param end: end of the stamps, excluded; by default now
    :param filters: other query parameters, as Nexus names them
    :param limit: records to give at most; ``None`` for all
    :param page_size: records asked for in one call
    :param settle_lag: how old a record must be to be sure to be visible
    :param parent: code of the parent's record, for a child
    :raises NexusConfigurationError: for what the resource can't give, or a value that can't be what it must be
    :raises NexusWindowError: when a moment can't be read, or the end is not after the start
    """

    resource: Resource
    start: Moment = None
    end: Moment = None
    filters: Mapping[str, Any] | None = None
    limit: int | None = None
    page_size: int = PAGE_SIZE
    settle_lag: timedelta | float = SETTLE_LAG
    parent: str = ""

    def __post_init__(self) -> None:
        whole_number("page_size", self.page_size, least=1)
        if self.limit is not None:
            whole_number("limit", self.limit, least=0)
        _check_parent(self.resource, self.parent)
        _check_filters(self.resource, self.filters)
        _ = self.lag, self.requested

    @property
    def lag(self) -> timedelta:
        """The settle lag."""
        return span_of_time(self.settle_lag, "settle_lag", longest=LONGEST_LAG)

    @property
    def requested(self) -> RequestedWindow | None:
        """The window; ``None`` where the resource has none."""
        if not self.resource.is_windowed:
            if self.start is not None or self.end is not None:
                raise NexusWindowError(f"{self.resource.name} has no window, so there can be no start and no end: leave them out")
            return None
        start = BEGINNING if self.start is None else moment(self.start, "start")
        return RequestedWindow(start, None if self.end is None else moment(self.end, "end"), "arguments")

    def records(self, client: NexusClient, log: Log) -> Iterator[dict[str, Any]]:
        """The records, typed: times as pendulum in UTC, money as ``Decimal``. Errors as with :meth:`rows`."""
        on_untyped = warn_once(self.resource, log)
        reader = RowReader(self.resource)
        return (typed(self.resource, reader.record(row), on_untyped) for row in self.rows(client, log))

    def rows(self, client: NexusClient, log: Log, sleep: Callable[[float], None] = time.sleep) -> Iterator[Row]:
        """The records as they came, oldest first, one page in memory.

        :raises NexusUnprovedError: at the end, when all there is was read and the count does not agree with the server's
        """
        if self.limit == 0:
            return
        source = Source(
            client, self.resource, parent=self.parent, filters=self.filters, page_size=self.page_size, with_amounts=False
        )
        window, found = None, False
        if self.requested:
            window = settled_window(client, self.resource, self.requested, self.lag, log, sleep)
            if window is None:
                return
        for row in islice(stream(source, window), self.limit):
            found = True
            yield row
        if self.parent and not found:
            refuse_unknown_parent(client, self.resource, self.parent)


def warn_once(resource: Resource, log: Log) -> OnUntyped:
    """Warns of the first value of each field that is of another kind than declared."""
    known = set[str]()

    def warn(path: str, expected: str) -> None:
        if path not in known:
            known.add(path)
            log.warning("%s: %s has values that are not %s; they are given as they came", resource.name, path, expected)

    return warn


def whole_number(name: str, given: object, *, least: int, most: int | None = None) -> None:
    """Refuse what is no whole number, or too small or too large.

    :raises NexusConfigurationError: names the argument
    """
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= (given if most is None else most):
        bounds = f", {least} or more" if most is None else f" from {least} to {most}"
        raise NexusConfigurationError(f"{name} is {given!r}: give a whole number{bounds}")


def _check_parent(resource: Resource, parent: object) -> None:
    if parent == "" and resource.parent:
        raise NexusConfigurationError(
            f"{resource.name} belong to one of {resource.parent}: give its code as parent, or bring those of all with "
            "NexusToObjectStorageOperator or NexusToSqlOperator"
        )
    if parent != "":
        code_of(parent, "parent")
        if not resource.parent:
            raise NexusConfigurationError(f"{resource.name} belong to no other record, so there can be no parent: leave it out")


def _check_filters(resource: Resource, filters: Mapping[str, Any] | None) -> None:
    if filters is not None and not isinstance(filters, Mapping):
        raise NexusConfigurationError(f"filters is {filters!r}: give a dictionary of query names and values")
    refuse_twins(filters or (), "filters")
    known = {name.casefold(): name for name in resource.filters}
    for name, value in (filters or {}).items():
        _check_name(resource, str(name), known)
        if is_missing(value):
            raise NexusConfigurationError(
                f"the filter {name} is {value!r}, which is what becomes of a missing value and would let all records through: "
                "leave it out, or give a value"
            )
        if not isinstance(value, str) and isinstance(value, list | tuple | set | frozenset):
            raise NexusConfigurationError(f"the filter {name} is {value!r}, and Nexus takes one value: ask once for each")
    in_query(filters)


def _check_name(resource: Resource, name: str, known: Mapping[str, str]) -> None:
    dates = resource.created
    bounds = {bound.casefold() for bound in (dates.since, dates.until) if bound} if dates else set()
    if name.casefold() in bounds and resource.is_windowed:
        raise NexusConfigurationError(f"the filter {name} bounds the window: give start and end instead")
    if name.casefold() in _PAGING:
        raise NexusConfigurationError(f"the filter {name} belongs to the walk through the pages: use page_size, or limit")
    if name.casefold() in known or name.casefold() in bounds:
        return
    then = "Any query can be sent with NexusHook.run"
    hint = did_you_mean(name, known.values(), "" if known else "known are none", then=then)
    raise NexusConfigurationError(
        f"{resource.name} has no filter {name!r} that is known, and one that Nexus does not know lets all records through: {hint}"
    )
