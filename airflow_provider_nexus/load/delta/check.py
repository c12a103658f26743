"""Check of a Delta table: whether it contains what its last load left in it, every value, and its manifests are whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.extract.progress import Follow, unheard
from airflow_provider_nexus.extract.window import ALL_TIME
from airflow_provider_nexus.load.account import Digest, TableAccount, TableDigests
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Checked
from airflow_provider_nexus.load.delta.books import Books, Shelf
from airflow_provider_nexus.load.delta.files import current_rows, digest_of_rows, is_sound
from airflow_provider_nexus.load.delta.table import Snapshot
from airflow_provider_nexus.load.manifest import Manifest
from airflow_provider_nexus.load.parquet.batches import Batch, inside, rows_of

_AGAIN = "sync its window again; what that does not put right, restore the table to a version before the change"
_BATCH = 1000


@dataclass
class _Walk:
    """The rows as they are found: in all, and of each window."""

    accounts: dict[str, TableAccount] = field(default_factory=dict)
    latest: datetime | None = None
    """When the last reading began."""
    state: Digest = field(default_factory=Digest)
    problems: list[str] = field(default_factory=list)


def check(folder: Any, table: Table, columns: Table, snapshot: Snapshot, follow: Follow = unheard) -> Checked:
    """Look at every manifest and every row; ``follow`` is called with the number of rows. Nexus is not asked.

    :param table: the resource's columns; those of the files may be more
    """
    shelf = Shelf(folder)
    try:
        books = shelf.books(snapshot.books)
    except NexusError as error:
        return Checked((str(error),))
    walk = _Walk()
    manifests, problems = dict[str, Manifest](), list(_of_the_loads(shelf, books, walk))
    for label, reading in books.readings.items():
        try:
            manifests[label] = shelf.manifest(reading.sha256)
        except NexusError as error:
            problems.append(str(error))
    walk.accounts = {label: TableAccount(table) for label in manifests}
    spans = {label: each.window or ALL_TIME for label, each in books.readings.items() if label in manifests}
    files, names = snapshot.files(table.created), [column.name for column in table.columns]
    keys, latest = set[str](), snapshot.latest(table)
    try:
        for batch in current_rows(folder, files, columns, names):
            for start in range(0, batch.num_rows, _BATCH):
                _look(batch.slice(start, _BATCH), walk, keys, latest)
            for label, span in spans.items():
                walk.accounts[label].add(rows_of(inside(batch, table.created, span)))
            follow(walk.state.records, books.state.records)
        problems += [*walk.problems, *_differences(walk, manifests, books)]
        problems += _of_the_versions(folder, files, columns, books)
    except NexusError as error:
        problems.append(str(error))
    return Checked(tuple(problems), walk.state.records, len(manifests) + books.number, sum(file.size for file in files))


def _of_the_loads(shelf: Shelf, books: Books, walk: _Walk) -> Iterator[str]:
    """What is wrong with the manifests of all loads, the last one first."""
    expected = books.number
    try:
        for sha256, manifest in shelf.loads(books.last):
            if manifest.load is None or manifest.load.number != expected:
                yield f"manifest {sha256} is of another load than number {expected}: take it back from a backup"
                return
            expected -= 1
            walk.latest = max(walk.latest or manifest.read_moment, manifest.read_moment)
            shelf.rejects(manifest)
    except NexusError as error:
        yield str(error)
        return
    if expected:
        yield f"the manifests of the first {expected} loads are not named by those after them: take them back from a backup"


def _look(batch: Batch, walk: _Walk, keys: set[str], latest: list[int]) -> None:
    """Look at rows by themselves."""
    for row in rows_of(batch):
        key, stored = row[0], row[3]
        if key in keys:
            walk.problems.append(f"the record of key {key!r} is there twice: {_AGAIN}")
        keys.add(key)
        if not is_sound(row, latest):
            walk.problems.append(
                f"the row of key {key!r} was edited: its values are not what its _content is of: restore the table to a version "
                "before that"
            )
        if walk.latest and row[1] > walk.latest:
            walk.problems.append(
                f"the row of key {key!r} was edited: its _read_at is later than all loads, so no newer version replaces it: "
                "restore the table to a version before that"
            )
        walk.state.add_stored([stored])


def _differences(walk: _Walk, manifests: dict[str, Manifest], books: Books) -> Iterator[str]:
    """Where rows and manifests say something else."""
    for label, account in walk.accounts.items():
        stated = manifests[label]
        if account.records != stated.records:
            yield f"window {label} has {account.records} records, and its manifest says {stated.records}: {_AGAIN}"
        elif (account.key_digest, account.contents.digest) != (stated.key_digest, stated.content):
            yield f"window {label} has other records than its manifest says: their digest differs: {_AGAIN}"
        elif not account.days.same_as(stated.day_totals):
            yield f"window {label} has other counts or sums by day than its manifest says: {_AGAIN}"
    if walk.state != TableDigests.load(books.state).current:
        yield (
            f"the table has {walk.state.records} records, and had {books.state.records} after its last load, or other ones: "
            f"{_AGAIN}"
        )


def _of_the_versions(folder: Any, files: Any, columns: Table, books: Books) -> Iterator[str]:
    """Whether a history has all versions that loads have brought."""
    if books.state.versions is None:
        return
    found = digest_of_rows(folder, files, columns)
    if found != TableDigests.load(books.state).versions:
        yield (
            f"the history has {found.records} versions, and had {books.state.versions} after its last load, or other ones: "
            "restore the table to a version before that"
        )
