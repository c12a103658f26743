"""Moments and spans of time as users give them: one reading for every argument, whoever takes it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from airflow_provider_nexus.api.codes import a_kind
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWindowError

Moment = str | int | date | None
"""A moment as users give it, or nothing.

ISO 8601 text in long or short form (``2026-01-31``, ``2026-01-31T00:00:00Z``, Airflow's ``ds``, ``ts`` and ``ts_nodash``), a
``datetime`` or ``date``, pendulum's own among them, or the number that rendering as native objects makes of ``ds_nodash``
(``20260131``). A date is its midnight; no zone is UTC.
"""

_CALENDAR = re.compile(r"(?:day|month|hour|minute|second|year|microsecond)\b.*(?: is out of range|must be in|must be between).*")
"""The error that Python raises for a moment that is well written and does not exist."""
_DAY_NUMBER = re.compile(r"(?:19|2\d)\d{6}", re.ASCII)


def moment(given: object, what: str) -> datetime:
    """A moment in UTC, always as a plain ``datetime``.

    :param given: a :data:`Moment`
    :param what: where it was given, for the error
    :raises NexusWindowError: when it can't be read
    """
    given = _unwrapped(given)
    try:
        found = _found(given)
        if found is not None:
            # field by field, as `astimezone` of a subclass gives the subclass
            hour = found.timetz() if isinstance(found, datetime) else time()
            plain = datetime.combine(date(found.year, found.month, found.day), hour)
            return (plain if plain.tzinfo else plain.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        if why := _CALENDAR.match(str(error)):
            hint = f"there is no such day or time ({why[0]}); give one as in 2026-01-31T00:00:00Z"
            raise NexusWindowError(f"{what}: {given!r} is not in the calendar, {hint}") from None
    kind = "" if isinstance(given, str) or given is None else f", {a_kind(given)},"
    raise NexusWindowError(f"{what}: {given!r}{kind} is no ISO 8601 moment; give one as in 2026-01-31T00:00:00Z")


def is_missing(given: object) -> bool:
    """Whether a value is missing: ``None``, or the empty text or word that templates make of it."""
    given = _unwrapped(given)
    return given is None or (isinstance(given, str) and given.strip() in ("", "None"))


def span_of_time(given: object, what: str, *, longest: timedelta) -> timedelta:
    """A length of time, given as ``timedelta`` or seconds.

    :param what: what it is called, for the error
    :param longest: the longest that makes sense
    :raises NexusConfigurationError: for anything else
    """
    found: timedelta | None = given if isinstance(given, timedelta) else None
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= longest.total_seconds():
        found = timedelta(seconds=given)
    if found is None or not timedelta(0) <= found <= longest:
        raise NexusConfigurationError(f"{what} is {given!r}: give a timedelta or seconds, from 0 to {longest.days} days")
    return timedelta(days=found.days, seconds=found.seconds, microseconds=found.microseconds)


def _unwrapped(given: object) -> object:
    """What lies in a lazy value of Airflow's context, such as the moments of the run that succeeded before."""
    return getattr(given, "__wrapped__", given) if type(given).__name__ == "Proxy" else given


def _found(given: object) -> date | None:
    if isinstance(given, date):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given) if _DAY_NUMBER.fullmatch(str(given)) else None
    return datetime.fromisoformat(given.strip()) if isinstance(given, str) else None
