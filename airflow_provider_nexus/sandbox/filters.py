"""Filters of a list: the query names that narrow it, and how each is compared. See docs/api_facts.rst, Filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_nexus.api.resource import DateFilter, Resource
from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import ApiCall, bad_query
from airflow_provider_nexus.sandbox.rows import RowSet
from airflow_provider_nexus.sandbox.served import LOOKS_AT, MORE_DATES
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import zulu

Test = Callable[[int], bool]
"""Whether a row stays."""

_UNBOUND_TOO = ("currency", "crypto")
_AMOUNTS = {"amountFrom": 1, "amountTo": -1}


@dataclass
class Selection:
    """What a call asks for: rows from ``since`` till before ``until``, in microseconds, that pass the tests; and the filters."""

    since: int | None = None
    until: int | None = None
    tests: list[Test] = field(default_factory=list)
    echo: dict[str, str] = field(default_factory=dict)

    def rows(self, collection: RowSet, at: int) -> list[int] | range:
        """The rows selected, by (stamp, number)."""
        rows = collection.rows(self.since, self.until, at)
        if self.tests:
            return [row for row in rows if all(test(row) for test in self.tests)]
        return rows if isinstance(rows, range) else list(rows)


def select(resource: Resource, collection: RowSet, call: ApiCall, settings: SandboxSettings) -> Selection:
    """Read the filters of a call; a refusal for a value that can't be read."""
    chosen, more = Selection(), MORE_DATES.get(resource.name, ())
    if settings.filters == "honoured":
        if resource.created is not None:
            chosen.since, chosen.until = _bounds(resource.created, call, settings, chosen.echo)
        for dates in (resource.finished, *more) if resource.finished else more:
            since, until = _bounds(dates, call, settings, chosen.echo)
            if since is not None or until is not None:
                chosen.tests.append(_inside(dates.stamp, since, until, collection, call.at))
    dated = {name for dates in more for name in (dates.since, dates.until)}
    for name in resource.filters:
        wanted = call.query.get(name.lower())
        if wanted is not None and name not in dated and name not in settings.ignored_filters:
            chosen.tests.append(_test(resource, collection, name, wanted, call.at))
            chosen.echo[name] = wanted.capitalize() if wanted.lower() in ("true", "false") else wanted
    return chosen


def _bounds(dates: DateFilter, call: ApiCall, settings: SandboxSettings, echo: dict[str, str]) -> tuple[int | None, int | None]:
    since, until = call.moment(dates.since), call.moment(dates.until) if dates.until else None
    echo |= {name: zulu(moment) for name, moment in ((dates.since, since), (dates.until, until)) if moment is not None}
    return (
        None if since is None else since + (not settings.since_inclusive),
        None if until is None else until + settings.until_inclusive,
    )


def _inside(name: str, since: int | None, until: int | None, collection: RowSet, at: int) -> Test:
    def inside(row: int) -> bool:
        moment = collection.value(row, at, (name,))
        return bool(moment) and (since is None or moment >= since) and (until is None or moment < until)

    return inside


def _test(resource: Resource, collection: RowSet, name: str, wanted: str, at: int) -> Test:
    path = tuple(LOOKS_AT.get(resource.name, {}).get(name, name).split("."))
    if name in _AMOUNTS:
        try:
            bound, sign = money.decimal(wanted), _AMOUNTS[name]
        except ArithmeticError:
            raise bad_query(f"The value {wanted!r} of {name} is not a number") from None
        return lambda row: (money.decimal(collection.value(row, at, ("amount",))) - bound) * sign >= 0
    choices = {choice.strip().casefold() for choice in wanted.split("|")}
    if name == "status":
        _refuse_unknown_status(resource, choices)
    if name in _UNBOUND_TOO:
        choices.add("none")
    if resource.name == "payment_methods" and name == "transactionType":
        return lambda row: not choices.isdisjoint(str(collection.value(row, at, path)).casefold().split("|"))

    def has_one(row: int) -> bool:
        value = collection.value(row, at, path)
        return any(str(item).casefold() in choices for item in (value if isinstance(value, list) else [value]))

    return has_one


def _refuse_unknown_status(resource: Resource, choices: set[str]) -> None:
    """Statuses are checked where all are known; no source lists all of a broker transaction's."""
    lifecycle = resource.lifecycle
    if lifecycle is None or resource.name == "broker_transactions":
        return
    if choices <= {status.casefold() for status in lifecycle.statuses}:
        return
    valid = [status.upper() for status in lifecycle.statuses]
    helps: dict[str, object] = {"customers": {"validCustomerStatus": valid}, "accounts": {"allowedFilterValues": valid}}
    raise bad_query("The status filter is not valid", helps.get(resource.name))
