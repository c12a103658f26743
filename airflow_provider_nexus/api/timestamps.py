"""Nexus' time stamps: every form that the API is known to send, read as UTC. See docs/api_facts.rst, Dates.

Two readings: :func:`normalise` gives text that sorts as time, with every digit, for the walk; :func:`to_pendulum`
gives a pendulum ``DateTime`` at the edges, with microseconds (a seventh digit is cut). ``pendulum.parse`` is not used:
it is two orders slower and reads ``"03:04"`` as today. What is of no known form raises :class:`ValueError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pendulum

_SECONDS = r"(?P<seconds>\d{4}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)"
_STAMP = re.compile(_SECONDS + r"(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d{2}:\d{2})?", re.ASCII)
_PLAIN = re.compile(_SECONDS + "Z", re.ASCII)
_ALL_PLAIN = re.compile(f"(?:{_SECONDS.replace('?P<seconds>', '?:')}Z)*", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LENGTH = len("2026-01-02T03:04:05Z")
SECOND = timedelta(seconds=1)


def _parts(value: str) -> tuple[datetime, str]:
    match = _STAMP.fullmatch(value)
    if match is None:
        raise ValueError(f"not an ISO 8601 time stamp: {value!r}")
    zone = match["zone"] or "Z"
    moment = datetime.fromisoformat(match["seconds"] + ("+00:00" if zone == "Z" else zone))
    try:
        return moment.astimezone(UTC), (match["fraction"] or "").rstrip("0")
    except OverflowError:
        raise ValueError(f"outside of the calendar in UTC: {value!r}") from None


def normalise(value: str) -> str:
    """The stamp in UTC as text that compares like time, with every digit of the fraction: ``2026-01-02T03:04:05.1234567``."""
    if _PLAIN.fullmatch(value):
        datetime.fromisoformat(value)
        return value[:19]
    moment, fraction = _parts(value)
    return _text(moment) + (f".{fraction}" if fraction else "")


def are_plain(values: Iterable[str]) -> bool:
    """Whether all are stamps in the one form that is asked for, to the second and in UTC, on days that exist."""
    values = list(values)
    if not _ALL_PLAIN.fullmatch("".join(values)) or any(len(value) != _LENGTH for value in values):
        return False
    with suppress(ValueError):
        return all(date.fromisoformat(day) for day in {value[:10] for value in values})
    return False


def to_pendulum(value: str) -> pendulum.DateTime:
    """The stamp as a pendulum ``DateTime`` in UTC, cut to microseconds."""
    at = to_datetime(value)
    return pendulum.DateTime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, tzinfo=pendulum.UTC)


def to_datetime(value: str) -> datetime:
    """The stamp as a plain ``datetime`` in UTC, cut to microseconds: for tables, where pendulum would only cost time."""
    if _PLAIN.fullmatch(value):
        return datetime.fromisoformat(value)
    moment, fraction = _parts(value)
    return moment.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if fraction else moment


def to_date(value: str) -> date:
    """A calendar date; the date part when a midnight stamp was sent instead."""
    if _DATE.fullmatch(value):
        return date.fromisoformat(value)
    moment, fraction = _parts(value)
    if fraction or (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        raise ValueError(f"not a date: {value!r}")
    return moment.date()


def to_wire(moment: datetime) -> str:
    """A moment, whose zone is known, as Nexus wants it: ``yyyy-MM-ddTHH:mm:ssZ``; fractions of a second are cut."""
    if moment.tzinfo is None:
        raise ValueError(f"a moment without a zone could be any time: {moment.isoformat()}")
    return _text(moment.astimezone(UTC)) + "Z"


def _text(moment: datetime) -> str:
    # not strftime: it writes the year 1, which .NET sends for "never", without its zeros
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")
