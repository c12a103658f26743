"""Rows of proved windows that another program has deleted, added or changed: what a load puts right of them is counted anew.

A window is looked at when rows come into it or leave it although it was read whole before, or when rows go that were edited. Its
digest shows whether it is as its manifest says; if not, the books go on from the rows that are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.account import Digest, Grouping
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.delta.effects import Effects
from airflow_provider_nexus.load.delta.files import contents_of, current_rows, digest_of_rows
from airflow_provider_nexus.load.delta.merge import DeltaMerge, meets
from airflow_provider_nexus.load.delta.table import DataFile, by_month
from airflow_provider_nexus.load.manifest import Manifest
from airflow_provider_nexus.load.parquet.batches import Batch, inside, rows_of


class Mend:
    """Puts the books of one load right, whose merge has been run.

    :param source: the resource's columns
    :param columns: those of the files
    :ivar repaired: rows that were put right
    :ivar versions: those of a history from now on, where they had to be counted anew
    """

    def __init__(self, folder: Any, source: Table, columns: Table, merge: DeltaMerge, effects: Effects) -> None:
        self._folder, self._source, self._columns, self._merge, self._effects = folder, source, columns, merge, effects
        self._damaged = list[Window]()
        self.repaired = 0
        self.versions: Digest | None = None

    def run(self, own: Window | None, former: Manifest | None) -> None:
        """Look at all windows that rows came into, or left, and at the one that was read whole, by its manifest before."""
        counts, repaired = self._effects.counts, self._merge.edited
        if own and former and self._correct(own, self._merge.found, former):
            repaired += counts["inserted"] + counts["deleted"] or counts["updated"]
        for window, patched in self._effects.patched():
            is_doubtful = patched.shifted or self._merge.edited
            if is_doubtful and (self._correct(window, self._found(window), patched.stored) or self._merge.edited):
                patched.recount(self._rows(self._merge.after, window, [column.name for column in self._source.columns]))
                repaired += patched.shifted
        if self._merge.edited:  # it is not known what they were, and so of which month
            self._damaged.append(ALL_TIME)
        self.repaired = self._merge.twice
        if self._damaged:
            self.repaired += max(1, min(repaired, sum(counts.values())))
            self._effects.recount(self._months())
            if self._merge.is_history:
                self.versions = digest_of_rows(self._folder, self._merge.after, self._columns)

    def _correct(self, window: Window, found: Digest, manifest: Manifest) -> bool:
        """Whether a window was not as its manifest says; the state goes on from what was found then."""
        stated = Digest.of(manifest.records, manifest.content)
        if found == stated:
            return False
        if not any(window.meets(each) for each in self._damaged):
            self._effects.state = self._effects.state.plus(found).plus(Digest(-stated.records, -stated.total))
        self._damaged.append(window)
        return True

    def _found(self, window: Window) -> Digest:
        """The rows of a window before the load, each record once."""
        found, keys = Digest(), set[str]()
        for batch in self._rows(self._merge.before, window, ["_key", "_content"]):
            for key, content in zip(batch["_key"].to_pylist(), contents_of(batch), strict=True):
                if key not in keys:
                    keys.add(key)
                    found.add_all([content])
        return found

    def _rows(self, files: Sequence[DataFile], window: Window, names: Sequence[str]) -> Iterator[Batch]:
        wanted = [*names, *([self._source.created] if self._source.created and self._source.created not in names else [])]
        # A version that was edited may lie where the later ones of its record don't.
        is_anywhere = self._merge.is_history and self._merge.edited
        near = [file for file in files if is_anywhere or meets(window, file)]
        for batch in current_rows(self._folder, near, self._columns, wanted):
            yield inside(batch, self._source.created, window).select(list(names))

    def _months(self) -> Iterator[tuple[str, Totals]]:
        """Counts and sums of the months that the windows lie in, as they are from now on."""
        if not self._source.resource.totals_path:
            return
        grouping, months = Grouping(self._source), by_month(self._merge.after)
        for month in sorted(months.keys() | self._effects.months.keys()):
            if any(each == ALL_TIME or f"{each.start:%Y-%m}" <= month <= f"{each.end:%Y-%m}" for each in self._damaged):
                totals = Totals()
                for batch in current_rows(self._folder, months.get(month, []), self._columns, grouping.columns):
                    grouping.count(totals, rows_of(batch))
                yield month, totals
