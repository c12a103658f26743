"""The settings of the sandbox: how much data there is, and in which ways the server misbehaves.

The defaults are a well-behaved server. Every other value is one that the known facts of the API allow
(docs/api_facts.rst, Open questions), or a fault.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from airflow_provider_nexus.api.codes import did_you_mean
from airflow_provider_nexus.api.resource import words
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.sandbox.faults import Fault

_NOT_NEGATIVE = ["customers", "transactions", "tie_seconds", "late_seconds", "delete_seconds", "clock_speed", "seconds_per_call"]
_MISFITS = ("digits", "date", "amount")
OTHER_SHAPES = words("trade_pairs exchanges trade_pair_updated bank_country bank_id document_names transaction_sort trace_pages")
"""Names for the setting ``other_shapes``; the page on the sandbox explains each."""
WRONG_BOOKS = words("lost_mutation lost_ledger_entry doubled_fee price_of_another_day")
"""Names for the setting ``wrong_books``; the page on the sandbox explains each."""
_NAMES = {field.name.lower(): field.name for resource in RESOURCES.values() for field in resource.schema.fields}
_FILTERS = {name for resource in RESOURCES.values() for name in resource.filters}
_NEEDED = {resource.key[0].lower() for resource in RESOURCES.values() if len(resource.key) == 1} | {
    stamp.lower()
    for resource in RESOURCES.values()
    for stamp in (resource.created.stamp if resource.created else "", resource.stamp)
}


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """All settings. Times are virtual, unless real ones are named.

    :param seed: the same seed and ``now`` give the same bytes
    :param customers: customers made from ``now - days`` till ``now``
    :param transactions: transactions of the same span; other kinds are a fixed share of them
    :param days: length of the span
    :param now: where the clock starts; ``None`` is the real time, cut to the second
    :param clock_speed: virtual seconds per real second; 0 for a clock that does not move
    :param seconds_per_call: the clock moves this much after every API call
    :param sort: ``ignored`` always lists newest first, whatever ``sortBy`` and ``sortDirection`` say
    :param since_inclusive: whether a row with exactly the lower bound's stamp is listed
    :param until_inclusive: whether a row with exactly the upper bound's stamp is listed. Bounds are compared with the
        true stamp, which may have a fraction of a second that is not displayed
    :param default_limit: page size where none is asked for
    :param max_limit: larger page sizes are cut to this without a word
    :param page_zero: what ``page=0`` does
    :param ties: ``shuffled`` lists rows of one true stamp in another order at every call
    :param tie_seconds: creation stamps are cut to multiples of this; 0 for no cut
    :param late_share: share of rows that become visible later than their stamp
    :param late_seconds: by up to this much
    :param late_mode: ``after_created`` counts from the row's own stamp; ``while_reading`` from the moment that the data
        was made (the start, a reset, or a change of a ``late_`` or ``delete_`` setting), so rows turn up in old windows
    :param delete_share: share of rows that are deleted
    :param delete_seconds: within this much of the moment that the data was made
    :param arrivals_per_hour: new transactions per hour; ``None`` goes on as densely as the span, 0 is none. Other kinds
        follow in proportion
    :param total_error: added to every ``total``
    :param filters: ``ignored`` takes no notice of date filters
    :param ignored_filters: other query names, such as ``status`` or ``isSettled``, that lists and totals take no notice of
    :param api_version_required: 400 without an ``api_version`` header
    :param classic: whether the classic generation (surface A) is offered
    :param casp: whether the CASP generation (surface B) is offered
    :param past_last_page: what a page past the last one answers
    :param token_expires: when all tokens stop working
    :param roles: further tokens, each with its roles out of ``read`` and ``write``
    :param revoked: tokens that are not taken any more
    :param denial_body: body of a 401 or 403
    :param duplicate_status: status of creating what exists already
    :param faults: what goes wrong; see :class:`~airflow_provider_nexus.sandbox.faults.Fault`
    :param unknown_fields: records carry a field that no schema knows
    :param removed_fields: wire names, in any case, of top-level fields that the records of lists and single answers do not
        carry. A key or a creation stamp can't be removed; a name that is part of a longer key stays where it is that
    :param lives: how long transactions of both generations, orders and transfers go on changing. ``short`` is minutes to six
        days. ``long``: 80 % end within 1.4 to 43 minutes, 14 % within 3 days, 5 % between 3 and 20 days, 1 % between 20 and
        45 days; 3 % end cancelled without a ``finished`` stamp, and 1 % of the others are taken back 0.1 to 25 days after
        their end without a new stamp (``BuyRefunded``, ``SellReturned``, elsewhere ``CANCELLED``). What is written over the
        API settles in minutes, orders and transfers excepted
    :param amounts: ``usual`` amounts are of a size that people trade, from some euros to some 10,000, half of them below 250, and
        have the decimals of their currency. With ``awkward``, one trade in 13 has one that programs get wrong: the noise of
        binary fractions, an exponent, zero, or 12 digits before the point
    :param payouts: ``awaited``: sells of custodian customers that were made within six hours before ``now``, or later, stay in
        ``ToPayout`` until they are paid out
    :param other_shapes: what no source has seen on the wire and is otherwise here than it is declared: any of
        ``trade_pairs``, ``exchanges``, ``trade_pair_updated``, ``bank_country``, ``bank_id``, ``document_names``,
        ``transaction_sort``, ``trace_pages``
    :param sanctioned: names and addresses that are on a sanction list, the first one on the first list and so on. A search finds
        them in any case; a fuzzy one also with their words in another order
    :param misfit_share: share of rows with amounts or times, of every collection, that do not fit their schema
    :param misfits: in which ways: ``digits`` is an amount of 40 significant digits, ``date`` a time other than the creation
        stamp that is no date, ``amount`` an amount that is the text ``n/a``. A row has one of those that its fields allow.
        Filters, sorting and totals go by the values beneath, but totals add up the 40 digits as they are shown
    :param wrong_books: what balances and reserves have wrong, once each, in the second half of the span: any of
        ``lost_mutation`` (a completed transaction is not in the balances), ``lost_ledger_entry`` (an entry of the hot wallet's
        ledger is not in the hot wallet), ``doubled_fee`` and ``price_of_another_day`` (an exchange has booked the fee of an
        order twice, or its value at the price of the day before)
    :raises ValueError: for a value that makes no sense
    """

    seed: int = 1
    customers: int = 200
    transactions: int = 2000
    days: int = 30
    now: datetime | None = None
    clock_speed: float = 1.0
    seconds_per_call: float = 0.0
    sort: Literal["honoured", "ignored"] = "honoured"
    since_inclusive: bool = True
    until_inclusive: bool = False
    default_limit: int = 50
    max_limit: int | None = None
    page_zero: Literal["error", "first"] = "error"
    ties: Literal["stable", "shuffled"] = "stable"
    tie_seconds: int = 0
    late_share: float = 0.0
    late_seconds: float = 0.0
    late_mode: Literal["after_created", "while_reading"] = "after_created"
    delete_share: float = 0.0
    delete_seconds: float = 0.0
    arrivals_per_hour: float | None = None
    total_error: int = 0
    filters: Literal["honoured", "ignored"] = "honoured"
    ignored_filters: Collection[str] = ()
    api_version_required: bool = False
    classic: bool = True
    casp: bool = True
    past_last_page: Literal["empty", "error"] = "empty"
    token_expires: datetime | None = None
    roles: Mapping[str, Collection[str]] = field(default_factory=lambda: MappingProxyType({}))
    revoked: Collection[str] = ()
    denial_body: Literal["empty", "envelope", "html"] = "empty"
    duplicate_status: Literal[400, 409] = 400
    faults: tuple[Fault, ...] = ()
    unknown_fields: bool = False
    removed_fields: Collection[str] = ()
    lives: Literal["short", "long"] = "short"
    amounts: Literal["usual", "awkward"] = "usual"
    payouts: Literal["automatic", "awaited"] = "automatic"
    other_shapes: Collection[str] = ()
    sanctioned: Collection[str] = ()
    misfit_share: float = 0.0
    misfits: Collection[Literal["digits", "date", "amount"]] = ("digits", "date", "amount")
    wrong_books: Collection[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "faults", tuple(self.faults))
        for name in ("misfits", "removed_fields", "ignored_filters", "other_shapes", "revoked", "sanctioned", "wrong_books"):
            if isinstance(value := getattr(self, name), str):
                raise ValueError(f"{name} is a list, not {value!r}")  # noqa: TRY004
            object.__setattr__(self, name, tuple(value))
        self._check_kinds()
        self._check_numbers()
        self._check_shapes()
        for name in ("now", "token_expires"):
            moment = getattr(self, name)
            if moment is None:
                continue
            if moment.tzinfo is None:
                raise ValueError(f"{name} needs a time zone: {moment.isoformat()}")
            # pendulum's moments give lengths of time of a kind of their own
            object.__setattr__(self, name, datetime.fromisoformat(moment.isoformat()))
        _refuse_others("roles", {role for roles in self.roles.values() for role in roles}, ("read", "write"))

    def _check_kinds(self) -> None:
        """Numbers, switches and moments are of their kinds, and texts are one of their choices."""
        for name, hint in _HINTS.items():
            value, kinds = getattr(self, name), get_args(hint) or (hint,)
            if get_origin(hint) is Literal and value not in kinds:
                raise ValueError(f"{name} is {value!r}: use one of {', '.join(map(repr, kinds))}")
            if all(kind in _PLAIN for kind in kinds) and not any(_is_of(value, kind) for kind in kinds):
                raise ValueError(f"{name} is {value!r}: give {' or '.join(_PLAIN[kind] for kind in kinds)}")

    def _check_numbers(self) -> None:
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} can't be negative: {getattr(self, name)}")
        for name in ("late_share", "delete_share", "misfit_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1: {getattr(self, name)}")
        if self.days < 1 or self.default_limit < 1 or (self.max_limit is not None and self.max_limit < 1):
            raise ValueError("days, default_limit and max_limit are at least 1")
        if self.transactions and not self.customers:
            raise ValueError("transactions need customers: set customers to 1 or more")
        if self.arrivals_per_hour is not None and not 0 <= self.arrivals_per_hour <= 3_600_000:
            raise ValueError(f"arrivals_per_hour lies between 0 and 3,600,000: {self.arrivals_per_hour}")
        if max(self.customers, self.transactions) > self.days * 86_400_000:
            raise ValueError("more than one row a millisecond: use more days")

    def _check_shapes(self) -> None:
        _refuse_others("misfits", self.misfits, _MISFITS)
        _refuse_others("other_shapes", self.other_shapes, OTHER_SHAPES)
        _refuse_others("wrong_books", self.wrong_books, WRONG_BOOKS)
        for name in sorted(set(self.ignored_filters) - _FILTERS):
            raise ValueError(f"no list has a filter {name!r} to be ignored: see the catalogue for those there are")
        for name in self.removed_fields:
            if name.lower() in _NEEDED:
                raise ValueError(f"{name} can't be removed: it is a key or a creation stamp")
            if name.lower() not in _NAMES:
                hint = did_you_mean(name, _NAMES.values(), "see the data dictionary")
                raise ValueError(f"no record has a field {name!r} to be removed: {hint}")

    def replace(self, **changes: Any) -> SandboxSettings:
        """A copy with other values; ``ValueError`` for an unknown name, naming the nearest, or a value that makes no sense."""
        refuse_unknown(changes)
        return dataclasses.replace(self, **changes)


def _refuse_others(name: str, given: Collection[str], known: Sequence[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"unknown {name} {', '.join(unknown)}: known are {', '.join(known[:-1])} and {known[-1]}")


_HINTS = get_type_hints(SandboxSettings)
_PLAIN = {int: "a whole number", float: "a number", bool: "true or false", datetime: "a moment", type(None): "nothing"}


def _is_of(value: object, kind: type) -> bool:
    """Python takes true for a number, and a whole number is good for any other."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def refuse_unknown(names: Collection[str]) -> None:
    """Raise ``ValueError`` for a name that is no setting."""
    known = [each.name for each in dataclasses.fields(SandboxSettings)]
    for name in names:
        if name not in known:
            raise ValueError(f"unknown sandbox setting {name!r}: {did_you_mean(name, known)}")


def from_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON has them: moments as ISO 8601, faults as objects; ``ValueError`` for one that is none."""
    settings = dict(values)
    for name in ("now", "token_expires"):
        if isinstance(text := settings.get(name), str):
            try:
                settings[name] = datetime.fromisoformat(text)
            except ValueError:
                raise ValueError(f"{name} is {text!r}: give a moment such as 2026-03-01T00:00:00Z") from None
    if "faults" in settings:
        settings["faults"] = tuple(map(_fault, settings["faults"]))
    return settings


def _fault(members: Any) -> Fault:
    try:
        return Fault(**members)
    except TypeError as error:
        raise ValueError(f"faults: {members!r} is none: {error}") from None
