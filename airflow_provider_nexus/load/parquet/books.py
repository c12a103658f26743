"""What the manifest of a typed window says of its rows: counts, digests, sums. Kept up to date row by row."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Row
from airflow_provider_nexus.load.manifest import GroupTotals, Manifest
from airflow_provider_nexus.load.totals import Amounts, Grouping, Sum


class Books:
    """Counts rows.

    :param table: whose rows they are
    :param manifest: to go on from; by default from nothing
    """

    def __init__(self, table: Table, manifest: Manifest | None = None) -> None:
        self._keys = Sum.of(manifest.records, manifest.key_digest) if manifest else Sum()
        self._contents = Sum.of(manifest.records, manifest.content) if manifest else Sum()
        self._amounts = Amounts(table, manifest.sums if manifest else None)
        self._grouping = Grouping(table) if table.resource.totals_path else None
        self._totals = manifest.group_totals if manifest else Totals()

    def enter(self, row: Row, sign: int = 1) -> None:
        """Count a row, or with ``sign=-1`` take it away."""
        self._keys.add(hashlib.sha256(row[0].encode()).hexdigest(), sign)
        self._contents.add(row[3], sign)
        self._amounts.add(row, sign)
        if self._grouping:
            self._grouping.count(self._totals, row, sign)

    def members(self) -> dict[str, Any]:
        """The members of the manifest that tell of the rows."""
        return {
            "records": self._keys.records,
            "key_digest": self._keys.digest,
            "content": self._contents.digest,
            "sums": self._amounts.dump(),
            **({"totals": [GroupTotals(**each) for each in self._totals.dump()]} if self._grouping else {}),
        }
