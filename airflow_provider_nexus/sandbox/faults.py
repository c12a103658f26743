"""Faults to order: what goes wrong, on which call, how often."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

FaultKind = Literal["status", "drop", "drop_after", "truncate", "garbage", "slow", "redirect", "empty"]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    :param kind: ``status`` answers that status; ``drop`` closes the connection instead of answering; ``drop_after``
        carries the call out first; ``truncate`` promises the whole body and sends half; ``garbage`` answers 200 with a
        page of HTML; ``slow`` waits first; ``redirect`` leads to another host; ``empty`` answers 200 with no body
    :param path: part of the paths that it hits, in any case; empty hits all
    :param method: HTTP method that it hits; empty hits all
    :param first: the matching call that it starts with, counted from 1
    :param times: how many matching calls it hits; -1 for all that follow
    :param retry_after: for ``status``: the ``Retry-After`` header; ``date`` sends a date three virtual seconds ahead
    :param status: for ``status``
    :param seconds: for ``slow``: real seconds
    :raises ValueError: for an unknown kind or a count that makes no sense
    """

    kind: FaultKind
    path: str = ""
    method: str = ""
    first: int = 1
    times: int = 1
    retry_after: str = ""
    status: int = 500
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"unknown fault {self.kind!r}: known are {', '.join(get_args(FaultKind))}")
        if self.first < 1 or self.times < -1:
            raise ValueError(f"a fault starts at call 1 or later and hits 0 or more calls (or -1 for all): {self}")

    def hits(self, method: str, path: str) -> bool:
        """Whether a call matches."""
        return self.path.lower() in path.lower() and self.method.upper() in ("", method.upper())


class FaultBook:
    """Counts matching calls, and finds the fault that a call meets."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)
        self._seen = [0] * len(self._faults)

    def meet(self, method: str, path: str) -> Fault | None:
        """The first fault in force for this call; every matching fault counts it."""
        met: Fault | None = None
        for place, fault in enumerate(self._faults):
            if not fault.hits(method, path):
                continue
            self._seen[place] += 1
            past_first = self._seen[place] - fault.first
            if met is None and past_first >= 0 and (fault.times < 0 or past_first < fault.times):
                met = fault
        return met
