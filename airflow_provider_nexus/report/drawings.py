"""Drawings: the calendar of windows, and bars of a series.

A mark of the calendar shows its verdict three times: by colour, by letter, and by shape. Heights of bars are rounded to
pixels; the digits are in the table beside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from itertools import groupby
from statistics import median_low

from airflow_provider_nexus.extract.totals import EXACT

DAY = timedelta(days=1)
LONGEST = 366 * DAY
"""As much of a window is drawn, its end: the first sync of a resource may go back to its beginning."""


def midnight(day: date) -> datetime:
    """The beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def days_of(start: datetime, end: datetime | None) -> list[date]:
    """The days of which a span covers half or more; else the one that its middle lies in.

    So a window that ends a settle lag after midnight is of the one day that it is about.
    """
    end = end or start
    start = max(start, end - LONGEST)
    first, last = start.date(), end.date()
    whole = [first + DAY * number for number in range((last - first).days + 1)]
    found = [day for day in whole if min(end, midnight(day) + DAY) - max(start, midnight(day)) >= DAY / 2]
    return found or [(start + (end - start) / 2).date()]


def total(values: Iterable[Decimal]) -> Decimal:
    """An exact sum."""
    with localcontext(EXACT):
        return sum(values, Decimal(0))


_PITCH, _CELL, _LEFT, _TOP = 17, 15, 32, 20
_STRIP, _ROW, _STRIP_LEFT = 288, 15, 58
_RECENT, _RECENT_CELL, RECENT_TALL = 28, 8, 14
_SHORT = timedelta(hours=20)
_MOMENT = timedelta(minutes=24)
_CROWDED = 3
_LETTER_NEEDS = 11
_LOST = {"proved": 0, "proved_shrunk": 4, "unproved": 8, "gap": 6}
"""How much lower a mark is that is too narrow for its letter."""
_WORST = ("unproved", "gap", "proved_shrunk", "proved")
RECENT_WIDE = _RECENT * _RECENT_CELL


@dataclass(frozen=True)
class CalendarSpan:
    """Something to be marked: its kind, of :data:`_WORST`, in words, where it is shown, and if it was read again or patched."""

    start: datetime
    end: datetime | None
    kind: str
    title: str
    href: str
    again: bool = False


@dataclass(frozen=True)
class Mark:
    """A shape on a panel, in pixels."""

    span: CalendarSpan
    x: int
    y: int
    width: int
    height: int


@dataclass
class Panel:
    """A drawing of a time: the axis is ``day`` or ``time of day (UTC)``, and labels are x, y and text."""

    name: str
    axis: str
    width: int
    height: int
    labels: list[tuple[int, int, str]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


def draw(spans: list[CalendarSpan]) -> list[Panel]:
    """The panels of a calendar, oldest first."""
    windows = [span for span in spans if span.kind != "gap"]
    lengths = [span.end - span.start for span in windows if span.end]
    crowd = Counter(day for span in windows for day in days_of(span.start, span.end))
    # Squares can't show more marks a day.
    is_crowded = max(crowd.values(), default=0) > _CROWDED or bool(lengths and median_low(lengths) < _SHORT)
    if is_crowded:
        return list(_strips(spans))
    placed: dict[date, list[CalendarSpan]] = {}
    for span in spans:
        for day in days_of(span.start, span.end):
            placed.setdefault(day, []).append(span)
    quarters = groupby(sorted(placed), key=lambda day: (day.year, (day.month + 2) // 3))
    return [_quarter(f"{year} Q{quarter}", list(group), placed) for (year, quarter), group in quarters]


def recent(spans: Iterable[CalendarSpan], until: datetime) -> list[Mark]:
    """A mark for each day of the four weeks until then that has something, which shows the worst of it."""
    last, worst = (until - timedelta(microseconds=1)).date(), dict[date, CalendarSpan]()
    for span in spans:
        for day in days_of(span.start, span.end):
            if day not in worst or _WORST.index(span.kind) < _WORST.index(worst[day].kind):
                worst[day] = span
    found = list[Mark]()
    for place in range(_RECENT):
        day = last - DAY * (_RECENT - 1 - place)
        if day in worst:
            span = worst[day]
            lost = _LOST[span.kind] if span.kind != "proved_shrunk" else 0
            found.append(Mark(span, place * _RECENT_CELL, lost, _RECENT_CELL - 1, RECENT_TALL - lost))
    return found


def _quarter(name: str, days: list[date], placed: dict[date, list[CalendarSpan]]) -> Panel:
    monday = days[0] - DAY * days[0].weekday()
    weeks = (days[-1] - monday).days // 7 + 1
    panel = Panel(name, "day", max(_LEFT + weeks * _PITCH, 130), _TOP + 7 * _PITCH)
    panel.labels = [(0, _TOP + row * _PITCH + 11, name) for row, name in ((0, "Mon"), (2, "Wed"), (4, "Fri"), (6, "Sun"))]
    for month, group in groupby(days, key=lambda day: day.month):
        week = (next(group) - monday).days // 7
        text = date(days[0].year, month, 1).strftime("%b %Y" if month == days[0].month else "%b")
        panel.labels.append((_LEFT + week * _PITCH, 13, text))
    for week, run in groupby(days, key=lambda day: (day - monday).days // 7):
        for _, same in groupby(run, key=lambda day: [id(span) for span in placed[day]]):
            mine = list(same)
            panel.marks += _cell(placed[mine[0]], week, mine)
    return panel


def _cell(spans: list[CalendarSpan], week: int, days: list[date]) -> Iterator[Mark]:
    """The marks of days in a row that show the same; a window of more days is one mark."""
    gaps = [span for span in spans if span.kind == "gap"]
    shown = [span for span in spans if span.kind != "gap"] or gaps
    y, height = _TOP + days[0].weekday() * _PITCH, len(days) * _PITCH - (_PITCH - _CELL)
    for number, span in enumerate(shown):
        left, right = number * _CELL // len(shown), (number + 1) * _CELL // len(shown)
        yield Mark(span, _LEFT + week * _PITCH + left, y, max(1, right - left - (len(shown) > 1)), height)
    if shown is not gaps:
        yield from (Mark(gap, _LEFT + week * _PITCH, y + height - 5, _CELL, 5) for gap in gaps[:1])


def _strips(spans: list[CalendarSpan]) -> Iterator[Panel]:
    pieces = sorted(_pieces(spans), key=lambda piece: piece[0])
    for month, group in groupby(pieces, key=lambda piece: (piece[0].year, piece[0].month)):
        found = list(group)
        days = sorted({day for day, *_ in found})
        name = date(*month, 1).strftime("%B %Y")
        panel = Panel(name, "time of day (UTC)", _STRIP_LEFT + _STRIP, _TOP + len(days) * _ROW)
        panel.labels = [(_STRIP_LEFT + hour * _STRIP // 24, 13, f"{hour:02}:00") for hour in range(0, 24, 6)]
        rows = {day: _TOP + number * _ROW for number, day in enumerate(days)}
        panel.labels.append((0, 13, date(*month, 1).strftime("%b %Y")))
        panel.labels += [(0, y + 11, f"{day:%a %d}") for day, y in rows.items()]
        for day, first, last, span in found:
            left, right = (moment * _STRIP // DAY for moment in (first, last))
            width = max(2, right - left - 1)
            lost = 0 if width >= _LETTER_NEEDS else _LOST[span.kind]
            panel.marks.append(Mark(span, _STRIP_LEFT + left, rows[day] + lost, width, 13 - lost))
        yield panel


def _pieces(spans: Iterable[CalendarSpan]) -> Iterator[tuple[date, timedelta, timedelta, CalendarSpan]]:
    """Each span cut at midnights: day, and from when to when."""
    for span in spans:
        end = span.end or span.start + _MOMENT
        start = max(span.start, end - LONGEST)
        while start < end:
            begin = midnight(start.date())
            yield start.date(), start - begin, min(end - begin, DAY), span
            start = begin + DAY


@dataclass(frozen=True)
class Bars:
    """A drawing of a series, as one path of SVG, with the height of the line of nought, and the days in one bar."""

    path: str
    width: int
    height: int
    zero: int
    days: int


def bars(values: Sequence[Decimal], width: int, height: int, *, adds_up: bool = True) -> Bars:
    """Bars of a series, those below nought downwards. Where days share a bar, it is their sum if they add up, else the last."""
    room = width // 3
    days = max(1, -(-len(values) // room))
    shared = [values[first : first + days] for first in range(0, len(values), days)]
    shown = [total(each) if adds_up else each[-1] for each in shared]
    top, bottom = max([Decimal(0), *shown]), min([Decimal(0), *shown])
    span = top - bottom or Decimal(1)
    zero = int(top * (height - 2) / span) + 1
    pitch = min(24, width // max(1, len(shown)))
    wide, path = max(1, pitch - max(1, pitch // 5)), ""
    for number, value in enumerate(shown):
        # at least a pixel high where there is something
        tall = int(abs(value) * (height - 2) / span) or (1 if value else 0)
        path += f"M{number * pitch} {zero}v{-tall if value > 0 else tall}h{wide}V{zero}z" if tall else ""
    return Bars(path, pitch * len(shown), height, zero, days)
