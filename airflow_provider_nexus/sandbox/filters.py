"""The query names that narrow a list, and how each is compared. See docs/api_facts.rst, Filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_provider_nexus.api.resource import DateFilter, Resource
from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import Call, Refusal
from airflow_provider_nexus.sandbox.collection import Collection, Path
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import to_micros, zulu

Test = Callable[[int], bool]
"""Whether a row stays."""

_PATHS: dict[str, dict[str, Path]] = {
    "transactions": {"blockchainTxId": ("blockchainTransactionId",)},
    "broker_transactions": {
        "customer": ("customerCode",),
        "customerStatus": ("customer", "status"),
        "customerTrustlevel": ("customer", "trustlevel"),
        "customerIsHighrisk": ("customer", "isHighRisk"),
        "customerIsBusiness": ("customer", "isBusiness"),
    },
    "customers": {"portfolio": ("portFolioCode",), "trustLevel": ("trustlevel",)},
    "accounts": {"cryptoCode": ("dcCode",), "depositAddress": ("dcReceiveAddress",), "status": ("accountStatus",)},
    "orders": {
        "exchangeCode": ("tradePair", "exchangeCode"),
        "cryptoCode": ("tradePair", "cryptoCode"),
        "currencyCode": ("tradePair", "currencyCode"),
        "orderType": ("type",),
        "actionType": ("action",),
        "isPartial": ("executed", "partial"),
    },
    "transfers": {name: ("address", name) for name in ("sourceType", "sinkType", "sourceExchangeCode", "sinkExchangeCode")},
    "mails": {name: ("references", name) for name in ("accountCode", "customerCode", "transactionCode")},
    "payment_methods": {"currency": ("currencyCode",), "crypto": ("cryptoCode",)},
    "customer_bank_accounts": {"bankId": ("bank", "id")},
    "crypto_addresses": {"sinkType": ("sink", "sinkType"), "sourceType": ("source", "sourceType")},
    "banks": {"bankId": ("id",), "countryCode": ("country",)},
    "cryptocurrencies": {"cryptoCode": ("code",)},
}

_MORE_DATES = {
    "customers": (
        DateFilter("latestReviewStartDate", "latestReviewEndDate", "latestReview"),
        DateFilter("latestTransactionStartDate", "latestTransactionEndDate", "latestTransaction"),
    ),
    "customer_persons": (DateFilter("updatedStartDate", "updatedEndDate", "updatedOn"),),
    "customer_bank_accounts": (DateFilter("updatedStartDate", "updatedEndDate", "updated"),),
}
_UNBOUND_TOO = ("currency", "crypto")
_AMOUNTS = {"amountFrom": 1, "amountTo": -1}


@dataclass
class Selection:
    """What a call asks for.

    :param since: first microsecond wanted
    :param until: first microsecond not wanted any more
    :param tests: what a row has to pass besides
    :param echo: the filters applied, for ``filteringParameters``
    """

    since: int | None = None
    until: int | None = None
    tests: list[Test] = field(default_factory=list)
    echo: dict[str, str] = field(default_factory=dict)

    def rows(self, collection: Collection, at: int) -> list[int] | range:
        """The rows selected, by (stamp, number)."""
        rows = collection.rows(self.since, self.until, at)
        if self.tests:
            return [row for row in rows if all(test(row) for test in self.tests)]
        return rows if isinstance(rows, range) else list(rows)


def select(resource: Resource, collection: Collection, call: Call, settings: SandboxSettings) -> Selection:
    """Read the filters of a call.

    :raises Refusal: for a value that can't be read
    """
    chosen = Selection()
    if settings.filters == "honoured":
        if resource.created is not None:
            chosen.since, chosen.until = _bounds(resource.created, call, settings, chosen.echo)
        more = (resource.finished,) if resource.finished else ()
        for dates in (*more, *_MORE_DATES.get(resource.name, ())):
            _add_dates(dates, collection, call, settings, chosen)
    dated = {name for dates in _MORE_DATES.get(resource.name, ()) for name in (dates.since, dates.until)}
    for name in resource.filters:
        wanted = call.query.get(name.lower())
        if wanted is not None and name not in dated and name not in settings.ignored_filters:
            chosen.tests.append(_test(resource, collection, name, wanted, call.at))
            chosen.echo[name] = wanted.capitalize() if wanted.lower() in ("true", "false") else wanted
    return chosen


def read_moment(name: str, text: str) -> int:
    """A date of a query in microseconds; no zone means UTC.

    :raises Refusal: when it is none
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Refusal(400, "InvalidQueryParameter", f"The value {text!r} of {name} is not a date") from None
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _bounds(dates: DateFilter, call: Call, settings: SandboxSettings, echo: dict[str, str]) -> tuple[int | None, int | None]:
    since = _bound(dates.since, call, echo, 0 if settings.since_inclusive else 1)
    until = _bound(dates.until, call, echo, 1 if settings.until_inclusive else 0) if dates.until else None
    return since, until


def _bound(name: str, call: Call, echo: dict[str, str], shift: int) -> int | None:
    text = call.query.get(name.lower())
    if text is None:
        return None
    moment = read_moment(name, text)
    echo[name] = zulu(moment)
    return moment + shift


def _add_dates(dates: DateFilter, collection: Collection, call: Call, settings: SandboxSettings, chosen: Selection) -> None:
    since, until = _bounds(dates, call, settings, chosen.echo)
    if since is None and until is None:
        return

    def inside(row: int) -> bool:
        text = collection.value(row, call.at, (dates.stamp,))
        if not text:
            return False
        moment = read_moment(dates.stamp, text)
        return (since is None or moment >= since) and (until is None or moment < until)

    chosen.tests.append(inside)


def _test(resource: Resource, collection: Collection, name: str, wanted: str, at: int) -> Test:
    path = _PATHS.get(resource.name, {}).get(name, (name,))
    if name in _AMOUNTS:
        return _amount_test(collection, name, wanted, at)
    choices = {choice.strip().casefold() for choice in wanted.split("|")}
    if name == "status":
        _refuse_unknown_status(resource, choices)
    if name in _UNBOUND_TOO:
        choices.add("none")
    if resource.name == "payment_methods" and name == "transactionType":
        return lambda row: not choices.isdisjoint(str(collection.value(row, at, path)).casefold().split("|"))
    return lambda row: not choices.isdisjoint(_told(collection.value(row, at, path)))


def _told(value: object) -> set[str]:
    """What a value is compared as; a list is each of its items."""
    return {str(item).casefold() for item in (value if isinstance(value, list) else [value])}


def _amount_test(collection: Collection, name: str, wanted: str, at: int) -> Test:
    try:
        bound = money.decimal(wanted)
    except ArithmeticError:
        raise Refusal(400, "InvalidQueryParameter", f"The value {wanted!r} of {name} is not a number") from None
    sign = _AMOUNTS[name]
    return lambda row: (money.decimal(collection.value(row, at, ("amount",))) - bound) * sign >= 0


def _refuse_unknown_status(resource: Resource, choices: set[str]) -> None:
    """Statuses are checked where all are known; no source lists all of a broker transaction's."""
    lifecycle = resource.lifecycle
    if lifecycle is None or resource.name == "broker_transactions":
        return
    if choices <= {status.casefold() for status in lifecycle.statuses}:
        return
    valid = [status.upper() for status in lifecycle.statuses]
    helps: dict[str, object] = {"customers": {"validCustomerStatus": valid}, "accounts": {"allowedFilterValues": valid}}
    raise Refusal(400, "InvalidQueryParameter", "The status filter is not valid", helps.get(resource.name))
