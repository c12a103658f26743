"""Envelope of an answer: its bytes -> values, records, or the complaint of Nexus. See docs/api_facts.rst, Envelope.

Numbers never become floats: a fraction or an exponent is read as ``Decimal``, digit by digit. Records of a collection
stay the raw bytes that came. Member names are matched without regard to case, as the vendor's own client does. What can't be read
raises :class:`MalformedAnswerError`, and what carries errors :class:`RefusedAnswerError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from airflow_provider_nexus.api import lenient
from airflow_provider_nexus.api.resource import Resource, Shape

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_EXCERPT_LENGTH = 300
_WINDOW = 4 * _EXCERPT_LENGTH
_MOST_CODES, _MOST_DECODED = 20, 1_000_000
_ENVELOPE = 4096
_LOOKED_AT, _HALF = 65_536, 16_384
_NEWLINES = bytes.maketrans(b"\r\n", b"  ")
_PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+"
    r"|\b[A-Za-z]{2}\d{2}[A-Za-z0-9]{8,30}\b"
    r"|\b[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?\b"
    r"|\b\d{8,}\b"
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]*"
)

_CUT = re.compile(r"(?:\b[A-Z]{2}\d{2}(?: [A-Z0-9]{0,4})*|[\w.+@-]*)$")
"""What is at the end of a text that was cut, and may be half of something that is blanked where it is whole."""
_MADE = frozenset({"transactioncode", "ordercode", "transfercode"})
_MADE_IN_TEXT = re.compile("|".join(sorted(_MADE)).encode(), re.IGNORECASE)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, InvalidOperation, RecursionError)

_decode_any = msgspec.json.Decoder(float_hook=Decimal).decode


class MalformedAnswerError(ValueError):
    """The body is not JSON, or not of the shape that the catalogue knows."""


class RefusedAnswerError(ValueError):
    """The body has ``errors`` that are not empty, as an envelope or an RFC 7807 problem, whatever the HTTP status."""


@dataclass(frozen=True)
class Complaint:
    """The complaint in an error body: Nexus' codes and its message.

    :param excerpt: a short piece of the body with personal data blanked
    :param names_record: whether it has the code of a transaction, an order or a transfer; of a body that can't be read, or is
        too long for a complaint, whether it mentions one
    """

    codes: tuple[str, ...] = ()
    detail: str = ""
    excerpt: str = ""
    names_record: bool = False


@dataclass(frozen=True)
class Records:
    """The records of one answer.

    :param raw: each record's JSON text, on one line, as it came
    :param total: how many records match, by the server's word; the number in hand where the answer is the whole
    :param total_pages: how many pages there are, by the server's word
    """

    raw: list[bytes] = field(default_factory=list)
    total: int | None = None
    total_pages: int | None = None


class _PageValues(msgspec.Struct, rename="camel"):
    records: list[Raw] | None = None
    total: int | None = None
    total_pages: int | None = None


class _PageEnvelope(msgspec.Struct):
    values: _PageValues | None = None
    errors: Raw = Raw(b"")


_decode_page = msgspec.json.Decoder(_PageEnvelope, strict=False).decode


def decode(body: bytes) -> Any:
    """Any JSON text, with fractions as ``Decimal``."""
    return _checked(_decode_any, body)


def unwrap(body: bytes) -> Any:
    """The decoded ``values`` of an envelope, or the whole of a body that is none; ``None`` for an empty body."""
    if not _clean(body).strip():
        return None
    answer = decode(body)
    folded = {name.lower(): value for name, value in answer.items()} if isinstance(answer, dict) else {}
    if folded.get("errors"):
        raise RefusedAnswerError
    return folded.get("values", answer)


def records(resource: Resource, body: bytes) -> Records:
    """The records of an answer to a call of the resource's collection."""
    if not body.isascii():  # raw records are taken over unread, so this is the place to see whether they are text at all
        _checked(bytes.decode, body)
    if resource.shape is Shape.PAGED and resource.is_seen:
        return _page(body)
    values = _values(body) if resource.envelope else _bare(body)
    if not resource.is_seen:
        return _in_any_shape(resource, values)
    raw = _on_one_line(_whole(resource, values))
    return Records(raw, total=len(raw), total_pages=1)


def complaint(body: bytes, scrub: Callable[[str], str] = str) -> Complaint:
    """The complaint in an error body; empty bodies, pages of a proxy and RFC 7807 problems included. Never raises.

    :param scrub: blanks in a text what must not be shown of it, before it is cut
    """

    def shown(text: str) -> str:
        seen = scrub(text[:_LOOKED_AT])
        # half of what is to be blanked may be at the end of what is cut
        return redact(seen if len(text) <= _LOOKED_AT else seen[:-_HALF])

    excerpt = shown(body[: 4 * (_LOOKED_AT + 1)].decode("utf-8", "replace"))
    try:
        answer = decode(body) if len(body) <= _MOST_DECODED else None
    except MalformedAnswerError:
        answer = None
    if answer is None:
        return Complaint(excerpt=excerpt, names_record=_MADE_IN_TEXT.search(body) is not None)
    if not isinstance(answer, dict):
        return Complaint(excerpt=excerpt)
    folded = {name.lower(): value for name, value in answer.items()}
    errors = folded.get("errors")
    codes = (errors if isinstance(errors, list) else [errors] if errors else [])[:_MOST_CODES]
    detail = folded.get("message") or folded.get("detail") or folded.get("title") or ""
    texts = tuple(shown(str(code)) for code in codes)
    return Complaint(texts, shown(str(detail)), excerpt, _names_record(folded.get("values")))


def _names_record(values: Any) -> bool:
    """Whether values are, or contain, a record of something that was made."""
    left = [values]
    while left:
        found = left.pop()
        if isinstance(found, dict):
            if any(name.lower() in _MADE and isinstance(value, str) and value for name, value in found.items()):
                return True
            left += found.values()
        elif isinstance(found, list):
            left += found
    return False


def redact(text: str) -> str:
    """The beginning of a text without what can identify a person or let somebody in: mail addresses, account numbers, tokens.

    It is cut first, since what the patterns cost grows with the square of a text's length; half of what is blanked does not stay.
    """
    piece = text if len(text) <= _WINDOW else _CUT.sub("", text[:_WINDOW])
    return " ".join(_PERSONAL.sub("***", piece).split())[:_EXCERPT_LENGTH]


def inject(raw: bytes, members: Mapping[str, bytes]) -> bytes:
    """The record with members, JSON texts by name, put before its own, none that it has already; the rest stays as it came."""
    own = {name.lower() for name in _checked(lenient.members, raw)}
    new = [msgspec.json.encode(name) + b":" + value for name, value in members.items() if name.lower() not in own]
    rest = raw.strip()[1:].lstrip()
    return b"{" + b",".join([*new, rest]) if own else b"{" + b",".join(new) + rest


def _page(body: bytes) -> Records:
    try:
        answer = _decode_page(_clean(body))
        values = answer.values
    except msgspec.ValidationError:
        values = None
    except _UNREADABLE as error:
        if not lenient.has_surrogate(body):
            raise MalformedAnswerError(str(error)) from None
        values = None
    else:
        _refuse_errors(answer.errors)
    if values is None or values.records is None or values.total is None or values.total < 0 or not bytes(answer.errors):
        return _page_of(_fold(_values(body)))
    raw = _on_one_line(values.records) if b"\n" in body or b"\r" in body else [*map(bytes, values.records)]
    # Another member of that name could have the records that count. What the records and their commas fill needs no look.
    first, last = (raw[0], raw[-1]) if raw else (b"", b"")
    start = body.find(first, 0, len(first) + _ENVELOPE)
    end = body.rfind(last, -len(last) - _ENVELOPE) + len(last)
    is_filled = start >= 0 and end - start == sum(map(len, raw)) + len(raw) - 1
    if (body[:start] + body[end:] if is_filled else body).lower().count(b'"values"') > 1:
        return _page_of(_fold(_values(body)))
    return Records(raw, values.total, values.total_pages)


def _page_of(page: Mapping[str, Raw]) -> Records:
    if "records" not in page:
        raise MalformedAnswerError("a page without records")
    raw = _on_one_line(_checked(lenient.items, page["records"]))
    return Records(raw, _number(page.get("total")), _number(page.get("totalpages")))


def _in_any_shape(resource: Resource, values: bytes) -> Records:
    """The records of an answer that no source shows, in whatever shape they came. A page alone has a total.

    Null in place of the one object that a parent may have means that it has none.
    """
    if resource.shape is Shape.OBJECT and resource.parent and values.strip() == b"null":
        return Records()
    if not values.lstrip().startswith(b"["):
        members = _fold(values)
        if "records" in members:
            return _page_of(members)
        inside = next((members[name.lower()] for name in resource.wrapped_in if name.lower() in members), None)
        own = [name.partition(".")[0].lower() for name in resource.key if name != resource.parent_field][:1]
        if inside is None and members.keys().isdisjoint(own or resource.schema.by_folded_name):
            raise MalformedAnswerError(f"an answer that is neither a list of {resource.name} nor one of them")
        values = b"[%b]" % values if inside is None else bytes(inside)
    return Records(_on_one_line(_checked(lenient.items, values)))


def _values(body: bytes) -> bytes:
    answer = _fold(body)
    _refuse_errors(answer.get("errors", Raw(b"")))
    if "values" not in answer:
        raise MalformedAnswerError("an answer without values")
    return bytes(answer["values"])


def _bare(body: bytes) -> bytes:
    """A body that has no envelope; one that comes all the same is a complaint, or is taken off."""
    body = _clean(body)
    if body.lstrip().startswith(b"{") and {"errors", "values"} <= (members := _fold(body)).keys():
        _refuse_errors(members["errors"])
        return bytes(members["values"])
    return body


def _whole(resource: Resource, values: bytes) -> Iterable[Raw | bytes]:
    """All records of an answer that has no pages."""
    if resource.shape is Shape.ARRAY:
        return _checked(lenient.items, values)
    if resource.shape is Shape.OBJECT:
        _fold(values)
        return [values]
    return _lists(resource, values) if resource.shape is Shape.LISTS else _keyed(resource, values)


def _lists(resource: Resource, values: bytes) -> Iterator[bytes]:
    members = _fold(values)
    if not any(holder.lower() in members for holder in resource.holders):
        raise MalformedAnswerError(f"an answer without {' and '.join(resource.holders)}")
    for holder, mark in resource.holders.items():
        mark_member = {resource.holder_field: msgspec.json.encode(mark)} if mark else {}
        inside = members.get(holder.lower())
        for record in _checked(lenient.items, inside) if inside is not None and bytes(inside) != b"null" else ():
            yield inject(bytes(record), mark_member)


def _keyed(resource: Resource, values: bytes) -> Iterator[bytes]:
    members = _fold(values)
    lifted = {name: bytes(members[name.lower()]) for name in resource.lifted if name.lower() in members}
    if missing := [holder for holder in resource.holders if holder.lower() not in members]:
        raise MalformedAnswerError(f"an answer without {missing[0]}")
    inside = _checked(lenient.members, next(iter(members[h.lower()] for h in resource.holders), values))
    for code, record in inside.items():
        yield inject(bytes(record), {**lifted, resource.keyed_by: msgspec.json.encode(code)})


def _fold(body: bytes) -> dict[str, Raw]:
    folded = {name.lower(): value for name, value in _checked(lenient.members, body).items()}
    if len(folded) < len(_checked(lenient.names, body)):
        raise MalformedAnswerError("an object that names a member twice")
    return folded


def _checked(decoder: Callable[[bytes], T], body: bytes | Raw) -> T:
    try:
        return decoder(_clean(bytes(body)))
    except _UNREADABLE as error:
        raise MalformedAnswerError(str(error)) from None


def _clean(body: bytes) -> bytes:
    return body.removeprefix(_BOM)


def _refuse_errors(errors: Raw) -> None:
    if bytes(errors) not in (b"", b"null") and _decode_any(errors):
        raise RefusedAnswerError


def _number(value: Raw | None) -> int | None:
    """A count; ``None`` when there is none, or something that is no count."""
    try:
        decoded = _decode_any(value) if value is not None else None
    except _UNREADABLE:
        return None
    return decoded if isinstance(decoded, int) and not isinstance(decoded, bool) and decoded >= 0 else None


def _on_one_line(records: Iterable[Raw | bytes]) -> list[bytes]:
    """JSON allows line breaks between tokens only, never inside a string, so a blank in their place changes no value."""
    return [text.translate(_NEWLINES) if b"\n" in text or b"\r" in text else text for text in map(bytes, records)]
