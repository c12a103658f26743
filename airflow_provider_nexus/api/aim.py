"""What somebody waits for, and what a status means for that."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_nexus.api.codes import texts_of
from airflow_provider_nexus.api.lifecycles import Lifecycle, Phase
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusConfigurationError


class Verdict(StrEnum):
    """Where a wait stands."""

    PENDING = "pending"
    HELD = "held"
    REACHED = "reached"
    MISSED = "missed"


@dataclass(frozen=True)
class Aim:
    """What to wait for.

    :param lifecycle: statuses of the kind of record
    :param targets: statuses that end the wait well; by default every one that means success
    """

    lifecycle: Lifecycle
    targets: tuple[str, ...] = ()

    def judge(self, status: str | None, *, ended: bool = False) -> Verdict:
        """Where a wait stands when the record has a status. A status that is not known is never success.

        :param ended: whether the record carries the time of its end, so that nothing more is to be expected
        """
        if (status or "").strip().casefold() in {target.casefold() for target in self.targets}:
            return Verdict.REACHED
        phase = self.lifecycle.phase(status)
        if phase is Phase.SUCCEEDED:
            if not self.targets:
                return Verdict.REACHED
            return Verdict.PENDING if self.lifecycle.reopens else Verdict.MISSED
        if phase is Phase.FAILED or (phase is Phase.UNKNOWN and ended):
            return Verdict.MISSED
        return Verdict.HELD if phase is Phase.HELD else Verdict.PENDING


def aim_at(resource: Resource, targets: str | Sequence[str] = ()) -> Aim:
    """What to wait for with a resource's records.

    :param targets: one status or several; by default every one that means success
    :raises NexusConfigurationError: when the resource has no statuses, or a target is none of them. For broker
        transactions no source lists all statuses (docs/api_facts.rst, Broker lifecycle), so any is taken
    """
    lifecycle = resource.lifecycle
    if lifecycle is None:
        raise NexusConfigurationError(f"records of {resource.name} have no status that could be waited for")
    known, wanted = {status.casefold(): status for status in lifecycle.statuses}, texts_of(targets, "status")
    for target in wanted:
        if target.casefold() not in known and lifecycle.is_complete:
            nearest = difflib.get_close_matches(target.casefold(), known, n=1, cutoff=0.5)
            hint = f"did you mean {known[nearest[0]]!r}?" if nearest else f"known are {', '.join(lifecycle.statuses)}"
            raise NexusConfigurationError(f"{target!r} is no status of {resource.name}: {hint}")
    return Aim(lifecycle, wanted)
