"""Moments as whole microseconds since 1970, and the forms in which they are sent. See docs/api_facts.rst, Dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Form = Callable[[int], str]
"""Writes a moment."""


def to_micros(moment: datetime) -> int:
    """An aware moment in microseconds."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(micros: int) -> datetime:
    """The moment as an aware ``datetime`` in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def ceil_second(micros: int) -> int:
    """The next whole second, or the moment itself when it is one."""
    return -(-micros // SECOND) * SECOND


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).strftime("%Y-%m-%dT")


@lru_cache(maxsize=4096)
def _compact_day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).strftime("%Y%m%d")


def naive(micros: int) -> str:
    """``yyyy-MM-ddTHH:mm:ss``, the fraction cut."""
    days, rest = divmod(micros // SECOND, 86_400)
    return f"{_day(days)}{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def zulu(micros: int) -> str:
    """``yyyy-MM-ddTHH:mm:ssZ``, what ``request_iso8601: true`` asks for."""
    return naive(micros) + "Z"


def naive_millis(micros: int) -> str:
    """``yyyy-MM-ddTHH:mm:ss.fff``."""
    return f"{naive(micros)}.{micros // 1000 % 1000:03d}"


def zulu_millis(micros: int) -> str:
    """``yyyy-MM-ddTHH:mm:ss.fffZ``."""
    return naive_millis(micros) + "Z"


def zulu_ticks(micros: int) -> str:
    """``yyyy-MM-ddTHH:mm:ss.fffffffZ``, .NET's seven digits."""
    return f"{naive(micros)}.{micros % SECOND:06d}0Z"


def compact(micros: int) -> str:
    """``yyyyMMddHHmmss``, as it stands in codes."""
    days, rest = divmod(micros // SECOND, 86_400)
    return f"{_compact_day(days)}{rest // 3600:02d}{rest // 60 % 60:02d}{rest % 60:02d}"


def date_only(micros: int) -> str:
    """``yyyy-MM-dd``."""
    return _day(micros // DAY)[:10]


def http_date(micros: int) -> str:
    """The ``Date`` header's RFC 1123 form."""
    return format_datetime(to_datetime(micros // SECOND * SECOND), usegmt=True)


MIXED: dict[str, Form] = {
    "customers": naive,
    "broker_transactions": naive,
    "orders": naive,
    "transfers": naive,
    "reserves": naive,
    "prices": naive,
    "broker_balances": naive,
    "mails": zulu,
    "hot_wallet_mutations": zulu,
    "currencies": zulu,
    "transactions": zulu_millis,
    "accounts": zulu_ticks,
}
"""The form of each endpoint without the header. Those of transactions and accounts were never seen; they get the two
forms with a fraction, so that a client meets them."""


def form_for(resource: str, *, iso8601: bool) -> Form:
    """The form in which a resource's stamps are sent."""
    return zulu if iso8601 else MIXED.get(resource, zulu_millis)
