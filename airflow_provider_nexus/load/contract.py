"""Contract: whether the fields that came are those that were agreed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusContractError, without_secrets
from airflow_provider_nexus.extract.fields import FieldWatch
from airflow_provider_nexus.extract.request import Contract


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
    missing = {name for name in known - fields.seen if fields.seen and _holder_of(name) in fields.holders}
    return Drift(tuple(sorted(new)), tuple(sorted(missing)))


def check(contract: Contract, resource: str, found: Drift, log: Log) -> None:
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


def _holder_of(name: str) -> str:
    return name.rpartition(".")[0]
