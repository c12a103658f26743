"""One call and its answer, free of any web framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from airflow_provider_nexus.sandbox.served import FORMS
from airflow_provider_nexus.sandbox.stamps import Form, to_micros, zulu, zulu_millis

SUCCESS = "Successfully processed your request"
"""The sentence in every test body of the vendor."""


@dataclass(frozen=True, kw_only=True)
class ApiCall:
    """One call as the handlers see it, at a virtual time in microseconds.

    Names of the query, without empty values, of headers, and those that a list can be sorted by are in lower case.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    parts: Mapping[str, str] = field(default_factory=dict)
    at: int = 0
    serial: int = 0
    sorts: frozenset[str] = frozenset()

    @property
    def iso8601(self) -> bool:
        """Whether all stamps are asked for in one form."""
        return self.headers.get("request_iso8601", "").strip().lower() == "true"

    def form(self, resource: str) -> Form:
        """The form in which a resource's stamps are answered."""
        return zulu if self.iso8601 else FORMS.get(resource, zulu_millis)

    def moment(self, name: str) -> int | None:
        """A date of the query in microseconds, ``None`` for none; a refusal when it is no date."""
        text = self.query.get(name.lower())
        return None if text is None else read_moment(name, text)

    def whole(self, name: str, default: int) -> int:
        """A whole number of the query; a refusal when it is none."""
        text = self.query.get(name)
        try:
            return default if text is None else int(text)
        except ValueError:
            raise bad_query(f"The value {text!r} of {name} is not a whole number") from None

    def json(self) -> dict[str, Any]:
        """The body with names in lower case, as Nexus binds names without case; ``{}`` for none, a refusal for no JSON object."""
        if not self.body.strip():
            return {}
        try:
            body = msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            raise Refusal(400, "InvalidRequestBody", "The request body is not valid JSON") from None
        if body is not None and not isinstance(body, dict):
            raise Refusal(400, "InvalidRequestBody", "The request body is not a JSON object")
        folded: dict[str, Any] = _folded(body or {})
        return folded


def _folded(value: Any) -> Any:
    """Names in lower case, also inside; free key and value data stays as it is."""
    if isinstance(value, list):
        return [_folded(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name.lower(): item if name.lower() == "data" else _folded(item) for name, item in value.items()}


@dataclass(frozen=True)
class ApiAnswer:
    """What goes back; ``records`` is how many records of a list, or 1 for a single one, are in it."""

    status: int = 200
    body: bytes = b""
    media: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    records: int = 0


class Refusal(Exception):  # noqa: N818
    """An error answer in the envelope; ``values`` help the caller, in the shapes of docs/api_facts.rst, Errors."""

    def __init__(self, status: int, code: str, message: str, values: object = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.values = status, code, message, values

    @property
    def answer(self) -> ApiAnswer:
        """The refusal as an answer."""
        return ApiAnswer(self.status, envelope(self.values, message=self.message, errors=[self.code]))


def envelope(values: object, *, message: str = SUCCESS, errors: list[str] | None = None, form: Form | None = None) -> bytes:
    """The three members that almost every answer has, stamps in that form. See docs/api_facts.rst, Envelope."""
    return msgspec.json.encode({"message": message, "errors": errors, "values": values}, enc_hook=form)


def success(values: object, records: int = 0, form: Form | None = None) -> ApiAnswer:
    """A success in the envelope, with so many records and stamps in that form."""
    return ApiAnswer(body=envelope(values, form=form), records=records)


def bare(value: object, status: int = 200, records: int = 0, form: Form | None = None) -> ApiAnswer:
    """JSON without the envelope, with so many records and stamps in that form."""
    return ApiAnswer(status, msgspec.json.encode(value, enc_hook=form), records=records)


def not_found(kind: str, code: str) -> Refusal:
    """The refusal of an unknown code."""
    return Refusal(404, f"{kind}NotFound", f"{kind} {code!r} was not found")


def bad_query(message: str, values: object = None) -> Refusal:
    """The refusal of a query name or its value."""
    return Refusal(400, "InvalidQueryParameter", message, values)


def read_moment(name: str, text: str) -> int:
    """A date of a call in microseconds, no zone meaning UTC; a refusal when it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise bad_query(f"The value {text!r} of {name} is not a date") from None
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
