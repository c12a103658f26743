"""How both clients read an answer: a value, or the error of its cause."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Generic, TypeVar

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.environments import BASE_URLS
from airflow_provider_nexus.client.body import BadBodyError, Received
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import (
    NexusApiError,
    NexusAuthenticationError,
    NexusConflictError,
    NexusInterruptedError,
    NexusNotFoundError,
    NexusPermissionError,
    NexusRateLimitError,
    NexusResponseError,
    NexusServerError,
    NexusTimeoutError,
    NexusValidationError,
)

T = TypeVar("T")
_BY_STATUS: dict[int, type[NexusApiError]] = {
    401: NexusAuthenticationError,
    403: NexusPermissionError,
    404: NexusNotFoundError,
    408: NexusTimeoutError,
    409: NexusConflictError,
    429: NexusRateLimitError,
}
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-correlation-id", "traceparent")
_REQUEST_ID = re.compile(r"(?!.*eyJ)[\w.:|/+=-]{1,128}", re.ASCII)
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)
PAGES = frozenset({"text/html", "application/xhtml+xml"})
"""The kinds of pages for browsers."""
_NO_CONTENT = 204
_LONGEST = timedelta.max.total_seconds()
_NO_DATE = (TypeError, ValueError, OverflowError, IndexError)
_MARGIN = timedelta(days=366)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC) + _MARGIN, datetime.max.replace(tzinfo=UTC) - _MARGIN


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


def read(call: Call, received: Received, settings: ClientSettings, decode: Callable[[bytes], T]) -> Answer[T]:
    """The answer to a call.

    :raises NexusApiError: for a refusal, for an answer that is not whole, or for a body that the decoder can't read
    """
    status, headers, date = received.status, received.headers, server_time(received.headers)
    is_success = 200 <= status < 300
    try:
        body = received.body.whole()
    except BadBodyError as fault:
        if is_success or call.changes_something:  # whether a refusal names what was made all the same can't be seen
            raise bad_body(call, fault, status) from None
        body = b""
    if not is_success:
        raise refusal(call, status, headers, body, settings)
    if not body and status != _NO_CONTENT and not ({"content-length", "transfer-encoding"} & {name.lower() for name in headers}):
        # http.client takes the end of the connection for the end of the head, and what is cut there for a success without a body
        raise NexusInterruptedError(call.method, call.label, status=status, detail="the answer broke off in its head")
    try:
        return Answer(decode(body), date)
    except envelope.RefusedAnswerError:
        raise refusal(call, status, headers, body, settings) from None
    except envelope.MalformedAnswerError as error:
        kind = content_type(headers)
        if kind and not kind.endswith(("/json", "+json")) and kind not in PAGES:  # a gateway puts pages in an answer's place
            # a file: without a status, as another try would bring the same again
            way = "" if call.changes_something else "; NexusHook.download and NexusDownloadOperator fetch files"
            detail = f"HTTP {status}, the body is {kind}, not JSON{way}"
            raise NexusResponseError(call.method, call.label, detail=detail) from None
        detail = call.hide(settings.token.scrub(f"unreadable body: {error}"))
        raise NexusResponseError(call.method, call.label, status=status, detail=detail) from None


def bad_body(call: Call, fault: BadBodyError, status: int | None = None) -> NexusResponseError:
    """The error for an answer whose body can't be taken: with a status where another try may bring it whole."""
    if not fault.is_final:
        return NexusResponseError(call.method, call.label, status=status, detail=str(fault))
    return NexusResponseError(call.method, call.label, detail=f"HTTP {status}, {fault}" if status else str(fault))


def refusal(call: Call, status: int, headers: Mapping[str, str], body: bytes, settings: ClientSettings) -> NexusApiError:
    """The error that an answer is.

    :param settings: the connection, whose token is blanked in the server's texts: some servers repeat what they were sent
    """
    token, date = settings.token, server_time(headers)
    complaint = envelope.complaint(body, lambda text: call.hide(token.scrub(text)))
    kind = _BY_STATUS.get(status, NexusServerError if status >= 500 else NexusValidationError)
    if 300 <= status < 400 or (call.changes_something and complaint.names_record):
        kind = NexusResponseError
    request_id = next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), "")
    is_id = _REQUEST_ID.fullmatch(request_id) and token.scrub(request_id) == request_id
    return kind(
        call.method,
        call.label,
        status=status,
        codes=complaint.codes,
        detail=complaint.detail,
        request_id=call.hide(request_id if is_id else ""),
        excerpt=complaint.excerpt,
        retry_after=retry_after(headers.get("Retry-After"), date),
        situation=_situation(kind, call, settings, date or datetime.now(UTC)),
    )


def _situation(kind: type[NexusApiError], call: Call, settings: ClientSettings, now: datetime) -> str:
    """What is known here of a refusal: which Nexus it was, whether the key has ended, what kind of call needs a role."""
    environment = settings.environment
    if kind is NexusPermissionError:
        need = "reads: a role for other pages or calls does not cover it."
        if call.changes_something:
            need = "changes something: a role that only reads is not enough for it."
        elif call.method not in ("GET", "HEAD"):
            need = "changes nothing, and can need the role of the call that it simulates all the same."
        return f"{environment} takes the token, but not for this. {call.method} {call.label} {need}"
    if kind is not NexusAuthenticationError:
        return ""
    others = [name for name in BASE_URLS if name != environment.name] if environment.name in BASE_URLS else []
    elsewhere = f", where no key of {others[0]} is taken" if others else ""
    ended = settings.expiry.explanation(now) if settings.expiry else ""
    return f"It was asked of {environment}{elsewhere}. {ended}".rstrip()


def content_type(headers: Mapping[str, str]) -> str:
    """The kind that an answer states for its body, such as ``application/pdf``; empty when it states none that can be read."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind if _MEDIA_TYPE.fullmatch(kind) else ""


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The answer's ``Date`` in UTC; ``None`` when it has none that can be read."""
    return _date(headers.get("Date"))


def retry_after(header: str | None, server_date: datetime | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, given as seconds or as a date; ``None`` for nonsense.

    They are what was asked for, and may be years; the wait is :attr:`NexusApiError.pause`, which has a bound.

    :param server_date: the answer's own ``Date``, so that the clocks need not agree
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST)
    until = _date(text)
    return max(0.0, (until - (server_date or datetime.now(UTC))).total_seconds()) if until else None


@lru_cache(8)
def _date(header: str | None) -> datetime | None:
    """A date of a header in UTC; one without a zone is meant so.

    :return: ``None`` for what is no date, and for one so near to the ends of the calendar that nothing could be reckoned from it
    """
    try:
        found = parsedate_to_datetime((header or "").strip())
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except _NO_DATE:
        return None
    return found if _FIRST < found < _LAST else None
