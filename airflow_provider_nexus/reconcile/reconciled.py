"""Reconciled: what a reconciliation found, as texts, a summary and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.reconcile.judge import Line, Outcome, digits

BALANCES, CUSTOMERS, HOT, RESERVES, PROOF = "balances", "customer balances", "hot wallet", "reserves", "proof of reserves"
_FIRST, _MOST = 10, 100
"""Differences in one text, and in a summary: the results have all."""


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What a reconciliation found.

    :param start: from when on records were added up
    :param moment: what was compared
    :param lines: one for each place
    :param notes: what could not be compared, and why, one line each
    :param copies: where the copies are, by resource
    """

    environment: str
    base_url: str
    start: datetime
    moment: datetime
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    copies: Mapping[str, str]
    calls: int

    @property
    def differences(self) -> list[Line]:
        """The lines that differ."""
        return [line for line in self.lines if line.outcome is Outcome.DIFFERS]

    @property
    def is_fine(self) -> bool:
        """Whether nothing differs, and there is nothing that could not be compared."""
        return not (self.differences or self.notes)

    def count(self, outcome: Outcome) -> int:
        """How many lines have an outcome."""
        return sum(line.outcome is outcome for line in self.lines)

    def sentences(self) -> list[str]:
        """One for each line that differs, a hundred at most, without the codes of customers."""
        differences = self.differences
        more = [f"and {len(differences) - _MOST:,} more"] if len(differences) > _MOST else []
        return [_sentence(line) for line in differences[:_MOST]] + more

    @property
    def text(self) -> str:
        """The result in words, without the codes of customers."""
        differ = len(self.differences)
        more = f"; and {differ - _FIRST:,} more" if differ > _FIRST else ""
        verdict = f"{differ:,} of {len(self.lines):,} places differ" if differ else self._agreement
        missed = f", and {len(self.notes):,} could not be compared" if self.notes else ""
        return f"at {to_wire(self.moment)} {verdict}{missed}{': ' if differ else ''}{'; '.join(self.sentences()[:_FIRST])}{more}"

    @property
    def _agreement(self) -> str:
        """How much agrees, when nothing differs."""
        late, small = self.count(Outcome.TIMING), self.count(Outcome.TOLERATED)
        if not (late or small):
            return f"all {len(self.lines):,} places agree"
        others = [f"{late:,} by now, {Outcome.TIMING}"] * bool(late) + [f"{small:,} within the tolerance"] * bool(small)
        return f"{self.count(Outcome.AGREES):,} of {len(self.lines):,} places agree, {' and '.join(others)}; none differs"

    def summary(self) -> dict[str, Any]:
        """What later tasks and people need, without the codes of customers."""
        return {
            "environment": self.environment,
            "base_url": self.base_url,
            "start": to_wire(self.start),
            "moment": to_wire(self.moment),
            "is_fine": self.is_fine,
            "outcomes": {str(each): self.count(each) for each in Outcome},
            "differences": self.sentences(),
            "notes": list(self.notes),
            "copies": dict(self.copies),
            "calls": self.calls,
        }

    def dump(self) -> dict[str, Any]:
        """All of it as JSON has it, every digit. The codes of customers are in it."""
        return self.summary() | {"lines": [line.dump() for line in self.lines]}


def _sentence(line: Line) -> str:
    place = "a customer" if line.book == CUSTOMERS else line.place
    see = f". See {line.see}" if line.see else ""
    much, than = digits(line.difference.copy_abs()), "less" if line.difference < 0 else "more"
    return f"{line.book}, {place}: Nexus has {much} {line.code} {than}{see}"
