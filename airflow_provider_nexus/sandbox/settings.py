"""The settings of the sandbox: how much data there is, and in which ways the server misbehaves.

The defaults are a well-behaved server. Every other value is one that the known facts of the API allow (fact sheet,
section 7), or a fault.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from airflow_provider_nexus.sandbox.faults import Fault


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """All settings. Times are virtual unless said otherwise.

    :param seed: the same seed and ``now`` give the same bytes
    :param customers: customers made from ``now - days`` till ``now``
    :param transactions: transactions of the same span; other kinds are a fixed share of them
    :param days: length of the span
    :param now: where the clock starts; ``None`` is the real time, cut to the second
    :param clock_speed: virtual seconds per real second; 0 stands still
    :param seconds_per_call: the clock moves this much after every API call
    :param sort: ``ignored`` always lists newest first, whatever ``sortBy`` and ``sortDirection`` say
    :param since_inclusive: whether a row with exactly the lower bound's stamp is listed
    :param until_inclusive: whether a row with exactly the upper bound's stamp is listed. Bounds are compared with the
        true stamp, which may have a fraction of a second that is not displayed
    :param default_limit: page size where none is asked for
    :param max_limit: larger page sizes are cut to this without a word
    :param page_zero: what ``page=0`` does
    :param ties: ``shuffled`` lists rows of one true stamp in another order at every call
    :param tie_seconds: creation stamps are cut to multiples of this; 0 leaves them as they fall
    :param late_share: share of rows that become visible later than their stamp says
    :param late_seconds: by up to this much
    :param late_mode: ``after_created`` counts from the row's own stamp; ``while_reading`` from the moment that the data
        was made (the start, a reset, or a change of a ``late_`` or ``delete_`` setting), so rows turn up in old windows
    :param delete_share: share of rows that are deleted
    :param delete_seconds: within this much of the moment that the data was made
    :param arrivals_per_hour: new transactions per hour; ``None`` goes on as densely as the span, 0 is none. Other kinds
        follow in proportion
    :param total_error: added to every ``total``
    :param filters: ``ignored`` takes no notice of date filters
    :param api_version_required: 400 without an ``api_version`` header
    :param classic: whether the classic generation (surface A) is offered
    :param casp: whether the CASP generation (surface B) is offered
    :param past_last_page: what a page past the last one answers
    :param token_expires: when all tokens stop working
    :param roles: further tokens, each with its roles out of ``read`` and ``write``
    :param denial_body: body of a 401 or 403
    :param duplicate_status: status of creating what exists already
    :param faults: what goes wrong; see :class:`~airflow_provider_nexus.sandbox.faults.Fault`
    :param unknown_fields: records carry a field that no schema knows
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
    api_version_required: bool = False
    classic: bool = True
    casp: bool = True
    past_last_page: Literal["empty", "error"] = "empty"
    token_expires: datetime | None = None
    roles: Mapping[str, Collection[str]] = field(default_factory=lambda: MappingProxyType({}))
    denial_body: Literal["empty", "envelope", "html"] = "empty"
    duplicate_status: Literal[400, 409] = 400
    faults: tuple[Fault, ...] = ()
    unknown_fields: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "faults", tuple(self.faults))
        self._check_choices()
        self._check_numbers()
        for name in ("now", "token_expires"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} needs a time zone: {moment.isoformat()}")
        unknown = {role for roles in self.roles.values() for role in roles} - {"read", "write"}
        if unknown:
            raise ValueError(f"unknown roles {', '.join(sorted(unknown))}: known are read and write")

    def _check_choices(self) -> None:
        for name, hint in _HINTS.items():
            if get_origin(hint) is Literal and getattr(self, name) not in get_args(hint):
                choices = ", ".join(repr(choice) for choice in get_args(hint))
                raise ValueError(f"{name} is {getattr(self, name)!r}: use one of {choices}")

    def _check_numbers(self) -> None:
        for name in (
            "customers",
            "transactions",
            "tie_seconds",
            "late_seconds",
            "delete_seconds",
            "clock_speed",
            "seconds_per_call",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} can't be negative: {getattr(self, name)}")
        for name in ("late_share", "delete_share"):
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

    def replace(self, **changes: Any) -> SandboxSettings:
        """A copy with other values.

        :raises ValueError: for an unknown name, naming the nearest, or a value that makes no sense
        """
        refuse_unknown(changes)
        return dataclasses.replace(self, **changes)


_HINTS = get_type_hints(SandboxSettings)


def refuse_unknown(names: Collection[str]) -> None:
    """Raise ``ValueError`` for a name that is no setting."""
    known = [each.name for each in dataclasses.fields(SandboxSettings)]
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
            raise ValueError(f"unknown sandbox setting {name!r}: {hint}")
