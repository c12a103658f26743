"""Rows: the little that a walk needs of each record, key, stamp and amounts. All else stays raw bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from airflow_provider_nexus.api import lenient, timestamps
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusDataError

_KIND = "of the kind that the schema names"
_Tree = dict[str, Any]
_MOST_DIGITS = 500
"""Digits before or after the point of an amount that is added up; what has more is no amount."""
_LONG = 4000
_decode_plain = msgspec.json.Decoder(float_hook=str).decode


class Row(NamedTuple):
    """One record on its way.

    :param stamp: its creation stamp, normalised so that it sorts as time; empty where the resource has none
    :param key: its key as one text
    :param raw: its JSON text as it came
    :param amounts: decoded holder of the amounts, or the amounts themselves once :class:`RowReader` has read them; ``None`` for a
        row whose text is not decoded yet
    :param flaw: dotted wire name of an amount that can't be read, or of a text with an unpaired surrogate; the record
        then counts as one without amounts
    """

    stamp: str
    key: str
    raw: bytes
    amounts: Any = None
    flaw: str = ""


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows by stamp, key and text: the order of every file, whatever order the server gave."""
    return sorted(rows, key=itemgetter(0, 1, 2))


class Amount(NamedTuple):
    """One amount of a record.

    :param field: dotted wire name
    :param currency: code of the currency or crypto; empty when the record names none
    """

    field: str
    currency: str
    value: Decimal


_amount = tuple.__new__
"""Makes an :class:`Amount` in a third of the time that its own constructor takes."""


class RowReader:
    """Reads :class:`Row` objects of one resource.

    :param resource: the resource
    """

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._stamp = resource.created.stamp if resource.created else resource.stamp
        self._amounts = list(resource.schema.amounts())
        self._tree = self._wanted()
        self._is_respelt: bool | None = None
        self._decode = msgspec.json.Decoder(_struct(resource.name, self._tree)).decode
        kinds = (self._wanted(with_amounts=False), self._wanted(with_amounts=False, with_codes=False))
        self._decoders_without = [msgspec.json.Decoder(_struct(resource.name, wanted)).decode for wanted in kinds]
        self._holders = self._by_holder()
        self._keys = [_getter(tuple(name.split("."))) if "." in name else attrgetter(name) for name in resource.key]
        self._fiat, self._crypto = _getter(resource.fiat_code), _getter(resource.crypto_code)
        self._status = _getter((resource.lifecycle.status_field,) if resource.lifecycle else ())

    def _wanted(self, *, with_amounts: bool = True, with_codes: bool = True) -> _Tree:
        """What to decode. Key parts stay raw, as a key may be sent as text or as a number.

        :param with_amounts: whether amounts are wanted
        :param with_codes: whether their currencies are wanted
        """
        resource, tree = self.resource, _Tree()
        for path, _ in self._amounts if with_amounts else ():
            _plant(tree, path, Decimal)
        for name in resource.key:
            _plant(tree, tuple(name.split(".")), Raw)
        codes = (resource.fiat_code, resource.crypto_code) if with_codes else ()
        status = (resource.lifecycle.status_field,) if resource.lifecycle else ()
        for path in (*codes, status, (self._stamp,) if self._stamp else ()):
            _plant(tree, path, str)
        return tree

    def read(self, raw: bytes) -> Row:
        """One record.

        An amount that is none, or a surrogate without its other half anywhere but in the key and the stamp, is a flaw of
        the record alone: it can be put aside. Without key or stamp its place is not known, so the reading can't go on.

        :raises NexusDataError: when the key is missing, or the stamp or the status can't be read
        """
        found, key, flaw = self._decoded(raw)
        if not key:
            raise NexusDataError(self.resource.name, "", "|".join(self.resource.key), None, "a key")
        stamp = _plain(getattr(found, self._stamp)) if self._stamp else ""
        if stamp or self.resource.created:
            try:
                stamp = timestamps.normalise(stamp)
            except ValueError:
                raise NexusDataError(self.resource.name, key, self._stamp, stamp, "an ISO 8601 time stamp") from None
        return Row(stamp, key, raw, found, flaw)

    def expected(self, flaw: str) -> str:
        """What a flawed field should be."""
        if any(".".join(path) == flaw for path, _ in self._amounts):
            return "a decimal number"
        codes = (self.resource.fiat_code, self.resource.crypto_code)
        holders = {".".join(path[:depth]) for path in codes for depth in range(1, len(path) + 1)}
        return "what the catalogue declares, and amounts are in" if flaw in holders else "text without unpaired surrogates"

    def status(self, row: Row) -> str:
        """The status of a record in upper case; empty where it has none."""
        return _plain(self._status(row.amounts)).upper()

    def currency(self, row: Row) -> str:
        """The currency of a record's fiat amounts; empty where it names none."""
        return _plain(self._fiat(row.amounts))

    def amounts(self, row: Row) -> list[Amount]:
        """The amounts of a record that are not null.

        :raises NexusDataError: when one is no finite number
        """
        if row.flaw:
            return []
        if isinstance(row.amounts, list):
            return row.amounts
        decoded = self._decoded(row.raw)[0] if row.amounts is None else row.amounts
        is_long = len(row.raw) > _LONG
        fiat, crypto = _plain(self._fiat(decoded)), _plain(self._crypto(decoded))
        found: list[Amount] = []
        for holder_of, members in self._holders:
            holder = holder_of(decoded)
            for member, name, is_fiat in members if holder is not None else ():
                value = getattr(holder, member)
                if value is not None:
                    found.append(_amount(Amount, (name, fiat if is_fiat else crypto, value)))
                    is_sane = value.is_finite() and -_MOST_DIGITS <= value.adjusted() <= _MOST_DIGITS
                    if not is_sane or (is_long and -int(value.as_tuple().exponent) > _MOST_DIGITS):
                        raise NexusDataError(self.resource.name, row.key, name, str(value), "a decimal number")
        return found

    def _by_holder(self) -> list[tuple[Callable[[Any], Any], list[tuple[str, str, bool]]]]:
        """The amounts by the object that they are in, so that each is looked up once and skipped whole when it is null."""
        members: dict[tuple[str, ...], list[tuple[str, str, bool]]] = {}
        for path, field in self._amounts:
            members.setdefault(path[:-1], []).append((path[-1], ".".join(path), field.unit == "fiat"))
        return [(_getter(path) if path else lambda found: found, inside) for path, inside in members.items()]

    def _decoded(self, raw: bytes) -> tuple[Any, str, str]:
        """What is wanted of a record, its key as one text, empty when it has none, and its flaw."""
        if self._is_respelt is None:
            self._is_respelt = _is_respelt(raw, self._tree)
        found, flaw = None, ""
        for is_respelt in (True,) if self._is_respelt else (False, True):
            try:
                found = self._decode(_refold(raw, self._tree) if is_respelt else raw)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                found, flaw = self._decode_slowly(raw)
            parts = [_plain(getter(found)) for getter in self._keys]
            if any(parts):
                return found, "|".join(parts), flaw
        return found, "", flaw

    def _decode_slowly(self, raw: bytes) -> tuple[Any, str]:
        """The record, and which amount, or what it is in, can't be read."""
        folded, unreadable = _refold(raw, self._tree), _unreadable(raw)
        try:
            return self._decode(folded), unreadable
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            field = _field_of(error)
        for decode in self._decoders_without:
            try:
                return decode(folded), unreadable or field
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                field = _field_of(error)
        value, key = _at(folded, field) if field else "a value", ""
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            members = lenient.members(folded)
            key = "|".join(_plain(members.get(name)) for name in self.resource.key)
        raise NexusDataError(self.resource.name, key, field or "?", value, _KIND)


def _field_of(error: Exception) -> str:
    """The place that an error names; empty when the whole is no JSON."""
    _, found, place = str(error).rpartition("$.")
    return place.rstrip("`") if found else ""


def _unreadable(raw: bytes, prefix: str = "") -> str:
    """The dotted name of the first value that is no valid text; empty when there is none."""
    try:
        msgspec.json.decode(raw, type=Raw)
    except msgspec.DecodeError:
        if raw[:1] != b"{" or not lenient.has_surrogate(raw):
            return prefix.rstrip(".")
        found = (_unreadable(bytes(value), f"{prefix}{name}.") for name, value in lenient.members(raw).items())
        return next(filter(None, found), prefix.rstrip(".") or "?")
    return ""


def _plant(tree: _Tree, path: tuple[str, ...], leaf: object) -> None:
    """Want a value, unless it is wanted already."""
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    if path:
        tree.setdefault(path[-1], leaf)


def _struct(name: str, tree: _Tree) -> type[msgspec.Struct]:
    fields = []
    for wire, leaf in tree.items():
        kind = _struct(f"{name}_{wire}", leaf) if isinstance(leaf, dict) else leaf
        fields.append((wire, kind if kind is Raw else kind | None, Raw(b"") if kind is Raw else None))
    return msgspec.defstruct(name, fields, gc=False)


def _getter(path: tuple[str, ...]) -> Callable[[Any], Any]:
    def get(found: Any) -> Any:
        for name in path:
            found = getattr(found, name, None)
        return found if path else None

    return get


def _plain(value: Raw | Decimal | str | None) -> str:
    """A JSON scalar as text: strings without their quotes, numbers as they were written, null as nothing."""
    if not isinstance(value, Raw):
        return "" if value is None else str(value)
    text = bytes(value)
    if text[:1] == b'"':
        return str(_decode_plain(text))
    return "" if text in (b"null", b"") else text.decode()


def _is_respelt(raw: bytes, tree: _Tree) -> bool:
    """Whether a record writes a wanted name in another case than the catalogue. Asked once, as servers do not change that."""
    try:
        members = lenient.members(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    spelling = {name.lower(): name for name in tree}
    branches = ((bytes(members[name]), branch) for name, branch in tree.items() if isinstance(branch, dict) and name in members)
    return any(spelling.get(name.lower(), name) != name for name in members) or any(_is_respelt(*each) for each in branches)


def _refold(raw: bytes, tree: _Tree) -> bytes:
    """What is wanted of a record and can be read, in the catalogue's spelling, whatever case its names came in."""
    spelling = {name.lower(): name for name in tree}
    try:
        members = lenient.members(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return raw
    out: dict[str, Raw] = {}
    for name, value in members.items():
        known = spelling.get(name.lower())
        if known is None:
            continue
        branch = tree[known]
        if isinstance(branch, dict) and bytes(value)[:1] == b"{":
            out[known] = Raw(_refold(bytes(value), branch))
        elif not (lenient.has_surrogate(bytes(value)) and _unreadable(bytes(value), known)):
            out[known] = value
    return msgspec.json.encode(out)


def _at(raw: bytes, dotted: str) -> object:
    """The value at a dotted path, as it was written."""
    try:
        for name in dotted.split(".") if dotted else ():
            raw = bytes(lenient.members(raw)[name])
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
        return "a value"
    return raw.decode("utf-8", "replace")
