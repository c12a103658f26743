"""What was delivered, counted: records, a digest of their keys, exact sums per currency, counts per status."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.totals import EXACT, Group, Totals, group_of, said

_MODULUS = 1 << 256


class DigestOfSet:
    """A digest of a set of texts that does not depend on their order: the sum of their SHA-256, modulo 2^256."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, text: bytes) -> None:
        """Count a text in."""
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(text).digest())) % _MODULUS

    @property
    def said(self) -> str:
        """The digest, and how it is made."""
        return f"sha256-sum:{self._sum:064x}"


@dataclass
class Tally:
    """A running count of one reading.

    :param reader: reads amounts and status of the resource's rows
    """

    reader: RowReader
    records: int = 0
    first: Row | None = None
    last: Row | None = None
    sums: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """Exact sums by field and currency."""
    _keys: DigestOfSet = field(default_factory=DigestOfSet)

    def add(self, row: Row) -> None:
        """Count a row.

        :raises NexusDataError: when an amount is no finite number, or none that can be added up exactly
        """
        amounts = self.reader.amounts(row)
        self.records += 1
        self._keys.add(row.key.encode())
        for name, currency, value in amounts:
            self._sum((name, currency), value, row)
        self.first = self.first or row
        self.last = row

    def _sum(self, place: tuple[str, str], value: Decimal, row: Row) -> None:
        try:
            self.sums[place] = EXACT.add(self.sums.get(place, Decimal()), value)
        except ArithmeticError:
            text = f"a number that can be added up in {EXACT.prec:,} digits"
            raise NexusDataError(self.reader.resource.name, row.key, place[0], "an amount", text) from None

    @property
    def key_digest(self) -> str:
        """A digest of the set of keys that does not depend on their order."""
        return self._keys.said

    @property
    def sums_by_field(self) -> dict[str, dict[str, str]]:
        """The sums as plain digits, by field, then by currency."""
        out: dict[str, dict[str, str]] = {}
        for (name, currency), value in sorted(self.sums.items()):
            out.setdefault(name, {})[currency] = f"{value:f}"
        return out


class TotalsTally:
    """The same sums that the API's totals endpoint gives, per status and currency.

    :param reader: reads amounts and status of the resource's rows
    :param fields: wire name of a sum in the totals -> wire name of the amount that it adds up
    """

    def __init__(self, reader: RowReader, fields: Mapping[str, str]) -> None:
        self._reader, self._fields = reader, dict(fields)
        self.totals = Totals()
        self._flawed: set[Group] = set()

    def add_all(self, rows: list[Row]) -> None:
        """Count rows."""
        for row in rows:
            self._add(row)

    def _add(self, row: Row) -> None:
        group = group_of(self._reader.status(row), self._reader.currency(row), None)
        amounts = self._amounts(row)
        if amounts is None:
            self._flawed.add(group)
        self.totals.add(group, 1, amounts or {})

    def _amounts(self, row: Row) -> dict[str, Decimal] | None:
        """The amounts to add up; ``None`` when one of the record's can't be read."""
        try:
            found = self._reader.amounts(row)
        except NexusDataError:
            return None
        return None if row.flaw else {name: value for name, _, value in found if name in self._fields.values()}

    def differences(self, answer: list[dict[str, Any]]) -> list[str]:
        """Where the API's totals say something else, one line each.

        Sums of a group that holds an amount which can't be read are not compared, its count is.

        :param answer: rows of the totals endpoint, numbers as ``Decimal``
        """
        theirs = said(answer, self._fields)
        groups = {*self.totals.counts, *theirs.counts}
        found = [_line("count", group, self.totals.counts.get(group, 0), theirs.counts.get(group, 0)) for group in groups]
        for group in groups - self._flawed:
            mine, other = self.totals.sums.get(group, {}), theirs.sums.get(group, {})
            found += [
                _line(f"{amount} in the sum", group, mine.get(amount, Decimal()), other.get(amount, Decimal()))
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


def _line(what: str, group: Group, delivered: Decimal | int, said: Decimal | int) -> str:
    return "" if delivered == said else f"{what} of {group[0]} {group[1]}: {delivered} delivered, {said} in the totals"
