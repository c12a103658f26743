"""Figures that tests have counted, added up over all workers and shown at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

FIGURES = "figures"
"""The property of a test that holds what it has counted: name of a column to counts by name."""


def table_of(reports: Iterable[pytest.TestReport]) -> list[str]:
    """The figures of passed tests as lines; none where nothing was counted."""
    columns: dict[str, Counter[str]] = {}
    for report in reports:
        for name, value in report.user_properties:
            for column, counts in value.items() if name == FIGURES and isinstance(value, dict) else ():
                columns.setdefault(column, Counter()).update(counts)
    names = sorted({name for counts in columns.values() for name in counts})
    head = [f"{'':40}" + "".join(f"{column:>12}" for column in columns)] if columns else []
    return head + [f"{name:40}" + "".join(f"{counts[name]:12,}" for counts in columns.values()) for name in names]
