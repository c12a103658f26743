"""Calls that carry a file: how long they may take, and the answer that is one, whole, or the error of its cause."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client import reply
from airflow_provider_nexus.client.body import MEGABYTE, BadBodyError, OversizeError, Received
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.errors import from_answer
from airflow_provider_nexus.client.form import Form
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.client.wire import Bounds
from airflow_provider_nexus.exceptions import NexusInterruptedError, NexusResponseError

FOUND = 200
"""The one status of an answer that brings a whole file."""

_OF_THE_CALL = "max_mb lets a file have: raise it"
_SHOWN, _LONGEST_COMPLAINT = 65_536, 1_000_000
_OBJECT = re.compile(rb"[\xef\xbb\xbf\xfe\xff\x00 \r\n\t]*\{")
"""How an object begins, in any encoding of JSON."""
_ENVELOPE = frozenset({"message", "errors", "values"})


class Sink(Protocol):
    """Takes the bytes of a file."""

    def begin(self) -> None:
        """Forget what has come, as the file comes anew."""

    def write(self, piece: bytes, /) -> object:
        """Take the next piece."""

    def first(self, size: int, /) -> bytes:
        """What came first, so many bytes at most."""


def file_bounds(settings: ClientSettings, megabytes: int) -> Bounds:
    """What a file may take: the time of any answer, and a second more for each million bytes."""
    return Bounds(reply.bounds(settings).seconds + megabytes, megabytes * MEGABYTE, _OF_THE_CALL)


def form_bounds(settings: ClientSettings, form: Form) -> Bounds:
    """What the answer to a form may take: its time begins with the call, so there is a second more for each million bytes."""
    bounds = reply.bounds(settings)
    return replace(bounds, seconds=bounds.seconds + len(form.content) / MEGABYTE)


def read_file(call: Call, received: Received, settings: ClientSettings, sink: Sink, bounds: Bounds) -> str:
    """Of what kind a file is that has come whole.

    :raises NexusApiError: for a refusal, and for what is no whole file
    """
    status, headers, body = received.status, received.headers, received.body
    if not 200 <= status < 300:
        reply.read(call, received, settings, envelope.unwrap)
    if status != FOUND:
        raise NexusResponseError(call.method, call.label, detail=f"HTTP {status} brings no whole file")
    try:
        body.check()
    except OversizeError:
        raise reply.bad_body(call, OversizeError(bounds.size, bounds.by), status) from None
    except BadBodyError as fault:
        raise reply.bad_body(call, fault, status) from None
    is_measured = _is_measured(headers)
    if not body.size and not is_measured:
        raise NexusInterruptedError(call.method, call.label, status=status, detail="the answer broke off in its head")
    if not body.size:
        raise NexusResponseError(call.method, call.label, detail=f"HTTP {status} with an empty body: there is no file in it")
    if not is_measured and not body.is_packed:
        detail = f"HTTP {status}, and the answer does not say where it ends, so that a part could pass for the whole file"
        raise NexusResponseError(call.method, call.label, detail=detail)
    is_problem = reply.content_type(headers) == "application/problem+json"
    if is_problem or (body.size <= reply.bounds(settings).size and _is_complaint(sink, body.size)):
        said = sink.first(min(body.size, _LONGEST_COMPLAINT))
        raise from_answer(call, status, headers, said, reply.server_time(headers), settings)
    return reply.content_type(headers)


def _is_measured(headers: Mapping[str, str]) -> bool:
    is_chunked = headers.get("Transfer-Encoding", "").strip().lower() == "chunked"
    return is_chunked or headers.get("Content-Length", "").strip().isdigit()


def _is_complaint(sink: Sink, size: int) -> bool:
    """Whether a body is an envelope with errors in it, and nothing but that; a file can be JSON, too."""
    if not _OBJECT.match(sink.first(_SHOWN)):
        return False
    body = sink.first(size)
    try:
        answer = envelope.decode(body.decode(json.detect_encoding(body)).encode())
    except (envelope.MalformedAnswerError, UnicodeError):
        return False
    folded = {name.lower(): value for name, value in answer.items()}
    return bool(folded.get("errors")) and folded.keys() <= _ENVELOPE
