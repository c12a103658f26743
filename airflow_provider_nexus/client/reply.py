"""What every session sends along, and how each reads an answer: a value, or the error of its cause."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from airflow_provider_nexus import __version__
from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.body import CODING, MEGABYTE, BadBodyError, Received
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.dates import moment
from airflow_provider_nexus.client.errors import from_answer
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.client.wire import Bounds
from airflow_provider_nexus.exceptions import (
    NexusApiError,
    NexusConnectionError,
    NexusInterruptedError,
    NexusResponseError,
    NexusTimeoutError,
    NexusWriteRefusedError,
)

T = TypeVar("T")
CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection."""
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": CODING,
    "User-Agent": f"airflow-provider-nexus/{__version__}",
    "request_iso8601": "true",
}
"""Headers of every call."""
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_TIMES = 4
_NO_CONTENT = 204
_NO_ANSWER: dict[type[NexusApiError], str] = {
    NexusConnectionError: "no connection was made",
    NexusInterruptedError: "the connection broke before the whole answer had come",
    NexusTimeoutError: "no whole answer came in time",
}


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What came back.

    :param value: the body as the caller's decoder reads it
    :param server_time: the answer's ``Date``; ``None`` when it had none
    """

    value: T
    server_time: datetime | None


class ServerClock:
    """The time by the server's clock, from the latest answer that had a ``Date``."""

    def __init__(self) -> None:
        self._seen: tuple[datetime, float] | None = None

    def set_by(self, headers: Mapping[str, str]) -> None:
        """Take the time of an answer, if it has one."""
        if date := server_time(headers):
            self._seen = (date, time.monotonic())

    @property
    def now(self) -> datetime | None:
        """The time; ``None`` before the first answer."""
        if self._seen is None:
            return None
        date, seen = self._seen
        return date + timedelta(seconds=time.monotonic() - seen)


def bounds(settings: ClientSettings) -> Bounds:
    """What one answer may take: a few times the seconds that its next piece may, and so many bytes."""
    return Bounds(settings.timeout * _TIMES, settings.max_answer_mb * MEGABYTE)


def no_answer(kind: type[NexusApiError], call: Call, error: Exception) -> NexusApiError:
    """The error for a call that brought no answer. Of the original only its class is told: its text may hold the full URL."""
    return kind(call.method, call.label, detail=f"{_NO_ANSWER[kind]} ({type(error).__name__})")


def refuse_change(settings: ClientSettings, call: Call) -> None:
    """Let a call pass unless it would change something and the connection does not allow that.

    :raises NexusWriteRefusedError: when so
    """
    if call.changes_something and not settings.allow_writes:
        raise NexusWriteRefusedError(
            f"{call.method} {call.label} would change something in Nexus ({settings.environment.name}) and the connection does "
            "not allow that: switch on 'Allow writes' in the connection, or use one that has it on"
        )


def bad_body(call: Call, fault: BadBodyError, status: int | None = None) -> NexusResponseError:
    """The error for an answer whose body can't be taken: with a status where another try may bring it whole."""
    if not fault.is_final:
        return NexusResponseError(call.method, call.label, status=status, detail=str(fault))
    return NexusResponseError(call.method, call.label, detail=f"HTTP {status}, {fault}" if status else str(fault))


def read(call: Call, received: Received, settings: ClientSettings, decode: Callable[[bytes], T]) -> Answer[T]:
    """The answer to a call.

    :param settings: the connection, whose token is blanked in what the server says
    :raises NexusApiError: for a refusal, for an answer that is not whole, or for a body that the decoder can't read
    """
    status, headers, date = received.status, received.headers, server_time(received.headers)
    is_success = 200 <= status < 300
    body, fault = _whole(received)
    if fault and (is_success or call.changes_something):  # whether a refusal names what was made all the same can't be seen
        raise bad_body(call, fault, status)
    if not is_success:
        raise from_answer(call, status, headers, body, date, settings)
    if not body and status != _NO_CONTENT and not ({"content-length", "transfer-encoding"} & {name.lower() for name in headers}):
        # http.client takes the end of the connection for the end of the head, and what is cut there for a success without a body
        raise NexusInterruptedError(call.method, call.label, status=status, detail="the answer broke off in its head")
    try:
        return Answer(decode(body), date)
    except envelope.RefusedAnswerError:
        raise from_answer(call, status, headers, body, date, settings) from None
    except envelope.MalformedAnswerError as error:
        if kind := _file_kind(headers):
            raise _no_json(call, status, kind) from None
        detail = call.hide(settings.token.scrub(f"unreadable body: {error}"))
        raise NexusResponseError(call.method, call.label, status=status, detail=detail) from None


def content_type(headers: Mapping[str, str]) -> str:
    """What an answer says that its body is, such as ``application/pdf``; empty when it says nothing that can be read."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind if _MEDIA_TYPE.fullmatch(kind) else ""


def _file_kind(headers: Mapping[str, str]) -> str:
    """What an answer says that its body is, when that is neither JSON nor a page, which a gateway puts in an answer's place."""
    kind = content_type(headers)
    return "" if kind.endswith(("/json", "+json")) or kind in _PAGES else kind


def _no_json(call: Call, status: int, kind: str) -> NexusResponseError:
    """The error for an answer that was never meant to be JSON: without a status, as another try would bring the same again."""
    way = "" if call.changes_something else "; NexusHook.download and NexusDownloadOperator fetch files"
    return NexusResponseError(call.method, call.label, detail=f"HTTP {status}, the body is {kind}, not JSON{way}")


def _whole(received: Received) -> tuple[bytes, BadBodyError | None]:
    try:
        return received.body.whole(), None
    except BadBodyError as fault:
        return b"", fault


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The answer's ``Date`` in UTC; ``None`` when it has none that can be read."""
    return moment(headers.get("Date"))
