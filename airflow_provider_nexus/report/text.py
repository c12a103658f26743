"""Times, spans and amounts as text."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal


def digits(value: Decimal) -> str:
    """An amount in full, without an exponent and without the zeros after its second decimal that add nothing."""
    whole, point, decimals = f"{value:f}".partition(".")
    return whole + point + decimals[:2] + decimals[2:].rstrip("0")


def stamp(value: datetime | None) -> str:
    """A moment, in UTC; empty for none."""
    return f"{value:%Y-%m-%d %H:%M:%S}" if value else ""


def span(start: datetime, end: datetime) -> str:
    """A span, in UTC; times of day are left out where all are midnights."""
    whole = not any(part for each in (start, end) for part in (each.hour, each.minute, each.second))
    form = "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M:%S" if start.second or end.second else "%Y-%m-%d %H:%M"
    return f"{start:{form}} to {end:{form}}"


def age(passed: timedelta) -> str:
    """A length of time in the two largest units that it has."""
    minutes = max(0, int(passed.total_seconds())) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
