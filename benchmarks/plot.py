"""The plot of the page: each way against the bare loop, a point for each latency, as an SVG that needs no library."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from benchmarks.results import Measured, Ratio
from benchmarks.ways import BARE, COPY, WAYS

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 860, 210, 30, 56, 34
_LEAST, _MOST = 0.05, 10.0
_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_COLOURS = ("#0b6e4f", "#d1495b", "#30638e", "#edae49")
_INK, _GRID = "#404040", "#d8d8d8"


def svg(measured: list[Measured]) -> str:
    """The plot.

    :param measured: a colour for each
    """
    names = [name for name in WAYS if name not in (BARE, COPY) and any(each.ratio(name) for each in measured)]
    height = _TOP + _ROW * len(names) + 46
    parts = [*_legend(measured), *_axis(height - 46)]
    for row, name in enumerate(names):
        y = _TOP + _ROW * row + _ROW / 2
        parts.append(_text(_LEFT - 12, y + 4, WAYS[name].label.replace("``", ""), anchor="end"))
        for number, each in enumerate(measured):
            if ratio := each.ratio(name):
                parts += _point(ratio, y + (number - (len(measured) - 1) / 2) * 6, _COLOURS[number])
    title = "Records a second against the bare loop: more is faster"
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, height - 8, title, anchor="middle"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13">'
    return "\n".join([head, f'<rect width="{_WIDTH}" height="{height}" fill="white"/>', *parts, "</svg>", ""])


def _legend(measured: list[Measured]) -> Iterator[str]:
    x = _LEFT
    for each, colour in zip(measured, _COLOURS, strict=False):
        name = f"{each.conditions.latency} ms, pages of {each.conditions.page_size}"
        yield f'<circle cx="{x + 6}" cy="18" r="5" fill="{colour}"/>'
        yield _text(x + 16, 22, name)
        x += 155


def _axis(bottom: float) -> Iterator[str]:
    for tick in _TICKS:
        x, colour = _x(tick), _INK if tick == 1 else _GRID
        yield f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="{colour}"/>'
        yield _text(x, bottom + 16, f"{tick:g}", anchor="middle")


def _point(ratio: Ratio, y: float, colour: str) -> Iterator[str]:
    yield (
        f'<line x1="{_x(ratio.low):.1f}" y1="{y:.1f}" x2="{_x(ratio.high):.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>'
    )
    yield f'<circle cx="{_x(ratio.middle):.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'


def _x(ratio: float) -> float:
    place = math.log(min(max(ratio, _LEAST), _MOST) / _LEAST) / math.log(_MOST / _LEAST)
    return _LEFT + place * (_WIDTH - _LEFT - _RIGHT)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'
