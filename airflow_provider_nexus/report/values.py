"""Members of manifests as they are needed here, whatever is stored in them: what can't be read is nothing, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

_LONGEST = 200
"""Digits of an amount; more are taken for damage."""


def text(value: object) -> str:
    """Text as it is; numbers as digits; nothing for what is neither."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def count(value: object) -> int:
    """A whole number that is not negative; else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def mapping(value: object) -> Mapping[str, Any]:
    """An object; else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """An array; else an empty one."""
    return value if isinstance(value, list) else []


def moment(value: object) -> datetime | None:
    """A moment in UTC; ``None`` when it is none."""
    try:
        found = datetime.fromisoformat(str(value))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def amount(value: object) -> Decimal | None:
    """An exact amount; ``None`` when it is none."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found.adjusted()) < _LONGEST else None


def digits(value: Decimal) -> str:
    """An amount in full, without an exponent and without the zeros after its second decimal that add nothing."""
    whole, point, decimals = f"{value:f}".partition(".")
    return whole + point + decimals[:2] + decimals[2:].rstrip("0")


def stamp(value: datetime | None) -> str:
    """A moment as it is written in the report, in UTC."""
    return f"{value:%Y-%m-%d %H:%M:%S}" if value else ""


def span(start: datetime, end: datetime) -> str:
    """A span as it is written in the report, in UTC; times of day are left out where all are midnights."""
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
