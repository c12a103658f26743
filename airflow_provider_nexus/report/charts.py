"""Bars of a series, drawn as one path. Heights are rounded to pixels; the digits are in the table beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_nexus.report.days import total


@dataclass(frozen=True)
class Bars:
    """A drawing.

    :param path: of the bars, as SVG has it
    :param zero: height of the line of nought
    :param days: days in one bar
    """

    path: str
    width: int
    height: int
    zero: int
    days: int


def bars(values: Sequence[Decimal], width: int, height: int, *, adds_up: bool = True) -> Bars:
    """Bars of a series from left to right, those below nought downwards.

    :param adds_up: where days share a bar, whether it is their sum; else it is the last of them
    """
    room = width // 3
    days = max(1, -(-len(values) // room))
    shared = [values[first : first + days] for first in range(0, len(values), days)]
    shown = [total(each) if adds_up else each[-1] for each in shared]
    top, bottom = max([Decimal(0), *shown]), min([Decimal(0), *shown])
    span = top - bottom or Decimal(1)
    zero = int(top * (height - 2) / span) + 1
    pitch = min(24, width // max(1, len(shown)))
    path = "".join(_bar(*each, pitch, height, span, zero) for each in enumerate(shown))
    return Bars(path, pitch * len(shown), height, zero, days)


def _bar(number: int, value: Decimal, pitch: int, height: int, span: Decimal, zero: int) -> str:
    """One bar, at least a pixel high where there is something."""
    tall = int(abs(value) * (height - 2) / span) or (1 if value else 0)
    if not tall:
        return ""
    wide = max(1, pitch - max(1, pitch // 5))
    return f"M{number * pitch} {zero}v{-tall if value > 0 else tall}h{wide}V{zero}z"
