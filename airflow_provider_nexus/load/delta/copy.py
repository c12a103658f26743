"""Delta copy of a resource: one table of Delta Lake for all windows. Each load is one commit, rows and proof together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import asdict, replace

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.extract.progress import Follow, unheard
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.account import Grouping, TableAccount, TableDigests
from airflow_provider_nexus.load.collection import snapshots_of, windows_of
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Checked, Output, Sealed, Stored, TableRow
from airflow_provider_nexus.load.delta.books import BOOKS, Books, Shelf, StoredReading
from airflow_provider_nexus.load.delta.check import check
from airflow_provider_nexus.load.delta.effects import Effects
from airflow_provider_nexus.load.delta.files import current_rows
from airflow_provider_nexus.load.delta.incoming import Incoming
from airflow_provider_nexus.load.delta.library import OR_AWAY
from airflow_provider_nexus.load.delta.mend import Mend
from airflow_provider_nexus.load.delta.merge import DeltaMerge, meets
from airflow_provider_nexus.load.delta.table import PARTITIONS, DataFile, LakeTable, PartitionBy, Snapshot, VersionTable, by_month
from airflow_provider_nexus.load.manifest import Manifest, TableState
from airflow_provider_nexus.load.parquet.batches import Batch, inside, rows_of
from airflow_provider_nexus.load.publish import refuse_unproved
from airflow_provider_nexus.load.rejects import digest_of
from airflow_provider_nexus.load.rows import TableConverter

FORMAT = "delta"
WHOLE = "whole"
"""Label of the reading of all records, where they have no window."""
TRIES = 20
"""How often a load is merged anew when other commits come in between."""
_log = logging.getLogger(__name__)


class DeltaCopy:
    """A copy in one Delta table, with its books below ``_nexus/`` beside the files.

    The table is made at the first load. Several tasks may load into one table at once: a commit that another one has outrun is
    merged anew, on top of it.

    :param collection: root of the table: the folder of the resource
    :param table: the resource's columns
    :param environment: whose records they are, read at ``base_url``
    :param output: one row for each record, or one for each version that was seen
    :param partition_by: ``month`` or ``day`` of creation, for a table that is made; ``None`` to take that of the table
    :param storage_options: what deltalake needs to open the store
    :raises NexusConfigurationError: when an argument is none of those that can be, or deltalake can't write to such a store
    """

    takes_streams = True

    def __init__(
        self,
        collection: Any,
        table: Table,
        *,
        environment: str,
        base_url: str,
        output: Output = "current",
        partition_by: PartitionBy | None = None,
        storage_options: Mapping[str, str] | None = None,
    ) -> None:
        if output not in ("current", "history") or partition_by not in (None, *PARTITIONS):
            raise NexusConfigurationError(
                f"output is current or history, and partition_by month or day: these are {output!r} and {partition_by!r}"
            )
        self.folder, self.resource, self._is_history = collection, table.resource, output == "history"
        self.base_url = base_url
        self._source = table
        self._columns = VersionTable(table.resource) if self._is_history else table
        self._belongs = {"resource": table.resource.name, "environment": environment, "base_url": base_url, "output": output}
        self._lake = LakeTable(
            collection, self._columns, self._belongs, partition_by=partition_by, storage_options=storage_options or {}
        )
        self.shelf = Shelf(collection)
        self._seen: tuple[Books, list[DataFile]] | None = None

    def prepare(self) -> Snapshot:
        """The table, made if there is none, with all columns of the catalogue.

        :raises NexusConfigurationError: when something else lies there
        :raises NexusContractError: when it can't take the rows
        :raises NexusStorageError: when its log is lost
        """
        found = self._lake.opened()
        if found is None:
            if windows_of(self.folder) or snapshots_of(self.folder):
                raise NexusConfigurationError(
                    f"{self.folder} contains windows in files of their own: go on with their file_format, or give the Delta "
                    "table another path"
                )
            if store.names(self.folder / BOOKS) and self._lake.opened() is None:
                lack = "has the books of a Delta table and not its log"
                raise NexusStorageError(f"{self.folder} {lack}: take _delta_log back from a backup, {OR_AWAY}")
            found = self._lake.made()
        return self._lake.fitted(found)

    def snapshot(self) -> Snapshot | None:
        """The table as it is; ``None`` before the first load."""
        return self._lake.opened()

    def books(self) -> Books:
        """What is known of the table since the last load; looked up once as long as nothing is loaded here."""
        return self._look()[0]

    def _look(self) -> tuple[Books, list[DataFile]]:
        """The books of the table and its files."""
        if self._seen is None:
            found = self._lake.opened()
            self._seen = (self.shelf.books(found.books), found.files(self._source.created)) if found else (Books(), [])
        return self._seen

    def converter(self, resource: Resource, *, keeps_untyped: bool) -> TableConverter:
        """Makes records rows of the table."""
        return TableConverter(resource, keeps_untyped=keeps_untyped)

    def apply(self, batches: Iterable[Sequence[TableRow]], scope: Window | None, seal: Callable[[], Sealed]) -> Stored:
        """Bring versions of records in, all or none; see :class:`~airflow_provider_nexus.load.copy.Copy`.

        :raises NexusStorageError: when the store fails, or other commits have come in between at every try
        :raises NexusUnprovedError: when its window is proved in the table, and this reading is not
        """
        self.prepare()
        incoming = Incoming(self._source)
        try:
            for rows in filter(None, batches):
                incoming.write(rows)
            sealed = seal()
            incoming.seal()
            for _ in range(TRIES):
                stored = self._load(incoming, scope, sealed)
                if stored is not None:
                    return stored
                _log.info("%s was changed by another program in the meantime: the load is merged anew", self.folder)
        finally:
            self._seen = None
            incoming.close()
        raise NexusStorageError(
            f"{self.folder} was changed by other programs at each of {TRIES} tries, so nothing was stored: "
            "let fewer of them write to one table at once, and run it again"
        )

    def _load(self, incoming: Incoming, scope: Window | None, sealed: Sealed) -> Stored | None:
        """One try; ``None`` when another commit has come in between."""
        snapshot = self.prepare()
        books = self.shelf.books(snapshot.books)
        label, own = _own(books, sealed, scope)
        before = books.readings.get(label) if label else None
        if before:
            refuse_unproved(f"{label} in {self.folder}", before.verdict, sealed.verdict, sealed.manifest.proof.reasons)
        effects, number = Effects(self._source, books, self.shelf, label), books.number + 1
        merge = DeltaMerge(self._columns, snapshot, incoming, sealed, scope=scope, own=own, effects=effects, number=number)
        merge.run()
        former = self.shelf.manifest(before.sha256) if before else None
        mend = Mend(self.folder, self._source, self._columns, merge, effects)
        mend.run(own, former)
        repaired, state = mend.repaired, _state(books, merge, mend, effects)
        if before and former and not repaired and _is_rerun(former, sealed, effects):
            self.shelf.put_rejects(sealed.rejects)  # they may have been lost
            return self._stored(before.sha256, effects, changed=False)
        manifest = self._manifest(books, sealed, effects, mend, state=state, account=merge.account if own else None)
        sha256 = self.shelf.put_manifest(manifest)
        readings = effects.readings(sealed, scope)
        if label:
            readings[label] = StoredReading.of(sealed, sha256)
        number = self.shelf.put_books(Books(books.number + 1, sha256, state, readings, effects.unsettled, effects.months))
        said = {"nexus.load": str(books.number + 1), "nexus.reading": sealed.label, "nexus.verdict": sealed.verdict}
        said |= {"nexus.resource": self._belongs["resource"], "nexus.key_digest": manifest.key_digest, "nexus.manifest": sha256}
        if not self._lake.commit(snapshot, merge.added, merge.removed, number, said):
            return None
        return self._stored(sha256, effects, repaired=repaired)

    def _manifest(
        self, books: Books, sealed: Sealed, effects: Effects, mend: Mend, *, state: TableState, account: TableAccount | None
    ) -> Manifest:
        said = sealed.load(
            books.number + 1,
            self._belongs,
            table_name=self.folder.name,
            columns=[column.name for column in self._columns.columns],
            repaired=mend.repaired,
            rejects=digest_of(sealed.rejects),
        )
        members = account.members() if account else {"content": sealed.account.contents.digest}
        return replace(
            sealed.manifest,
            **members,
            format=FORMAT,
            rejected=self.shelf.put_rejects(sealed.rejects),
            previous=books.last,
            changes=effects.changes,
            state=state,
            load=said,
        )

    def _stored(self, sha256: str, effects: Effects, *, changed: bool = True, repaired: int = 0) -> Stored:
        said, path = effects.changes.dump() | {"repaired": repaired}, str(self.shelf.manifest_path(sha256))
        return Stored(path=str(self.folder), manifest=path, changed=changed, sha256=sha256, **said)

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:  # noqa: ARG002 - a table is one for all windows
        """Member ``schema`` of the last load's manifest; ``None`` before the first."""
        last = self.books().last
        return self.shelf.manifest(last).schema.dump() if last else None

    def unsettled(self) -> dict[str, Open]:
        """The records whose end has not been seen, by key."""
        return self.books().open

    def windows(self) -> list[tuple[Window, datetime]]:
        """The windows read whole, each with the time of its last reading, oldest reading first."""
        return self.books().windows

    def manifests(self) -> dict[str, Manifest]:
        """The manifest of each window as it is now, by label, oldest window first; ``whole`` where records have no window.

        :raises NexusStorageError: when one is missing, or was edited
        """
        readings = self.books().readings
        return {label: self.shelf.manifest(readings[label].sha256) for label in sorted(readings)}

    def check(self, follow: Follow = unheard) -> Checked:
        """Whether the table contains what its last load left in it, and its manifests are whole. Nexus is not asked.

        :param follow: called with the number of rows that were looked at
        """
        if (found := self._lake.opened()) is None:
            return Checked((f"{self.folder} contains no Delta table",))
        return check(self.folder, self._source, self._columns, found, follow)

    def current(self) -> list[TableRow]:
        """The records as they are, all at once, their values in the order of ``Table.columns``."""
        return [row for batch in self._current([column.name for column in self._source.columns]) for row in rows_of(batch)]

    def _current(self, names: Sequence[str]) -> Iterator[Batch]:
        """Some columns of the records as they are."""
        found = self._lake.opened()
        return current_rows(self.folder, found.files(self._source.created) if found else (), self._columns, names)

    def values(self, names: Sequence[str], start: datetime, end: datetime) -> Iterator[TableRow]:
        """Some columns of the records as they are that were created in a span."""
        created = self._source.created
        for batch in self._current([created, *names]):
            for row in rows_of(inside(batch, created, Window(start, end)).select([created, *names])):
                yield row[1:]

    def torn(self, asked: Window) -> list[Window]:  # noqa: ARG002
        """None: a load is one commit."""
        return []

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Counts and sums of the records that were created in a span, as they are stored now."""
        totals, span, (books, files) = Totals(), Window(start, end), self._look()
        grouping, created = Grouping(self._source), self._source.created
        for month, mine in by_month(each for each in files if each.partition is not None).items():
            if all(file.first and file.last and start <= file.first and file.last < end for file in mine):
                totals.merge(Totals.load(map(asdict, books.months.get(month, ()))))
                continue
            near = [file for file in mine if meets(span, file)]
            for rows in current_rows(self.folder, near, self._columns, [created, *grouping.columns]):
                grouping.count(totals, rows_of(inside(rows, created, span).select(list(grouping.columns))))
        return totals


def _state(books: Books, merge: DeltaMerge, mend: Mend, effects: Effects) -> TableState:
    """What the table contains after a load."""
    versions = mend.versions or TableDigests.load(books.state).versions.plus(merge.versions)
    return TableDigests(effects.state, versions).dump(is_history=merge.is_history)


def _own(books: Books, sealed: Sealed, scope: Window | None) -> tuple[str, Window | None]:
    """Label and window of a reading that makes the account of a window anew; empty and ``None`` of another one."""
    window = sealed.window
    if window is None:
        return (WHOLE, ALL_TIME) if scope == ALL_TIME else ("", None)
    is_again = sealed.feed == "reread" and window.label in books.readings and scope == window
    is_first = sealed.feed == "created" and sealed.label == window.label
    return (window.label, window) if is_first or is_again else ("", None)


def _is_rerun(former: Manifest, sealed: Sealed, effects: Effects) -> bool:
    """Whether a reading has brought what the last one of its window did, and nothing is different."""
    said = former.load
    if said is None or any(effects.counts.values()) or sealed.feed == "reread":  # that it is still the same is news
        return False
    now = (sealed.content, sealed.verdict, digest_of(sealed.rejects))
    return (said.content, said.verdict, said.rejects) == now
