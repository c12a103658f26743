"""What the amounts of a table's rows add up to, by field and currency, kept up to date row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from airflow_provider_nexus.sync.table.columns import Table
from airflow_provider_nexus.sync.table.totals import EXACT


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
