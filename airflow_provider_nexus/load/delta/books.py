"""Books of a Delta table: windows, state and unsettled records after a load, and the manifest of each load.

They are files below ``_nexus/``, named by their own content and never changed. A load writes its own before it commits, and the
commit names them: what a load that was killed or outrun has written is named by nothing, and a clean-up removes it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load import rejects
from airflow_provider_nexus.load.copy import Reject, Sealed
from airflow_provider_nexus.load.delta.library import OR_AWAY
from airflow_provider_nexus.load.manifest import Manifest, RejectsFile, TableState
from airflow_provider_nexus.load.members import Sha256, decoded
from airflow_provider_nexus.load.parquet.index import IndexedTotals
from airflow_provider_nexus.load.parquet.unsettled import codes_of

FOLDER = "_nexus"
BOOKS, MANIFESTS, REJECTS = f"{FOLDER}/books", f"{FOLDER}/manifests", f"{FOLDER}/rejected"
VERSION = 1
_BACK = f"take it back from a backup, restore the table to a version before it was written, {OR_AWAY}"


class StoredReading(Struct, frozen=True):
    """A window in the table, or all of it where its records have no window.

    :param start: ``None`` with ``end`` for all records
    :param read_at: when its last reading began
    :param verdict: of the reading that its manifest is of
    :param sha256: of its manifest
    """

    start: datetime | None
    end: datetime | None
    read_at: Annotated[datetime, Meta(tz=True)]
    verdict: str
    sha256: Sha256

    @classmethod
    def of(cls, sealed: Sealed, sha256: str) -> StoredReading:
        """A reading that was just made. Its moments may be pendulum's, which would be stored in another way."""
        ends = (sealed.window.start, sealed.window.end) if sealed.window else (None, None)
        start, end, read_at = (
            each and datetime.fromisoformat(each.isoformat()).astimezone(UTC) for each in (*ends, sealed.read_at)
        )
        return cls(start, end, cast(datetime, read_at), sealed.verdict, sha256)

    @property
    def window(self) -> Window | None:
        """The window; ``None`` when it is all records."""
        return Window(self.start, self.end) if self.start and self.end else None


class Books(Struct, frozen=True):
    """What is known of the table after a load.

    :param number: of the load, from 1
    :param last: SHA-256 of its manifest, which names that of the load before
    :param state: how many records the table has, and the digest of their contents
    :param readings: by the label of their window
    :param unsettled: creation stamp and status by key
    :param months: counts and sums by month of creation, for resources with a totals endpoint
    :param books_version: of this form
    """

    number: int = 0
    last: str = ""
    state: TableState = TableState(records=0, digest="sha256-sum:" + "0" * 64)
    readings: dict[str, StoredReading] = {}
    unsettled: dict[str, str] = {}
    months: dict[str, list[IndexedTotals]] = {}
    books_version: int = VERSION

    @property
    def windows(self) -> list[tuple[Window, datetime]]:
        """The windows, each with the time of its last reading, oldest reading first."""
        found = [(each.window, each.read_at) for each in self.readings.values() if each.window]
        return sorted(found, key=lambda each: (each[1], each[0].start))

    @property
    def open(self) -> dict[str, Open]:
        """The unsettled records by key, their creation stamps cut to the second."""
        return codes_of(self.unsettled)


@dataclass(frozen=True)
class Shelf:
    """The files below ``_nexus/`` of the table in a folder."""

    folder: Any

    def books(self, number: int | None) -> Books:
        """The books that a commit names; empty ones before the first load.

        :raises NexusStorageError: when they are missing or damaged
        """
        if number is None:
            return Books()
        path = self.folder / BOOKS / f"{number}.json"
        raw = store.read(path)
        if raw is not None and name_of(raw) == number and (books := decoded(raw, Books)):
            return books
        what = "is missing" if raw is None else "is not what the last load has written"
        raise NexusStorageError(
            f"{path} {what}, so it is not known which windows the table contains: {_BACK}. Compactions remove the books of "
            "versions before their retention"
        )

    def put_books(self, books: Books) -> int:
        """Write books; the number that a commit names them by."""
        raw = msgspec.json.encode(books, enc_hook=_plain, order="sorted")
        number = name_of(raw)
        store.put(self.folder / BOOKS / f"{number}.json", io.BytesIO(raw))
        return number

    def manifest_path(self, sha256: str) -> Any:
        """Where a manifest lies."""
        return self.folder / MANIFESTS / f"{sha256}.json"

    def manifest(self, sha256: str) -> Manifest:
        """A manifest.

        :raises NexusStorageError: when it is missing, or was edited
        :raises NexusDataError: when it is none, or one of another version
        """
        path = self.manifest_path(sha256)
        raw = store.read(path)
        if raw is None or manifests.digest_of(raw) != sha256:
            what = "is missing" if raw is None else "was edited: its text is not what its name is the digest of"
            raise NexusStorageError(f"{path} {what}: {_BACK}")
        return manifests.parse(raw, str(path))

    def put_manifest(self, manifest: Manifest) -> str:
        """Write a manifest; its SHA-256."""
        raw = manifests.to_json(manifest)
        sha256 = manifests.digest_of(raw)
        store.put(self.manifest_path(sha256), io.BytesIO(raw))
        return sha256

    def put_rejects(self, put_aside: Sequence[Reject]) -> list[RejectsFile]:
        """Write the records that did not fit, if there are any; how the manifest names them."""
        raw = rejects.dump(put_aside)
        files = rejects.described(raw, len(put_aside))
        for file in files:
            store.put(self.folder / REJECTS / f"{file.sha256}.jsonl", io.BytesIO(raw))
        return files

    def rejects(self, manifest: Manifest) -> list[Reject]:
        """The records of a reading that did not fit.

        :raises NexusStorageError: when their file is missing, or was edited
        """
        found = list[Reject]()
        for file in manifest.rejected:
            path = self.folder / REJECTS / f"{file.sha256}.jsonl"
            raw = store.read(path)
            if raw is None or manifests.digest_of(raw) != file.sha256:
                what = "is missing" if raw is None else "was edited"
                raise NexusStorageError(f"{path} {what}: sync its window again; what that does not put right, {_BACK}")
            found += rejects.load(raw)
        return found

    def loads(self, last: str) -> Iterator[tuple[str, Manifest]]:
        """The manifests of all loads with their SHA-256, the last one first, each found by the one after it.

        :raises NexusStorageError: when one is missing, or was edited
        """
        while last:
            manifest = self.manifest(last)
            yield last, manifest
            last = manifest.previous if isinstance(manifest.previous, str) else ""


def name_of(raw: bytes) -> int:
    """What a commit names books by: the first 62 bits of their SHA-256, as many as fit into an application's version."""
    return int.from_bytes(hashlib.sha256(raw).digest()[:8], "big") >> 2


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
