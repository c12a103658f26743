"""What was delivered, counted: records, a digest of their keys, exact sums per currency, counts per status."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, Overflow
from typing import Any

from airflow_provider_nexus.api.rows import Row, RowReader

_EXACT = Context(prec=2000, traps=[Inexact, Overflow])
_MODULUS = 1 << 256


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
    _digest: int = 0

    def add(self, row: Row) -> None:
        """Count a row."""
        self.records += 1
        self.first = self.first or row
        self.last = row
        self._digest = (self._digest + int.from_bytes(hashlib.sha256(row.key.encode()).digest())) % _MODULUS
        for name, currency, value in self.reader.amounts(row):
            place = (name, currency)
            self.sums[place] = _EXACT.add(self.sums.get(place, Decimal()), value)

    @property
    def key_digest(self) -> str:
        """A digest of the set of keys that does not depend on their order: the sum of their SHA-256, modulo 2^256."""
        return f"sha256-sum:{self._digest:064x}"

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
        self._reader, self._fields = reader, {amount: total for total, amount in fields.items()}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.sums: dict[tuple[str, str, str], Decimal] = {}

    def add_all(self, rows: list[Row]) -> None:
        """Count rows."""
        for row in rows:
            self._add(row)

    def _add(self, row: Row) -> None:
        status, currency = self._reader.status(row), self._reader.currency(row)
        self.counts[status, currency] += 1
        for name, _, value in self._reader.amounts(row):
            if name in self._fields:
                place = (status, currency, self._fields[name])
                self.sums[place] = _EXACT.add(self.sums.get(place, Decimal()), value)

    def differences(self, totals: list[dict[str, Any]]) -> list[str]:
        """Where the API's totals say something else, one line each.

        :param totals: rows of the totals endpoint, numbers as ``Decimal``
        """
        counts: Counter[tuple[str, str]] = Counter()
        sums: dict[tuple[str, str, str], Decimal] = {}
        for total in totals:
            folded = {name.lower(): value for name, value in total.items()}
            place = (str(folded.get("status") or "").upper(), str(folded.get("currencycode") or ""))
            counts[place] += int(folded.get("transactioncount") or 0)
            for name in self._fields.values():
                sums[*place, name] = _EXACT.add(sums.get((*place, name), Decimal()), Decimal(folded.get(name.lower()) or 0))
        found = [_line("count", place, self.counts[place], counts[place]) for place in {*counts, *self.counts}]
        found += [
            _line("sum", place, self.sums.get(place, Decimal()), sums.get(place, Decimal())) for place in {*sums, *self.sums}
        ]
        return sorted(line for line in found if line)


def _line(what: str, place: tuple[str, ...], delivered: Decimal | int, said: Decimal | int) -> str:
    return "" if delivered == said else f"{what} of {' '.join(place)}: {delivered} delivered, {said} in the totals"
