"""Replay: rejected records of files and tables are tried again and merged into their copy, without Nexus."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec.structs import replace

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import Row, RowReader, in_order
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError, NexusStorageError
from airflow_provider_nexus.extract.jsonl import JsonLinesWriter
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.progress import Follow, Steps, unheard
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load import rejects
from airflow_provider_nexus.load.account import Digest, LineAccount, TableAccount
from airflow_provider_nexus.load.collection import collections, refuse_another, tables_below, windows_of
from airflow_provider_nexus.load.columns import CONTENT, KEY, Table
from airflow_provider_nexus.load.copy import Reject, RejectedRecord, Sealed, TableRow
from airflow_provider_nexus.load.manifest import READINGS, Manifest, end_record
from airflow_provider_nexus.load.parquet.changes import Patch, rewrite
from airflow_provider_nexus.load.parquet.index import forget
from airflow_provider_nexus.load.parquet.unsettled import NAME as MEMORY
from airflow_provider_nexus.load.parquet.unsettled import Unsettled, unsettled_file
from airflow_provider_nexus.load.parquet.writer import ParquetWriter
from airflow_provider_nexus.load.publish import publish
from airflow_provider_nexus.load.rows import TableConverter
from airflow_provider_nexus.verify.files import FolderCheck
from airflow_provider_nexus.verify.findings import Findings
from airflow_provider_nexus.verify.readers import records_of

if TYPE_CHECKING:
    from airflow_provider_nexus.load.sql.copy import SqlCopy

T = TypeVar("T")
_LOST = "\ufffd"
"""Written in place of bytes that were no text: such a record is not what Nexus sent, and must be read again."""


@dataclass(frozen=True)
class Replayed:
    """One folder, or one reading of a table, that had rejected records.

    :param fitted: records that are now among the others
    :param left: records that still don't fit
    :param reasons: why, one line each: field and what was expected
    """

    where: str
    fitted: int
    left: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tried(Generic[T]):
    """Records tried again: what fits, each with the record as it was rejected, and what doesn't, with the reason of now."""

    fitting: tuple[tuple[Reject, T], ...]
    rejects: tuple[Reject, ...]

    @property
    def rows(self) -> list[T]:
        """What fits."""
        return [row for _, row in self.fitting]

    def result(self, where: Any) -> Replayed:
        """The outcome for a folder or a reading."""
        reasons = tuple(dict.fromkeys(f"{each.field} is not {each.reason}" for each in self.rejects))
        return Replayed(str(where), len(self.fitting), len(self.rejects), reasons)


def replay(root: Any, follow: Follow = unheard) -> list[Replayed]:
    """Bring rejected records into their windows, as far as they fit by now.

    Each folder is changed whole or not at all, its former manifest stays beside it, and a second time changes nothing. What still
    does not fit stays rejected, with the reason of now. A folder that is not what its manifest says is not touched.

    :param root: path of a sync, or any folder below it
    :param follow: called with the number of folders done
    :return: one for each folder that has rejected records
    :raises NexusConfigurationError: when there is nothing, or pyarrow is needed and not installed
    :raises NexusStorageError: when a folder was tampered with
    :raises NexusError: when Parquet files have other columns than those of this version: sync such windows again
    """
    if tables := tables_below(root):
        raise NexusConfigurationError(
            f"{tables[0][1]} is a Delta table, whose rejected records are not replayed: sync their windows again, which "
            "brings in what fits by now; for copies in files give their own folders"
        )
    found, done = collections(root), list[Replayed]()
    steps = Steps(sum(len(each.folders) for each in found), follow)
    for collection in found:
        for folder in collection.folders:
            manifest = manifests.load(folder)
            if manifest is not None and manifest.rejected:
                done.append(_replay(collection.folder, folder, manifest).result(folder))
            steps.add()
    return done


def _replay(collection: Any, folder: Any, manifest: Manifest) -> Tried[Any]:
    findings = Findings()
    FolderCheck(folder, findings).run()
    if findings.problems:
        first = findings.problems[0]
        raise NexusStorageError(f"{first.where} {first.what}. Nothing is replayed into a window that is not whole")
    rejected = [each for file in manifest.rejected for each in rejects.load(store.read(folder / file.name) or b"")]
    resource = get_resource(manifest.resource)
    if manifest.format == "jsonl":
        return _into_lines(folder, manifest, resource, rejected)
    table, origin = Table(resource), Origin(manifest.read_moment, manifest.read_by)
    tried = _try_typed(resource, rejected, origin)
    if folder.parent.name == READINGS:
        return _from_reading(collection, folder, manifest, table, tried)
    _into_window(folder, manifest, table, tried.rows, tried.rejects)
    return tried


def _into_lines(folder: Any, manifest: Manifest, resource: Resource, rejected: Iterable[Reject]) -> Tried[Row]:
    """Write a window of JSON lines anew with the records that fit, in order of stamp and key."""
    reader = RowReader(resource)

    def fit(row: Row) -> Row:
        """JSON lines take a record whose amounts can be added up."""
        if row.flaw:
            raise RejectedRecord(row.flaw, reader.expected(row.flaw))
        return row

    tried, tally, writer = _try(reader, rejected, fit), LineAccount(reader), JsonLinesWriter()
    stored = (reader.read(raw) for file in manifest.files for raw in records_of(folder / file.name))
    try:
        for row in heapq.merge(stored, in_order(tried.rows), key=itemgetter(0, 1, 2)):
            tally.add([row])
            writer.write([row])
        manifest = replace(manifest, **tally.counts, first=end_record(tally.first), last=end_record(tally.last))
        publish(folder, writer.parts(), manifest, tried.rejects)
    finally:
        writer.close()
    return tried


def _into_window(folder: Any, manifest: Manifest, table: Table, rows: Iterable[TableRow], left: Sequence[Reject] | None) -> None:
    """Merge rows into a window of Parquet files, as a load does that changes it; a version that was read later stays.

    :param left: records that stay rejected; ``None`` to leave those of the window as they are
    """
    patch = Patch(folder, table, manifest, ParquetWriter(table, {"resource": table.resource.name}))
    try:
        read_by = f"replay of {manifest.read_by}"
        patch.rewrite({row[KEY]: row for row in rows}, read_at=manifest.read_moment, read_by=read_by)
        if store.size(folder.parent / MEMORY) is not None:
            # The next run looks again at records that may still change.
            unsettled = Unsettled(table, unsettled_file(folder.parent))
            for row in patch.versions:
                unsettled.see(row)
            unsettled.save()
        forget(folder.parent)
        patch.publish(left)
    finally:
        patch.close()


def _from_reading(collection: Any, folder: Any, manifest: Manifest, table: Table, tried: Tried[TableRow]) -> Tried[TableRow]:
    """Merge what a reading of a copy rejected into the windows of its creation.

    Records of no window of the copy stay rejected. Where the copy stores each version, those that fit are stored with the
    reading too.
    """
    created, waiting = table.place(table.created), dict(tried.fitting)
    for name, window in windows_of(collection).items():
        mine = {reject: row for reject, row in waiting.items() if row[created] and window.start <= row[created] < window.end}
        found = manifests.load(collection / name) if mine else None
        if found is not None:
            refuse_another(collection, manifest.base_url, first=name)
            _into_window(collection / name, found, table, mine.values(), None)
            waiting = {reject: row for reject, row in waiting.items() if reject not in mine}
    fitting = tuple((reject, row) for reject, row in tried.fitting if reject not in waiting)
    tried = Tried(fitting, (*tried.rejects, *waiting))
    writer = ParquetWriter(table, {"resource": table.resource.name, "kind": "versions"})
    try:
        paths = [folder / file.name for file in manifest.files]
        rewrite(paths, writer, {row[KEY]: row for row in tried.rows})
        publish(folder, writer.parts() if paths else [], manifest, tried.rejects)
    finally:
        writer.close()
    return tried


def replay_table(copy: SqlCopy, follow: Follow = unheard) -> list[Replayed]:
    """Bring rejected records into the table, as far as they fit by now.

    Each reading that had such records is loaded once more, as what it would have been with the catalogue of now, in one
    transaction with what is then left of them. A second time changes nothing. A version read later is never replaced.

    :param follow: called with the number of readings tried
    :return: one for each reading that has rejected records
    :raises NexusContractError: when the table's columns can't take the records
    :raises NexusStorageError: when the database fails, or the reading or what it rejected was edited
    """
    with copy.books() as books:
        labels = books.rejected_labels()
    done = list[Replayed]()
    steps = Steps(len(labels), follow)
    for label in labels:
        done.append(_replay_label(copy, label))
        steps.add()
    return done


def _replay_label(copy: SqlCopy, label: str) -> Replayed:
    reading, manifest, rejected = copy.put_aside(label)
    tried = _try_typed(copy.resource, rejected, Origin(reading["read_at"], manifest.read_by))
    if tried.fitting:
        sealed = _sealed(copy, reading, manifest, tried)
        copy.apply([tried.rows], None, lambda: sealed)
    return tried.result(f"{copy.model.name}, {label}")


def _sealed(copy: SqlCopy, reading: dict[str, Any], manifest: Manifest, tried: Tried[TableRow]) -> Sealed:
    """The reading as if the records that fit had always fitted: a rerun that brings the same then changes nothing."""
    content, account = Digest.of(0, reading["content"]), TableAccount(copy.model.source, manifest)
    for reject, row in tried.fitting:
        content.add_text(reject.raw.encode(), -1)
        content.add(row[CONTENT])
        account.add([row])
    start, end = reading["window_start"], reading["window_end"]
    return Sealed(
        label=reading["label"],
        feed=reading["feed"],
        read_at=reading["read_at"],
        window=Window(start, end) if start else None,
        verdict=reading["verdict"],
        records=reading["records"] + len(tried.fitting),
        content=content.digest,
        manifest=replace(manifest, **account.counts),
        account=account,
        rejects=tried.rejects,
    )


def _try_typed(resource: Resource, rejects: Iterable[Reject], origin: Origin) -> Tried[TableRow]:
    """Find the records that fit their columns now; the origin is that of the reading that rejected them."""
    converter = TableConverter(resource)
    return _try(RowReader(resource), rejects, lambda row: converter.row(row, origin))


def _try(reader: RowReader, rejects: Iterable[Reject], fit: Callable[[Row], T]) -> Tried[T]:
    fitting, left = list[tuple[Reject, T]](), list[Reject]()
    for each in rejects:
        if _LOST in each.raw:
            left.append(each)
            continue
        try:
            fitting.append((each, fit(*reader.decoded([reader.read(each.raw.encode())]))))
        except RejectedRecord as rejected:
            left.append(Reject(each.key, rejected.field, rejected.reason, each.raw))
        except NexusDataError as error:
            left.append(Reject(each.key, error.field, "of the kind that the schema names", each.raw))
    return Tried(tuple(fitting), tuple(left))
