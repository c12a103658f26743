"""Table accounts: counts, digests and sums of rows with typed columns, and the same by status and currency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_nexus.extract.account import Account
from airflow_provider_nexus.extract.totals import Totals, group_of
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.manifest import GroupTotals, Manifest


class Grouping:
    """Finds the group and the amounts of a row of a table.

    :param table: of a resource with a totals endpoint
    """

    def __init__(self, table: Table) -> None:
        resource = table.resource
        self.amounts = {path: table.by_path[path].name for path in resource.totals_fields.values()}
        """Wire name of each amount -> its column."""
        self.status, self.currency = table.status, table.by_path[".".join(resource.fiat_code)].name
        self.flag = table.by_path[resource.totals_flag].name if resource.totals_flag else ""
        self.columns = tuple(name for name in (self.status, self.currency, self.flag, *self.amounts.values()) if name)
        """All columns that matter."""
        self._places = [table.place(name) for name in self.columns]

    def count(self, totals: Totals, row: Sequence[Any], sign: int = 1) -> None:
        """Add a row to totals, or with ``sign=-1`` take it away."""
        self.count_values(totals, [row[place] for place in self._places], sign)

    def count_values(self, totals: Totals, values: Sequence[Any], sign: int = 1) -> None:
        """Add a row to totals of which only the columns that matter are known, in their order."""
        status, currency, *rest = values
        flag = bool(rest.pop(0)) if self.flag else None
        signed = [value if value is None or sign > 0 else value.copy_negate() for value in rest]
        totals.add(group_of(status, currency, flag), sign, dict(zip(self.amounts, signed, strict=True)))


class TableAccount(Account[TableRow]):
    """The account of rows of a table, with their contents and, where Nexus has totals, counts and sums by group.

    :param table: whose rows they are
    :param stored: the manifest of a folder, or of a load, to go on from; by default from nothing
    """

    def __init__(self, table: Table, stored: Manifest | None = None) -> None:
        super().__init__(table.resource.name, stored.dump() if stored else None)
        resource = table.resource
        place = {path: table.place(column.name) for path, column in table.by_path.items()}
        fiat, crypto = (place.get(".".join(code)) for code in (resource.fiat_code, resource.crypto_code))
        self._amounts = [
            (".".join(path), place[".".join(path)], fiat if field.unit == "fiat" else crypto)
            for path, field in resource.schema.amounts()
        ]
        self._grouping = Grouping(table) if resource.totals_path else None
        self._totals = stored.group_totals if stored else Totals()

    def add(self, item: TableRow, sign: int = 1) -> None:
        """Count a row, or with ``sign=-1`` take it away."""
        amounts = [
            (name, (item[currency] or "") if currency is not None else "", item[place])
            for name, place, currency in self._amounts
            if item[place] is not None
        ]
        self.count(item[0], amounts, sign)
        self.contents.add(item[3], sign)
        if self._grouping:
            self._grouping.count(self._totals, item, sign)

    def members(self) -> dict[str, Any]:
        """The members of a manifest that describe the rows of a folder."""
        grouped = {"totals": [GroupTotals(**each) for each in self._totals.dump()]} if self._grouping else {}
        return {**super().members(), "content": self.contents.digest, **grouped}
