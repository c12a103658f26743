"""An answer that is no success -> the error class of its cause."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.environments import BASE_URLS
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.retry import retry_after
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import (
    NexusApiError,
    NexusAuthenticationError,
    NexusConflictError,
    NexusNotFoundError,
    NexusPermissionError,
    NexusRateLimitError,
    NexusResponseError,
    NexusServerError,
    NexusTimeoutError,
    NexusValidationError,
)

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


def from_answer(
    call: Call, status: int, headers: Mapping[str, str], body: bytes, server_time: datetime | None, settings: ClientSettings
) -> NexusApiError:
    """The error that an answer is.

    :param headers: of the answer, found without regard to case
    :param settings: the connection, whose token is blanked in what the server says: some servers repeat what they were sent
    """
    token = settings.token
    said = envelope.complaint(body, lambda text: call.hide(token.scrub(text)))
    kind = NexusResponseError if call.changes_something and said.names_record else _class_of(status)
    return kind(
        call.method,
        call.label,
        status=status,
        codes=said.codes,
        detail=said.detail,
        request_id=call.hide(_request_id(headers, token)),
        excerpt=said.excerpt,
        retry_after=retry_after(headers.get("Retry-After"), server_time),
        situation=_situation(kind, call, settings, server_time or datetime.now(UTC)),
    )


def _situation(kind: type[NexusApiError], call: Call, settings: ClientSettings, now: datetime) -> str:
    """What is known here of a refusal: which Nexus it was, whether the key has ended, what kind of call needs a role."""
    environment = settings.environment
    where = f"{environment.name} ({environment.base_url})"
    if kind is NexusPermissionError:
        return f"{where} takes the token, but not for this. {_needed(call)}"
    if kind is not NexusAuthenticationError:
        return ""
    others = [name for name in BASE_URLS if name != environment.name] if environment.name in BASE_URLS else []
    elsewhere = f", where no key of {others[0]} is taken" if others else ""
    ended = settings.expiry.explanation(now) if settings.expiry else ""
    return f"It was asked of {where}{elsewhere}. {ended}".rstrip()


def _needed(call: Call) -> str:
    if call.changes_something:
        return f"{call.method} {call.label} changes something: a role that only reads is not enough for it."
    if call.method not in ("GET", "HEAD"):
        return f"{call.method} {call.label} changes nothing, and can need the role of the call that it simulates all the same."
    return f"{call.method} {call.label} reads: a role for other pages or calls does not cover it."


def _request_id(headers: Mapping[str, str], token: Secret) -> str:
    """The server's id of the request; empty when it gave none, or something that is no id."""
    said = next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), "")
    return said if _REQUEST_ID.fullmatch(said) and token.scrub(said) == said else ""


def _class_of(status: int) -> type[NexusApiError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return NexusServerError
    return NexusResponseError if 300 <= status < 400 else NexusValidationError
