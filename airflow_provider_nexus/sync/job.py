"""Sync job: window, reading, proof, contract, storing, watermark."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log, number_of
from airflow_provider_nexus.exceptions import NexusContractError, without_secrets
from airflow_provider_nexus.extract.children import WORST_FIRST
from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.extractor import Extractor
from airflow_provider_nexus.extract.fields import FieldWatch
from airflow_provider_nexus.extract.progress import Follow, unheard
from airflow_provider_nexus.extract.request import Contract, SyncRequest
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.account import Digest
from airflow_provider_nexus.load.copy import Stored
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.sync.watermark import Watermark, advance

_SHOWN = 3
"""Damaged files that a warning names."""


class SyncJob:
    """Carries out one request.

    :param loader: where it goes
    :param watermark: moved to the window's end when it is stored
    :param staging: as ``follow`` and ``sleep`` for the :class:`~airflow_provider_nexus.extract.extractor.Extractor`
    """

    def __init__(
        self,
        client: NexusClient,
        request: SyncRequest,
        loader: Loader[Any],
        *,
        watermark: Watermark | None = None,
        staging: Any = None,
        log: Log | None = None,
        follow: Follow = unheard,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._request, self._loader, self._watermark = request, loader, watermark
        self._log = log or logging.getLogger(__name__)
        self._extractor = Extractor(client, request, self._log, staging=staging, follow=follow, sleep=sleep)

    def run(self) -> dict[str, Any] | None:
        """Sync.

        :return: a summary under two kilobytes, or ``None`` when nothing is old enough to be read
        :raises NexusUnprovedError: when it can't be proved complete and the request is strict
        :raises NexusRejectedError: when more records don't fit than are allowed
        :raises NexusContractError: when the fields have changed and the contract is frozen
        :raises NexusApiError: one class per cause
        """
        window: Window | None = None
        if self._request.requested is None:
            extracted = self._extractor.read_whole()
        else:
            window = self._extractor.window(self._request.requested)
            if window is None:
                return None
            extracted = self._extractor.read(window)
        stored = store(extracted, self._loader, self._request, self._log)
        if window and self._watermark:
            advance(self._watermark, window, self._log)
        return summary_of(extracted, stored)


def store(extracted: Extracted, loader: Loader[Any], request: SyncRequest, log: Log) -> Stored:
    """Read, and store what came if it is as the contract wants it."""
    before, name = loader.copy.fields_before(extracted.window), extracted.resource.name

    def check() -> None:
        check_contract(request.contract, name, drift(extracted.fields, before), log)
        if before and not extracted.fields.seen:
            extracted.fields.restore(before)  # a reading that brought nothing changes no agreement

    try:
        stored = loader.store(extracted, check)
    finally:
        extracted.close()
    if stored.damage:
        what = [f"{file} {flaw}" for file, flaw in stored.damage.items()]
        more = f" and {len(what) - _SHOWN} more" if len(what) > _SHOWN else ""
        text = "%s: what was stored in %s was damaged and has been replaced, and a damaged file counts as not there: %s%s"
        log.warning(text, name, stored.path, "; ".join(what[:_SHOWN]), more)
    if stored.repaired:
        text = "%s: %s of %s had been changed, deleted or added since they were loaded; they are put right"
        log.warning(text, name, number_of(stored.repaired, "row"), stored.path)
    if extracted.checkpoints:
        extracted.checkpoints.forget()
    for field, count in stored.untyped.items():
        text = "%s: %s has another kind of value than declared in %s of %s; it is stored as it came in _raw_extra"
        log.warning(text, name, field, count, number_of(stored.records, "record"))
    if stored.rejected:
        log.warning("%s: put aside as it does not fit: %s", name, number_of(stored.rejected, "record"))
    return stored


def collection_folder(target: Any, environment: str, resource: Resource) -> Any:
    """The folder of all windows of a resource."""
    return target / environment / resource.name


def summary_of(extracted: Extracted, stored: Stored) -> dict[str, Any]:
    """The summary of a sync."""
    window, counts = extracted.window, ("inserted", "updated", "deleted")
    return {
        "resource": extracted.resource.name,
        "environment": extracted.facts.environment,
        "window_start": to_wire(window.start) if window else None,
        "window_end": to_wire(window.end) if window else None,
        "verdict": str(extracted.proof.verdict),
        "records": stored.records,
        "rejected": stored.rejected,
        "calls": extracted.facts.calls,
        "seconds": extracted.facts.seconds,
        "path": stored.path,
        "manifest": stored.manifest,
        "key_digest": stored.key_digest,
        "changed": stored.changed,
        **({"untyped": dict(stored.untyped)} if stored.untyped else {}),
        **({"repaired": repaired} if (repaired := stored.repaired + len(stored.damage)) else {}),
        **{name: value for name in counts if (value := getattr(stored, name)) is not None},
    }


def together(pieces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The summary of a window that was read in pieces, oldest first.

    :return: a summary from the first start to the last end with the worst verdict, the records of all and the digest of all
        keys; its ``path`` has all pieces, its ``manifest`` is that of the last one, and ``windows`` is how many they are
    """
    first, last = pieces[0], pieces[-1]
    keys = Digest()
    for each in pieces:
        keys.add(each["key_digest"].rpartition(":")[2])
    return last | {
        "window_start": first["window_start"],
        "verdict": min((each["verdict"] for each in pieces), key=WORST_FIRST.index),
        **{name: sum(each[name] for each in pieces) for name in ("records", "rejected")},
        "path": last["path"] if first["path"] == last["path"] else last["path"].rpartition("/")[0],
        "key_digest": keys.digest,
        "windows": len(pieces),
    }


@dataclass(frozen=True)
class Drift:
    """How the fields of a reading differ from those that were agreed on.

    :param new: fields that the catalogue does not know and the reading before did not have
    :param missing: fields that the reading before had
    """

    new: tuple[str, ...]
    missing: tuple[str, ...]


def drift(fields: FieldWatch, before: Mapping[str, Any] | None) -> Drift:
    """Compare with the reading before.

    A field is missing when what contains it came without it: the record itself, or an object that was not null.

    :param before: member ``schema`` of the manifest before; ``None`` when there is none
    """
    known = set((before or {}).get("fields", ()))
    new = fields.unknown - known if fields.seen else set()
    missing = {name for name in known - fields.seen if fields.seen and name.rpartition(".")[0] in fields.holders}
    return Drift(tuple(sorted(new)), tuple(sorted(missing)))


def check_contract(contract: Contract, resource: str, found: Drift, log: Log) -> None:
    """Check a reading against a contract.

    :raises NexusContractError: when fields came or went and the contract is frozen
    """
    changes = [f"{what} {', '.join(names)}" for what, names in (("new", found.new), ("missing", found.missing)) if names]
    if not changes:
        return
    if contract == "freeze":
        raise NexusContractError(
            f"{resource}: the fields have changed ({'; '.join(changes)}) and the contract is frozen, so nothing was stored. "
            "When the change is as it should be, run once with contract='report'"
        )
    if contract == "report" or found.missing:
        log.warning("%s: the fields have changed: %s", resource, without_secrets("; ".join(changes)))
