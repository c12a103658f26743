"""Counts and exact sums by status and currency: of records, and as the totals endpoint gives them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, Overflow, localcontext
from typing import Any

from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.exceptions import NexusDataError

EXACT = Context(prec=2000, traps=[Inexact, Overflow])
"""Adds without ever rounding."""

_MOST = 10**18
"""No count is greater. A number of a few characters can have a thousand million digits."""

_ZERO = Decimal()
Group = tuple[str, str, bool | None]
"""Status in upper case, currency, and the flag that the totals can be asked by (``None`` where there is none)."""


@dataclass
class Totals:
    """Counts and sums by group.

    :param counts: records of each group
    :param sums: group -> wire name of an amount -> exact sum
    """

    counts: dict[Group, int] = field(default_factory=dict)
    sums: dict[Group, dict[str, Decimal]] = field(default_factory=dict)

    def add(self, group: Group, count: int, sums: Mapping[str, Decimal | None]) -> None:
        """Add records of a group; a negative count with negative sums takes them away again."""
        self.counts[group] = self.counts.get(group, 0) + count
        known = self.sums.setdefault(group, {})
        for name, value in sums.items():
            known[name] = EXACT.add(known.get(name, _ZERO), _ZERO if value is None else value)

    def merge(self, other: Totals) -> None:
        """Add all groups of another one."""
        for group, count in other.counts.items():
            self.add(group, count, other.sums.get(group, {}))

    def plus(self, other: Totals) -> Totals:
        """Those of both together."""
        both = Totals()
        both.merge(self)
        both.merge(other)
        return both

    def less(self, other: Totals) -> Totals:
        """What is left when those of a part are taken away."""
        left = self.plus(Totals())
        for group, count in other.counts.items():
            left.add(group, -count, {name: value.copy_negate() for name, value in other.sums.get(group, {}).items()})
        return left

    def cut(self, flag: bool | None) -> Totals:
        """Those of the groups that carry a flag; all with ``None``. The flag itself is left out of the groups."""
        cut = Totals()
        for (status, currency, mark), count in self.counts.items():
            if flag is None or mark is flag:
                cut.add((status, currency, None), count, self.sums[status, currency, mark])
        return cut

    def same_as(self, other: Totals) -> bool:
        """Whether all counts and all sums are equal; groups without records don't count."""
        return self._filled() == other._filled()

    def _filled(self) -> dict[Group, tuple[int, dict[str, Decimal]]]:
        sums = {group: {name: value for name, value in known.items() if value} for group, known in self.sums.items()}
        return {group: (count, sums.get(group, {})) for group, count in self.counts.items() if count}

    def dump(self) -> list[dict[str, Any]]:
        """JSON-able members, numbers as digits; for manifests."""
        found = []
        for (status, currency, flag), count in sorted(self.counts.items(), key=lambda item: str(item[0])):
            if count:
                sums = {name: f"{value:f}" for name, value in sorted(self.sums[status, currency, flag].items())}
                found.append({"status": status, "currency": currency, "flag": flag, "count": count, "sums": sums})
        return found

    @classmethod
    def load(cls, stored: Iterable[Mapping[str, Any]]) -> Totals:
        """What was dumped."""
        totals = cls()
        for each in stored:
            sums = {name: Decimal(value) for name, value in each["sums"].items()}
            totals.add((each["status"], each["currency"], each["flag"]), each["count"], sums)
        return totals


def sum_of(values: Iterable[Decimal | None]) -> Decimal:
    """An exact sum, in which nothing counts as nothing."""
    with localcontext(EXACT):  # builtin sum() is the fastest loop over decimals
        return sum([value for value in values if value is not None], _ZERO)


def group_of(status: str | None, currency: str | None, flag: bool | None) -> Group:
    """The group of values as a table stores them."""
    return ((status or "").upper(), currency or "", flag)


def totals_of(answer: Iterable[Mapping[str, Any]], fields: Mapping[str, str]) -> Totals:
    """The totals endpoint's rows.

    :param answer: numbers as ``Decimal``
    :param fields: wire name of a sum in the answer -> wire name of the amount that it adds up
    :raises NexusDataError: when a count is none, or a sum is no number that can be added up exactly
    """
    totals = Totals()
    for row in answer:
        folded = {name.lower(): value for name, value in row.items()}
        sums = {amount: _number(folded, name) for name, amount in fields.items()}
        count = _number(folded, "transactionCount")
        if count < 0 or count > _MOST or count != count.to_integral_value():
            raise _unreadable("transactionCount", count, "a count")
        group = group_of(folded.get("status"), folded.get("currencycode"), None)
        try:
            totals.add(group, int(count), sums)
        except ArithmeticError:
            text = f"numbers that can be added up in {EXACT.prec:,} digits"
            raise _unreadable(", ".join(fields), "a sum", text) from None
    return totals


class DeliveredTotals:
    """Counts and sums of the records that were delivered, to be compared with the totals endpoint.

    :param fields: wire name of a sum in the totals -> wire name of the amount that it adds up
    """

    def __init__(self, reader: RowReader, fields: Mapping[str, str]) -> None:
        self._reader, self._fields = reader, dict(fields)
        self.totals = Totals()
        self._flawed: set[Group] = set()

    def add(self, rows: Sequence[Row]) -> None:
        """Count rows. A record with an amount that can't be read counts, and its group has no sums."""
        places, decoded = defaultdict[Group, list[int]](list), self._reader.decoded(rows)
        for place, (status, currency) in enumerate(self._reader.groups(decoded)):
            places[status, currency, None].append(place)
        columns = [column for column in self._reader.columns(decoded) if column.field in self._fields.values()]
        for group, mine in places.items():
            if any(decoded[place].flaw for place in mine):
                self._flawed.add(group)
            self.totals.add(group, len(mine), {each.field: sum_of([each.values[place] for place in mine]) for each in columns})

    def differences(self, answer: list[dict[str, Any]]) -> list[str]:
        """Where the API's totals differ, one line each.

        Sums of a group with an amount that can't be read are not compared, its count is.

        :param answer: rows of the totals endpoint, numbers as ``Decimal``
        """
        theirs = totals_of(answer, self._fields)
        groups = {*self.totals.counts, *theirs.counts}
        found = [_line("count", group, self.totals.counts.get(group, 0), theirs.counts.get(group, 0)) for group in groups]
        for group in groups - self._flawed:
            mine, other = self.totals.sums.get(group, {}), theirs.sums.get(group, {})
            found += [
                _line(f"{amount} in the sum", group, mine.get(amount, _ZERO), other.get(amount, _ZERO))
                for amount in self._fields.values()
            ]
        return sorted(line for line in found if line)

    def dump(self) -> dict[str, Any]:
        """What was counted, JSON-able."""
        return {"totals": self.totals.dump(), "flawed": sorted(self._flawed, key=str)}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Go on from what was dumped."""
        self.totals = Totals.load(stored["totals"])
        self._flawed = {(status, currency, None) for status, currency, _ in stored["flawed"]}


def _line(what: str, group: Group, delivered: Decimal | int, counted: Decimal | int) -> str:
    return "" if delivered == counted else f"{what} of {group[0]} {group[1]}: {delivered} delivered, {counted} in the totals"


def _number(row: Mapping[str, Any], name: str) -> Decimal:
    """A number of the endpoint, whether it came as one or as text; nothing is zero."""
    value = row.get(name.lower())
    try:
        number = Decimal(0 if value is None else value)
    except (ArithmeticError, TypeError, ValueError):
        raise _unreadable(name, value, "a number") from None
    if isinstance(value, bool) or not number.is_finite():
        raise _unreadable(name, value, "a number")
    return number


def _unreadable(name: str, value: object, expected: str) -> NexusDataError:
    return NexusDataError("totals", "", name, str(value), expected)
