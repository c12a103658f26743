"""Rows: the little that a walk needs of each record, key, stamp and amounts. All else stays raw bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from airflow_provider_nexus.api import lenient, timestamps
from airflow_provider_nexus.api.records import Number, decoder_of
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusDataError

_KIND = "of the kind that the schema names"
_Getter = Callable[[Any], Any]
_MOST_DIGITS = 500
"""Digits before or after the point of an amount that is added up; what has more is no amount."""
_LONG = 4000
_UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError, ValueError, TypeError, AttributeError, ArithmeticError)
"""What ends the reading of many records at once: one of them has to be looked at by itself."""
_text = itemgetter(2)
_decode_plain = msgspec.json.Decoder(float_hook=str).decode


class Row(NamedTuple):
    """One record on its way.

    :param stamp: its creation stamp, normalised so that it sorts as time; empty where the resource has none
    :param key: its key as one text
    :param raw: its JSON text as it came
    :param amounts: decoded holder of the amounts; ``None`` for a row whose amounts are not decoded yet
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


class AmountColumn(NamedTuple):
    """One amount of many records.

    :param field: dotted wire name
    :param currencies: of each record, empty when it names none
    :param values: of each record, ``None`` when it has none or a flaw
    """

    field: str
    currencies: list[str]
    values: list[Decimal | None]


_row = tuple.__new__
"""Makes a :class:`Row` in a third of the time that its own constructor takes."""


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
        whole = _struct(resource.name, self._tree)
        self._decode, self._decode_all = decoder_of(whole), decoder_of(list[whole], Decimal)  # type: ignore[valid-type]
        # A walk needs no more than key, stamp and status, but for totals.
        page = _struct(resource.name, self._wanted(with_amounts=bool(resource.totals_fields), part_of_key=str))
        self._decode_page = decoder_of(list[page], Decimal)  # type: ignore[valid-type]
        kinds = (self._wanted(with_amounts=False), self._wanted(with_amounts=False, with_codes=False))
        self._decoders_without = [decoder_of(_struct(resource.name, wanted)) for wanted in kinds]
        self._holders = self._by_holder()
        self._keys = [_getter(tuple(name.split("."))) if "." in name else attrgetter(name) for name in resource.key]
        self._fiat, self._crypto = _getter(resource.fiat_code), _getter(resource.crypto_code)
        self._status = _getter((resource.lifecycle.status_field,) if resource.lifecycle else ())

    def _wanted(self, *, with_amounts: bool = True, with_codes: bool = True, part_of_key: type = Raw) -> lenient.Tree:
        """What to decode.

        :param with_amounts: whether amounts are wanted
        :param with_codes: whether their currencies are wanted
        :param part_of_key: a part of a key is raw, as it may be sent as text or as a number; most are texts
        """
        resource, tree = self.resource, lenient.Tree()
        for path, _ in self._amounts if with_amounts else ():
            _plant(tree, path, Number)
        for name in resource.key:
            _plant(tree, tuple(name.split(".")), part_of_key)
        codes = (resource.fiat_code, resource.crypto_code) if with_codes else ()
        status = (resource.lifecycle.status_field,) if resource.lifecycle else ()
        for path in (*codes, status, (self._stamp,) if self._stamp else ()):
            _plant(tree, path, str)
        return tree

    def page(self, raws: list[bytes]) -> list[Row]:
        """Records of one answer, decoded at once as far as a walk needs them; one by one where one is out of the ordinary.

        Their amounts are decoded where Nexus has totals to compare with.

        :raises NexusDataError: as :meth:`read`
        """
        with suppress(*_UNUSUAL):
            found = self._at_once(self._decode_page, raws)
            parts = [[getattr(each, name) or "" for each in found] for name in self.resource.key]
            keys = parts[0] if len(parts) == 1 else list(map("|".join, zip(*parts, strict=True)))
            stamps = [getattr(each, self._stamp) for each in found] if self._stamp else []
            if all(key.strip("|") for key in keys) and timestamps.are_plain(stamps):
                amounts = found if self.resource.totals_fields else repeat(None)
                texts = [stamp[:-1] for stamp in stamps] if stamps else repeat("")
                return [_row(Row, each) for each in zip(texts, keys, raws, amounts, repeat(""), strict=False)]
        return [self.read(raw) for raw in raws]

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
        paths = (*codes, *(path[:-1] for path, _ in self._amounts))
        holders = {".".join(path[:depth]) for path in paths for depth in range(1, len(path) + 1)}
        return "what the catalogue declares, and amounts are in" if flaw in holders else "text without unpaired surrogates"

    def status(self, row: Row) -> str:
        """The status of a record in upper case; empty where it has none."""
        return _plain(self._status(self._decoded(row.raw)[0] if row.amounts is None else row.amounts)).upper()

    def currency(self, row: Row) -> str:
        """The currency of the fiat amounts of a record that is decoded; empty where it names none."""
        return _plain(self._fiat(row.amounts))

    def decoded(self, rows: Sequence[Row]) -> list[Row]:
        """Rows with their amounts, read of all at once. One with an amount that is no finite number has it for its flaw."""
        with suppress(*_UNUSUAL):
            found = [row.amounts for row in rows]
            if None in found:
                found = self._at_once(self._decode_all, [row.raw for row in rows])
            ready = [_row(Row, (*row[:3], each, row.flaw)) for row, each in zip(rows, found, strict=True)]
            if all(_are_sane(column.values) for column in self.columns(ready)) and max(map(len, map(_text, ready))) <= _LONG:
                return ready
        return [self._decoded_alone(row) for row in rows]

    def _decoded_alone(self, row: Row) -> Row:
        if row.flaw:
            return row
        found, _, flaw = self._decoded(row.raw)
        row = Row(row.stamp, row.key, row.raw, found, flaw)
        try:
            self.amounts(row)
        except NexusDataError as error:
            return row._replace(flaw=error.field)
        return row

    def columns(self, rows: Sequence[Row]) -> Iterator[AmountColumn]:
        """The amounts of rows that are decoded."""
        found = [None if row.flaw else row.amounts for row in rows]
        plain = (list(map(code_of, found)) for code_of in (self._fiat, self._crypto))
        fiat, crypto = ([code if code.__class__ is str else _plain(code) for code in codes] for codes in plain)
        for holder_of, members in self._holders:
            holders = list(map(holder_of, found)) if holder_of else found
            is_full = None not in holders
            for get, name, is_fiat in members:
                values = list(map(get, holders)) if is_full else [None if each is None else get(each) for each in holders]
                yield AmountColumn(name, fiat if is_fiat else crypto, values)

    def amounts(self, row: Row) -> list[Amount]:
        """The amounts of a record that are not null.

        :raises NexusDataError: when one is no finite number
        """
        found: list[Amount] = []
        for name, (currency,), (value,) in self.columns([row]):
            if not _are_sane([value], is_long=len(row.raw) > _LONG):
                raise NexusDataError(self.resource.name, row.key, name, str(value), "a decimal number")
            found += [] if value is None else [Amount(name, currency, value)]
        return found

    def _by_holder(self) -> list[tuple[_Getter | None, list[tuple[_Getter, str, bool]]]]:
        """The amounts by the object that they are in, ``None`` for the record itself: each is looked up once, and may be null."""
        members: dict[tuple[str, ...], list[tuple[_Getter, str, bool]]] = {}
        for path, field in self._amounts:
            members.setdefault(path[:-1], []).append((attrgetter(path[-1]), ".".join(path), field.unit == "fiat"))
        return [(_getter(path) if path else None, inside) for path, inside in members.items()]

    def _at_once(self, decode: Callable[[bytes], Any], raws: list[bytes]) -> list[Any]:
        """Decode records in one go.

        :raises ValueError: when they write names in another case than the catalogue, or one of them is out of the ordinary
        """
        if raws and self._is_respelt is None:
            self._is_respelt = lenient.is_respelt(raws[0], self._tree)
        if self._is_respelt:
            raise ValueError("names in another case")
        found: list[Any] = decode(b"[%b]" % b",".join(raws))
        if len(found) != len(raws):
            raise ValueError("a text that is not one record")
        return found

    def _decoded(self, raw: bytes) -> tuple[Any, str, str]:
        """What is wanted of a record, its key as one text, empty when it has none, and its flaw."""
        if self._is_respelt is None:
            self._is_respelt = lenient.is_respelt(raw, self._tree)
        found, flaw = None, ""
        for is_respelt in (True,) if self._is_respelt else (False, True):
            try:
                found = self._decode(lenient.refold(raw, self._tree) if is_respelt else raw)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                found, flaw = self._decode_slowly(raw)
            parts = [_plain(getter(found)) for getter in self._keys]
            if any(parts):
                return found, "|".join(parts), flaw
        return found, "", flaw

    def _decode_slowly(self, raw: bytes) -> tuple[Any, str]:
        """The record, and which amount, or what it is in, can't be read."""
        folded, unreadable = lenient.refold(raw, self._tree), lenient.unreadable(raw)
        try:
            return self._decode(folded), unreadable
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            field = _field_of(error)
        for decode in self._decoders_without:
            try:
                return decode(folded), unreadable or field
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                field = _field_of(error)
        value, key = lenient.value_at(folded, field) if field else "a value", ""
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            members = lenient.members(folded)
            key = "|".join(_plain(members.get(name)) for name in self.resource.key)
        raise NexusDataError(self.resource.name, key, field or "?", value, _KIND)


def _are_sane(values: Iterable[Decimal | None], *, is_long: bool = False) -> bool:
    """Whether numbers are finite and of a size that amounts have.

    :param is_long: whether their record is so long that they may have very many digits after the point
    """
    known = [value for value in values if value is not None]
    sizes = list(map(Decimal.adjusted, known))
    if not all(map(Decimal.is_finite, known)) or (sizes and not -_MOST_DIGITS <= min(sizes) <= max(sizes) <= _MOST_DIGITS):
        return False
    return not is_long or all(-int(value.as_tuple().exponent) <= _MOST_DIGITS for value in known)


def _field_of(error: Exception) -> str:
    """The place that an error names; empty when the whole is no JSON."""
    _, found, place = str(error).rpartition("$.")
    return place.rstrip("`") if found else ""


def _plant(tree: lenient.Tree, path: tuple[str, ...], leaf: object) -> None:
    """Want a value, unless it is wanted already."""
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    if path:
        tree.setdefault(path[-1], leaf)


def _struct(name: str, tree: lenient.Tree) -> type[msgspec.Struct]:
    fields = []
    for wire, leaf in tree.items():
        kind = _struct(f"{name}_{wire}", leaf) if isinstance(leaf, dict) else leaf
        fields.append((wire, kind if kind is Raw else kind | None, Raw(b"") if kind is Raw else None))
    return msgspec.defstruct(name, fields, gc=False)


def _getter(path: tuple[str, ...]) -> _Getter:
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
