"""Replay of tables: rejected records of ``nexus_rejected`` are tried again and merged into their table, without Nexus."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.account import Digest
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.progress import Follow, Steps, unheard
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.copy import Sealed, TableRow
from airflow_provider_nexus.load.manifest import Manifest, parse
from airflow_provider_nexus.load.totals import TableAccount
from airflow_provider_nexus.replay.outcome import Replayed, Tried, try_typed
from airflow_provider_nexus.verify.tables import StoredTable


def replay_table(stored: StoredTable, follow: Follow = unheard) -> list[Replayed]:
    """Bring rejected records into the table, as far as they fit by now.

    Each reading that had such records is loaded once more, as what it would have been with the catalogue of now, in one
    transaction with what is then left of them. A second time changes nothing. A version read later is never replaced.

    :param follow: called with the number of readings tried
    :return: one for each reading that has rejected records
    :raises NexusContractError: when the table's columns can't take the records
    :raises NexusStorageError: when the database fails, or the books lack the reading
    """
    with stored.copy.books() as books:
        labels = books.rejected_labels()
    done = list[Replayed]()
    steps = Steps(len(labels), follow)
    for label in labels:
        done.append(_replay(stored, label))
        steps.add()
    return done


def _replay(stored: StoredTable, label: str) -> Replayed:
    with stored.copy.books() as books:
        reading, rejected = books.last(label), books.rejected_of(label)
    if reading is None:
        raise NexusStorageError(f"{stored.model.name} has no manifest of {label}: its books were changed, sync that window again")
    manifest = parse(reading["manifest"].encode(), f"{stored.model.name}, {label}")
    tried = try_typed(stored.resource, rejected, Origin(reading["read_at"], manifest.read_by))
    if tried.fitting:
        sealed = _sealed(stored, reading, manifest, tried)
        stored.copy.apply(iter(tried.rows), None, lambda: sealed)
    return tried.result(f"{stored.model.name}, {label}")


def _sealed(stored: StoredTable, reading: dict[str, Any], manifest: Manifest, tried: Tried[TableRow]) -> Sealed:
    """The reading as if the records that fit had always fitted: a rerun that brings the same then changes nothing."""
    content, account = Digest.of(0, reading["content"]), TableAccount(stored.model.source, manifest)
    for reject, row in tried.fitting:
        content.add_text(reject.raw.encode(), -1)
        content.add(row[3])
        account.add(row)
    start, end = reading["window_start"], reading["window_end"]
    counts = {"records": account.records, "key_digest": account.key_digest, "sums": account.sums_by_field}
    return Sealed(
        label=reading["label"],
        feed=reading["feed"],
        read_at=reading["read_at"],
        window=Window(start, end) if start else None,
        verdict=reading["verdict"],
        records=reading["records"] + len(tried.fitting),
        content=content.digest,
        manifest=replace(manifest, **counts),
        account=account,
        rejects=tried.rejects,
    )
