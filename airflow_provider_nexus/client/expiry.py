"""When an API key ends: the ``exp`` of a JWT and ``key_expires`` of the connection, whichever is earlier.

Nothing is refused for it, as the date can be wrong: a warning is logged in time, and a 401 can be explained.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import msgspec

from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.exceptions import NexusWindowError

WARNING_DAYS = 14
"""Days before the end of a key from which on a warning is logged, where the connection does not state them."""
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_WRITTEN = re.compile(r"\d{8}|\d{4}-\d\d-\d\d(?:[T ]\d.+)?", re.ASCII)  # fromisoformat takes any sign for the T
_NEW_KEY = "make a new one in the Nexus Identity portal and store it as the connection's password"


class Stage(StrEnum):
    """How near the end of a key is."""

    FAR = "far"
    SOON = "soon"
    OVER = "over"


@dataclass(frozen=True)
class Expiry:
    """The end of a key.

    :param ends: from when on it is not taken any more, in UTC
    :param stated: the same as it was written: a day or a moment
    :param source: where that is written
    :param warning_days: days before it from which on a warning is logged
    :param is_own: whether it is written in the key itself
    """

    ends: datetime
    stated: str
    source: str
    warning_days: int = WARNING_DAYS
    is_own: bool = False

    def stage(self, now: datetime) -> Stage:
        """How near it is."""
        left = self.ends - now
        if left <= timedelta(0):
            return Stage.OVER
        return Stage.SOON if left <= timedelta(days=self.warning_days) else Stage.FAR

    def words(self, now: datetime) -> str:
        """When it ends or ended, and where that is written."""
        if self.stage(now) is Stage.OVER:
            return f"expired on {self.stated}, as {self.source}"
        days = (self.ends - now).days
        left = "less than a day" if days == 0 else "1 day" if days == 1 else f"{days:,} days"
        return f"expires on {self.stated}, in {left}, as {self.source}"

    def warning(self, now: datetime) -> str:
        """The warning for the log; empty while the end is far."""
        stage = self.stage(now)
        if stage is Stage.FAR:
            return ""
        if stage is Stage.SOON:
            return f"The API key {self.words(now)}: {_NEW_KEY} before that."
        wrong = "" if self.is_own else "; if it was replaced, correct key_expires"
        return f"The API key {self.words(now)}. It is sent all the same, and may be refused: {_NEW_KEY}{wrong}."

    def explanation(self, now: datetime) -> str:
        """What it has to do with a refusal; empty when nothing. A day can have ended elsewhere before it does in UTC."""
        if self.stage(now) is Stage.OVER:
            return f"The API key {self.words(now)}."
        return f"The API key {self.words(now)}, so it may have ended already." if self.ends - now <= _DAY else ""


def read_day(text: str) -> tuple[datetime, str]:
    """The end of a key as somebody wrote it down: from when on it is not taken, and the same as a text.

    A day is the last one on which the key works, until its end in UTC: that is how portals and people mean "expires on", and
    with a warning days before nothing is lost by it. A moment without a zone is in UTC.

    :raises ValueError: when it is neither a day nor a moment in ISO 8601
    """
    if not _WRITTEN.fullmatch(text):
        raise ValueError(f"neither a day nor a moment: {text!r}")
    try:
        found = moment(text, "the end of the key")
    except NexusWindowError as error:
        raise ValueError(str(error)) from None
    if len(text) > len("2027-03-31"):
        return found, to_wire(found)
    return (datetime.max.replace(tzinfo=UTC) if found.date() == date.max else found + _DAY), found.date().isoformat()


def expiry_of(token: Secret, day: str = "", warning_days: int = WARNING_DAYS) -> Expiry | None:
    """When a key ends, by itself or by the connection, whichever is earlier; ``None`` when neither states it.

    :param day: what the connection states, see :func:`read_day`
    :raises ValueError: when that can't be read
    """
    own, given = _own_end(token), read_day(day) if day else None
    if own is None:
        return given and Expiry(*given, "key_expires of the connection says", warning_days)
    stated, source = to_wire(own), "it says itself"
    if given is None or (given[0] - _DAY <= own <= given[0] if "T" not in given[1] else abs(own - given[0]) < _SECOND):
        return Expiry(own, stated, source, warning_days, is_own=True)
    if own < given[0]:
        other = f"{source} (key_expires of the connection says {given[1]}; the earlier counts)"
        return Expiry(own, stated, other, warning_days, is_own=True)
    other = f"key_expires of the connection says (it says {stated} itself; the earlier counts)"
    return Expiry(*given, other, warning_days)


class ExpiryLog:
    """Logs once that a key is near its end, and once more when it is over."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._reported: set[tuple[Expiry, Stage]] = set()

    def report(self, expiry: Expiry | None, now: datetime | None, where: str) -> None:
        """Log a warning, if there is one that was not logged yet.

        :param now: the time by the server's clock; by default this machine's
        """
        now = now or datetime.now(UTC)
        if expiry is None or (found := (expiry, expiry.stage(now))) in self._reported:
            return
        self._reported.add(found)
        if warning := expiry.warning(now):
            self._log.warning("%s: %s", where, warning)


def _own_end(token: Secret) -> datetime | None:
    """The ``exp`` of a JWT, whose signature is nobody's business here; ``None`` for a key that is none, or whose is no time."""
    if not token.matches(_JWT):
        return None
    try:
        middle = token.reveal().split(".")[1].encode()
        claims = msgspec.json.decode(base64.b64decode(middle + b"=" * (-len(middle) % 4), b"-_", validate=True))
        ends = claims["exp"] if isinstance(claims, dict) else None
        if isinstance(ends, bool) or not isinstance(ends, int | float) or ends <= 0:
            return None
        return datetime.fromtimestamp(ends, UTC)
    except (binascii.Error, ValueError, KeyError, OverflowError, OSError, RecursionError, msgspec.MsgspecError):
        return None
