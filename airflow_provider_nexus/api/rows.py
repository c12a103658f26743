"""Rows: the little that a walk needs of each record, key, stamp and amounts. All else stays raw bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from airflow_provider_nexus.api import envelope, lenient, timestamps
from airflow_provider_nexus.api.records import Number, decoder_of, money
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusDataError

_KIND = "of the kind that the schema names"
_MOST_DIGITS = 500
"""Digits before or after the point of an amount that is added up; what has more is no amount."""
_LONG = 4000
_UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError, ValueError, TypeError, AttributeError, ArithmeticError)
"""What ends the reading of many records at once: one of them has to be looked at by itself."""
_text = itemgetter(2)
_NUMBERS = {Decimal, type(None)}
_decode_plain = msgspec.json.Decoder(float_hook=str).decode


class Row(NamedTuple):
    """One record on its way.

    :param stamp: its creation stamp, normalised so that it sorts as time; empty where the resource has none
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


class Rows(list[Row]):
    """Rows that are not changed any more: their amounts are read once, for all who add them up.

    :ivar columns: their amounts; ``None`` as long as nobody has asked
    """

    columns: list[AmountColumn] | None = None

    def free(self) -> None:
        """Free the memory of rows that nobody needs any more, whoever has them."""
        self.clear()
        self.columns = None


def in_order(rows: Iterable[Row]) -> Rows:
    """Rows by stamp, key and text: the order of every file, whatever order the server gave."""
    return Rows(sorted(rows, key=itemgetter(0, 1, 2)))


class AmountColumn(NamedTuple):
    """One amount of many records, of the field of a dotted wire name.

    :param currencies: of each record, empty when it names none
    :param values: of each record, ``None`` when it has none or a flaw
    """

    field: str
    currencies: Sequence[str]
    values: Sequence[Decimal | None]


_row = tuple.__new__
"""Makes a :class:`Row` in a third of the time that its own constructor takes."""


class RowReader:
    """Reads :class:`Row` objects of one resource.

    :param with_amounts: whether the rows of a page come with their amounts
    """

    def __init__(self, resource: Resource, *, with_amounts: bool = True) -> None:
        self.resource, self._with_amounts = resource, with_amounts
        self._stamp = resource.created.stamp if resource.created else resource.stamp
        self._amounts = list(resource.schema.amounts())
        self._status = (resource.lifecycle.status_field,) if resource.lifecycle else ()
        self._keys = [tuple(name.split(".")) for name in resource.key]
        self._tree = self._wanted()
        self._is_respelt: bool | None = None
        trees = (self._tree, self._wanted(amount=None), self._wanted(amount=None, with_codes=False))
        self._decoders = [decoder_of(_struct(resource.name, wanted)) for wanted in trees]
        page = _struct(resource.name, self._wanted(amount=Any if with_amounts else None, part_of_key=str))
        self._decode_page = decoder_of(list[page], Decimal)  # type: ignore[valid-type]
        # such a part is no text, and its zero would be taken for nothing
        self._has_amount_in_key = any(".".join(path) in resource.key for path, _ in self._amounts)
        self._holders: dict[tuple[str, ...], list[tuple[str, bool]]] = {}
        for path, field in self._amounts:
            self._holders.setdefault(path[:-1], []).append((path[-1], field.unit == "fiat"))

    def _wanted(self, *, amount: Any = Number, with_codes: bool = True, part_of_key: type = Raw) -> lenient.Tree:
        """What to decode.

        :param amount: type of amounts; ``None`` when they are not wanted. ``Any`` is fastest, and leaves them to :func:`_numbers`
        :param with_codes: whether their currencies are wanted
        :param part_of_key: a part of a key is raw, as it may be sent as text or as a number; most are texts
        """
        resource, tree = self.resource, lenient.Tree()
        for path, _ in self._amounts if amount else ():
            _plant(tree, path, amount)
        for path in self._keys:
            _plant(tree, path, part_of_key)
        codes = (resource.fiat_code, resource.crypto_code) if with_codes else ()
        for path in (*codes, self._status, (self._stamp,) if self._stamp else ()):
            _plant(tree, path, str)
        return tree

    def page(self, raws: list[bytes]) -> list[Row]:
        """Records of one answer, decoded at once; one by one, as by :meth:`read`, where one is out of the ordinary."""
        if raws and self._is_respelt is None:
            self._is_respelt = lenient.is_respelt(raws[0], self._tree)
        with suppress(*_UNUSUAL):
            found = [] if self._is_respelt or self._has_amount_in_key else self._decode_page(b"[%b]" % b",".join(raws))
            if len(found) != len(raws):
                raise ValueError("names in another case, or a text that is not one record")
            parts = [[getattr(each, name) or "" for each in found] for name in self.resource.key]
            keys = parts[0] if len(parts) == 1 else list(map("|".join, zip(*parts, strict=True)))
            stamps = [getattr(each, self._stamp) for each in found] if self._stamp else []
            if all(key.strip("|") for key in keys) and timestamps.are_plain(stamps):
                texts = [stamp[:-1] for stamp in stamps] if stamps else repeat("")
                amounts = found if self._with_amounts else repeat(None)
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

    def record(self, row: Row) -> dict[str, Any]:
        """A record with all its members; :class:`NexusDataError` when a number or a text in it can't be read."""
        try:
            found: dict[str, Any] = envelope.decode(row.raw)
        except envelope.MalformedAnswerError as error:
            raise NexusDataError(self.resource.name, row.key, "?", str(error), "JSON that can be read") from None
        return found

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
        found = self._decoded(row.raw)[0] if row.amounts is None else row.amounts
        return _texts([found], self._status)[0].upper()

    def groups(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        """The status of decoded records, in upper case, and the currency of their fiat amounts; empty where one has none."""
        found = [row.amounts for row in rows]
        statuses, codes = _texts(found, self._status), _texts(found, self.resource.fiat_code)
        return [(status.upper(), code) for status, code in zip(statuses, codes, strict=True)]

    def decoded(self, rows: Sequence[Row]) -> Rows:
        """Rows with their amounts, read of all at once. One with an amount that is no finite number has it for its flaw."""
        ready = rows if isinstance(rows, Rows) else Rows(rows)
        if ready.columns is not None:
            return ready
        with suppress(*_UNUSUAL, NexusDataError):
            if any(row.amounts is None for row in ready):
                found = self.page([row.raw for row in ready])
                pairs = zip(ready, found, strict=True)
                ready = Rows([row._replace(amounts=each.amounts, flaw=row.flaw or each.flaw) for row, each in pairs])
            columns, is_long = self.columns(ready), max(map(len, map(_text, ready))) > _LONG
            if all(_are_sane(column.values, is_long=is_long) for column in columns):
                ready.columns = columns
                return ready
        return Rows([self._decoded_alone(row) for row in rows])

    def _decoded_alone(self, row: Row) -> Row:
        if row.flaw:
            return row
        found, _, flaw = self._decoded(row.raw)
        row, is_long = Row(row.stamp, row.key, row.raw, found, flaw), len(row.raw) > _LONG
        insane = (column.field for column in self.columns([row]) if not _are_sane(column.values, is_long=is_long))
        return row._replace(flaw=flaw or next(insane, ""))

    def columns(self, rows: Sequence[Row]) -> list[AmountColumn]:
        """The amounts of rows that are decoded."""
        if isinstance(rows, Rows) and rows.columns is not None:
            return rows.columns
        found = [None if row.flaw else row.amounts for row in rows]
        fiat, crypto = _texts(found, self.resource.fiat_code), _texts(found, self.resource.crypto_code)
        columns = list[AmountColumn]()
        for path, members in self._holders.items():
            holders = _at(found, path)
            for name, is_fiat in members:
                values = _numbers(_at(holders, (name,)))
                columns.append(AmountColumn(".".join((*path, name)), fiat if is_fiat else crypto, values))
        return columns

    def _decoded(self, raw: bytes) -> tuple[Any, str, str]:
        """What is wanted of a record, its key as one text, empty when it has none, and its flaw."""
        if self._is_respelt is None:
            self._is_respelt = lenient.is_respelt(raw, self._tree)
        found, flaw = None, ""
        for is_respelt in (True,) if self._is_respelt else (False, True):
            try:
                found = self._decoders[0](lenient.refold(raw, self._tree) if is_respelt else raw)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                found, flaw = self._decode_slowly(raw)
            parts = [_texts([found], path)[0] for path in self._keys]
            if any(parts):
                return found, "|".join(parts), flaw
        return found, "", flaw

    def _decode_slowly(self, raw: bytes) -> tuple[Any, str]:
        """The record, and which amount, or what it is in, can't be read."""
        folded, unreadable = lenient.refold(raw, self._tree), lenient.unreadable(raw)
        field = ""
        for decode in self._decoders:  # without amounts, and then without their currencies, where these can't be read
            try:
                return decode(folded), unreadable or field
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                _, found, place = str(error).rpartition("$.")  # nothing when the whole is no JSON
                field = place.rstrip("`") if found else ""
        value, key = lenient.value_at(folded, field) if field else "a value", ""
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            members = lenient.members(folded)
            key = "|".join(_plain(members.get(name)) for name in self.resource.key)
        raise NexusDataError(self.resource.name, key, field or "?", value, _KIND)


def _are_sane(values: Iterable[Decimal | None], *, is_long: bool) -> bool:
    """Whether numbers are of a size that amounts have; those of a long record may have very many digits after the point."""
    known = [value for value in values if value is not None]
    sizes = set(map(Decimal.adjusted, known))
    if sizes and not -_MOST_DIGITS <= min(sizes) <= max(sizes) <= _MOST_DIGITS:
        return False
    return not is_long or all(-int(value.as_tuple().exponent) <= _MOST_DIGITS for value in known)


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


def _at(found: list[Any], path: tuple[str, ...]) -> list[Any]:
    """What lies on a path in each of many objects; nothing where one of them is nothing."""
    for name in path:
        get = attrgetter(name)
        try:
            found = list(map(get, found))
        except AttributeError:  # one of them is nothing
            found = [getattr(each, name, None) for each in found]
    return found


def _texts(found: list[Any], path: tuple[str, ...]) -> list[str]:
    """Scalars on a path as text; empty where there is none."""
    if not path:
        return [""] * len(found)
    return [each if each.__class__ is str else _plain(each) for each in _at(found, path)]


def _numbers(values: list[Any]) -> list[Decimal | None]:
    """Numbers as they were decoded; what is none raises as :func:`money` does."""
    if _NUMBERS.issuperset(map(type, values)):
        return values
    plain = [Decimal(each) if each.__class__ is int else each for each in values]
    return [each if each is None or each.__class__ is Decimal else money(each) for each in plain]


def _plain(value: Raw | Decimal | str | None) -> str:
    """A JSON scalar as text: strings without their quotes, numbers as they were written, null as nothing."""
    if not isinstance(value, Raw):
        return "" if value is None else str(value)
    text = bytes(value)
    if text[:1] == b'"':
        return str(_decode_plain(text))
    return "" if text in (b"null", b"") else text.decode()
