"""Counts and exact sums per status and currency, of rows of a table and of what the API's totals endpoint says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_nexus.extract.totals import EXACT, Totals, group_of
from airflow_provider_nexus.load.columns import Table


class Grouping:
    """Tells the group and the amounts of a row of a table.

    :param table: of a resource with a totals endpoint
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        names = [column.name for column in table.columns]
        resource = table.resource
        self.amounts = {path: table.by_path[path].name for path in resource.totals_fields.values()}
        """Wire name of each amount -> its column."""
        self.status, self.currency = table.status, table.by_path[".".join(resource.fiat_code)].name
        self.flag = table.by_path[resource.totals_flag].name if resource.totals_flag else ""
        self.columns = tuple(name for name in (self.status, self.currency, self.flag, *self.amounts.values()) if name)
        """All columns that matter."""
        self._places = [names.index(name) for name in self.columns]

    def count(self, totals: Totals, row: Sequence[Any], sign: int = 1) -> None:
        """Add a row to totals, or with ``sign=-1`` take it away."""
        self.count_values(totals, [row[place] for place in self._places], sign)

    def count_values(self, totals: Totals, values: Sequence[Any], sign: int = 1) -> None:
        """Add a row to totals of which only the columns that matter are known, in their order."""
        status, currency, *rest = values
        flag = bool(rest.pop(0)) if self.flag else None
        signed = [value if value is None or sign > 0 else value.copy_negate() for value in rest]
        totals.add(group_of(status, currency, flag), sign, dict(zip(self.amounts, signed, strict=True)))


_MODULUS = 1 << 256
_MARK = "sha256-sum:"


@dataclass
class Sum:
    """A count of rows, and a digest of their contents that does not depend on their order: the sum modulo 2^256."""

    records: int = 0
    total: int = 0

    def add(self, content: str, sign: int = 1) -> None:
        """Count a row, or with ``sign=-1`` take it away.

        :param content: SHA-256 in hex
        """
        self.records += sign
        self.total = (self.total + sign * int(content, 16)) % _MODULUS

    @property
    def digest(self) -> str:
        """The digest as text."""
        return f"{_MARK}{self.total:064x}"

    @classmethod
    def of(cls, records: int, digest: str) -> Sum:
        """What was stored."""
        return cls(records, int(digest.removeprefix(_MARK), 16))


class Amounts:
    """Exact sums.

    :param table: whose rows are added
    :param sums: as a manifest has them: field -> currency -> digits
    """

    def __init__(self, table: Table, sums: Mapping[str, Mapping[str, str]] | None = None) -> None:
        names = [column.name for column in table.columns]
        place = {path: names.index(column.name) for path, column in table.by_path.items()}
        resource = table.resource
        fiat, crypto = (place.get(".".join(code)) for code in (resource.fiat_code, resource.crypto_code))
        self._places = [
            (".".join(path), place[".".join(path)], fiat if field.unit == "fiat" else crypto)
            for path, field in resource.schema.amounts()
        ]
        self._sums = {(name, code): Decimal(value) for name, held in (sums or {}).items() for code, value in held.items()}

    def add(self, row: Sequence[Any], sign: int = 1) -> None:
        """Add a row, or with ``sign=-1`` take it away."""
        for at, value in self._of(row):
            self._sums[at] = EXACT.add(self._sums.get(at, Decimal()), value if sign > 0 else value.copy_negate())

    def _of(self, row: Sequence[Any]) -> Iterator[tuple[tuple[str, str], Decimal]]:
        for name, value, currency in self._places:
            if row[value] is not None:
                yield (name, (row[currency] or "") if currency is not None else ""), row[value]

    def dump(self) -> dict[str, dict[str, str]]:
        """The sums as plain digits, by field, then by currency."""
        out: dict[str, dict[str, str]] = {}
        for (name, currency), value in sorted(self._sums.items()):
            out.setdefault(name, {})[currency] = f"{value:f}"
        return out
