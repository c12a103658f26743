"""The dates of HTTP headers, read from a server that may write anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_UNREADABLE = (TypeError, ValueError, OverflowError, IndexError)
_MARGIN = timedelta(days=366)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC) + _MARGIN, datetime.max.replace(tzinfo=UTC) - _MARGIN


def moment(header: str | None) -> datetime | None:
    """A date in UTC; one without a zone is meant so.

    :return: ``None`` for what is no date, and for one so near to the ends of the calendar that nothing could be reckoned from it
    """
    try:
        found = parsedate_to_datetime((header or "").strip())
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except _UNREADABLE:
        return None
    return found if _FIRST < found < _LAST else None
