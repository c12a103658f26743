"""Accounts of what is stored: how many records, digests of their keys and contents, exact sums.

One account for each format. All sums are exact, and the digests don't depend on the order of the records.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, localcontext
from itertools import accumulate, repeat
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec.structs import replace

from airflow_provider_nexus.api.rows import AmountColumn, Row, RowReader
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.totals import EXACT, Group, Totals, group_of, sum_of
from airflow_provider_nexus.load.columns import CONTENT, KEY, Table
from airflow_provider_nexus.load.days import DAY, MOST, Cell, Days
from airflow_provider_nexus.load.manifest import ChangeCounts, GroupTotals, Manifest, PatchedBy, TableState

if TYPE_CHECKING:
    from airflow_provider_nexus.load.copy import TableRow

R = TypeVar("R")
_MODULUS = 1 << 256
_MARK = "sha256-sum:"
_ZERO = Decimal()


@dataclass
class Digest:
    """A count of texts, and a digest that does not depend on their order: the sum of their SHA-256, modulo 2^256."""

    records: int = 0
    total: int = 0

    def add(self, sha256: str, sign: int = 1) -> None:
        """Count a text by its SHA-256 in hex, or with ``sign=-1`` take it away."""
        self.add_all([bytes.fromhex(sha256)], sign)

    def add_all(self, sha256: Sequence[bytes], sign: int = 1) -> None:
        """Count texts, or take them away."""
        self.records += sign * len(sha256)
        self.total = (self.total + sign * sum([int.from_bytes(each, "big") for each in sha256])) % _MODULUS

    def add_text(self, text: bytes, sign: int = 1) -> None:
        """Count a text by itself, or with ``sign=-1`` take it away."""
        self.add_all([hashlib.sha256(text).digest()], sign)

    def add_stored(self, contents: Iterable[object], sign: int = 1) -> None:
        """Count rows by their digests, or take them away; what somebody else has put there may be no digest."""
        for content in contents:
            try:
                self.add(content, sign)  # type: ignore[arg-type]
            except (ValueError, TypeError):
                self.add_text(str(content).encode(), sign)

    def plus(self, other: Digest) -> Digest:
        """That of both together."""
        return Digest(self.records + other.records, (self.total + other.total) % _MODULUS)

    @property
    def digest(self) -> str:
        """The digest, and how it is made."""
        return f"{_MARK}{self.total:064x}"

    @classmethod
    def of(cls, records: int | None, digest: str | None) -> Digest:
        """What was stored, if anything was."""
        return cls(records or 0, int(digest.removeprefix(_MARK), 16)) if digest else cls()


@dataclass
class TableDigests:
    """Counts and digests of a table's records as they are and, of a history, of all rows, those of deleted records included."""

    current: Digest = field(default_factory=Digest)
    versions: Digest = field(default_factory=Digest)

    def dump(self, *, is_history: bool) -> TableState:
        """The member of the manifest."""
        return TableState(
            records=self.current.records,
            digest=self.current.digest,
            versions=self.versions.records if is_history else None,
            versions_digest=self.versions.digest if is_history else None,
        )

    @classmethod
    def load(cls, stored: TableState) -> TableDigests:
        """What was dumped."""
        return cls(Digest.of(stored.records, stored.digest), Digest.of(stored.versions, stored.versions_digest))


class Account(Generic[R]):
    """What the records of a copy add up to: their number, a digest of their keys and one of their contents, exact sums by day.

    :param resource: its name, for errors
    """

    def __init__(self, resource: str) -> None:
        self._resource, self.keys, self.contents, self.days = resource, Digest(), Digest(), Days()
        self.sums = dict[tuple[str, str], Decimal]()
        """Exact sums by field and currency."""
        self.first: Row | None = None
        self.last: Row | None = None
        """The ends of what was counted, where the order of the records has a meaning."""

    @abstractmethod
    def add(self, rows: Sequence[R], sign: int = 1) -> None:
        """Count records as the copy stores them, or with ``sign=-1`` take them away.

        :raises NexusDataError: when an amount can't be added up exactly; then none of them was counted
        """

    def count(self, keys: Sequence[str], days: list[str], amounts: Iterable[AmountColumn], sign: int = 1) -> None:
        """Count records by their keys and days, and add up their amounts.

        :param days: that they were created on, in UTC; empty for one that has no stamp
        :raises NexusDataError: when an amount can't be added up exactly; then none of them was counted
        """
        sums, cells = self.sums.copy(), dict[Cell, Decimal]()
        grouped = dict[int, tuple[Sequence[str], dict[tuple[str, str], list[int]]]]()
        add, width = EXACT.add if sign > 0 else EXACT.subtract, self.days.width
        days = days if width == DAY else [day[:width] for day in days]
        with localcontext(EXACT):
            for column in amounts:
                values, currencies = column.values, column.currencies
                if id(currencies) not in grouped:  # columns share two lists of codes
                    _, places = grouped[id(currencies)] = currencies, {}
                    for place, group in enumerate(zip(days, currencies, strict=True)):
                        places.setdefault(group, []).append(place)
                _, places = grouped[id(currencies)]
                for (day, currency), mine in places.items():
                    if not (known := [value for place in mine if (value := values[place]) is not None]):
                        continue
                    name, cell = (column.field, currency), (day, column.field, currency)
                    try:
                        part = sum(known, _ZERO)  # the fastest loop over decimals
                        sums[name] = add(sums.get(name, _ZERO), part)
                        cells[cell] = add(self.days.sums.get(cell, _ZERO), part)
                    except ArithmeticError:
                        raise self._unfit(keys, column, currency, add) from None
        self.sums = sums
        for day, number in Counter(days).items():
            self.days.records[day] += sign * number
        self.days.sums |= cells
        if len(self.days.records) > MOST:
            self.days.fit()
        self.keys.add_all([hashlib.sha256(key.encode()).digest() for key in keys], sign)

    def _unfit(
        self, keys: Sequence[str], column: AmountColumn, currency: str, add: Callable[[Decimal, Decimal], Decimal]
    ) -> NexusDataError:
        """Names the first record whose amount can't be added to those before it."""
        of_all = zip(keys, column.currencies, column.values, strict=True)
        mine = [(key, value) for key, code, value in of_all if code == currency and value is not None]
        done = 0
        with suppress(ArithmeticError):
            before = self.sums.get((column.field, currency), _ZERO)
            for done, _ in enumerate(accumulate((value for _, value in mine), add, initial=before)):  # noqa: B007
                pass
        text = f"a number that can be added up in {EXACT.prec:,} digits"
        return NexusDataError(self._resource, mine[done][0], column.field, "an amount", text)

    @property
    def records(self) -> int:
        """How many there are."""
        return self.keys.records

    @property
    def key_digest(self) -> str:
        """A digest of the set of keys."""
        return self.keys.digest

    def members(self) -> dict[str, Any]:
        """The members of a manifest that it is about."""
        return self.counts

    @property
    def counts(self) -> dict[str, Any]:
        """Those of them that every format has."""
        sums = {"sums": self.sums_by_field, "days": self.days.dump()}
        return {"records": self.records, "key_digest": self.key_digest, **sums}

    @property
    def sums_by_field(self) -> dict[str, dict[str, str]]:
        """The sums as plain digits, by field, then by currency."""
        out: dict[str, dict[str, str]] = {}
        for (name, currency), value in sorted(self.sums.items()):
            out.setdefault(name, {})[currency] = f"{value:f}"
        return out


class LineAccount(Account[Row]):
    """The account of records that are stored as they came, whose amounts a reader of the resource reads."""

    def __init__(self, reader: RowReader) -> None:
        super().__init__(reader.resource.name)
        self._reader = reader

    def add(self, rows: Sequence[Row], sign: int = 1) -> None:
        """Count rows whose amounts are decoded."""
        days = [row.stamp[:DAY] for row in rows]
        self.count([row.key for row in rows], days, self._reader.columns(rows), sign)
        self.first, self.last = self.first or rows[0], rows[-1]


class Grouping:
    """Finds the groups and the amounts of rows of a table, of a resource with a totals endpoint."""

    def __init__(self, table: Table) -> None:
        resource = table.resource
        self.amounts = {path: table.by_path[path].name for path in resource.totals_fields.values()}
        """Wire name of each amount -> its column."""
        self.status, self.currency = table.status, table.by_path[".".join(resource.fiat_code)].name
        self.flag = table.by_path[resource.totals_flag].name if resource.totals_flag else ""
        self.columns = tuple(name for name in (self.status, self.currency, self.flag, *self.amounts.values()) if name)
        """All columns that matter."""
        self.places = [table.place(name) for name in self.columns]

    def count(self, totals: Totals, rows: Iterable[Sequence[Any]], sign: int = 1) -> None:
        """Add rows, of which only the columns that matter are given, to totals, or with ``sign=-1`` take them away."""
        groups = defaultdict[Group, list[Sequence[Any]]](list)
        first = 3 if self.flag else 2
        for row in rows:
            groups[group_of(row[0], row[1], bool(row[2]) if self.flag else None)].append(row[first:])
        for group, found in groups.items():
            columns = zip(*found, strict=True)
            sums = list(map(sum_of, columns))
            signed = sums if sign > 0 else [value.copy_negate() for value in sums]
            totals.add(group, sign * len(found), dict(zip(self.amounts, signed, strict=True)))


class TableAccount(Account["TableRow"]):
    """The account of rows of a table, with their contents and, where Nexus has totals, counts and sums by group.

    :param table: whose rows they are
    :param stored: the manifest of a folder, or of a load, to go on from; by default from nothing
    """

    def __init__(self, table: Table, stored: Manifest | None = None) -> None:
        super().__init__(table.resource.name)
        resource = table.resource
        place = {path: table.place(column.name) for path, column in table.by_path.items()}
        fiat, crypto = (place.get(".".join(code)) for code in (resource.fiat_code, resource.crypto_code))
        self._created = place.get(resource.created.stamp if resource.created else resource.stamp)
        self._codes = [place for place in (fiat, crypto) if place is not None]
        self._amounts = [
            (".".join(path), place[".".join(path)], fiat if field.unit == "fiat" else crypto)
            for path, field in resource.schema.amounts()
        ]
        self._grouping = Grouping(table) if resource.totals_path else None
        self._totals = stored.group_totals if stored else Totals()
        if stored:
            self.keys, self.contents = (Digest.of(stored.records, each) for each in (stored.key_digest, stored.content))
            sums = stored.sums.items()
            self.sums = {(name, code): Decimal(digits) for name, by_code in sums for code, digits in by_code.items()}
            self.days = stored.day_totals

    def add(self, rows: Sequence[TableRow], sign: int = 1) -> None:
        """Count rows, or with ``sign=-1`` take them away."""
        if not rows:
            return
        columns = list(zip(*rows, strict=True))
        codes = {None: [""] * len(rows)} | {place: [code or "" for code in columns[place]] for place in self._codes}
        amounts = (AmountColumn(name, codes[currency], columns[place]) for name, place, currency in self._amounts)
        stamps = repeat(None, len(rows)) if self._created is None else columns[self._created]
        days = ["" if stamp is None else stamp.isoformat()[:DAY] for stamp in stamps]
        self.count(columns[KEY], days, amounts, sign)
        self.contents.add_all(list(map(bytes.fromhex, columns[CONTENT])), sign)
        if self._grouping:
            self._grouping.count(self._totals, zip(*(columns[place] for place in self._grouping.places), strict=True), sign)

    def members(self) -> dict[str, Any]:
        """The members of a manifest that describe the rows of a folder."""
        grouped = {"totals": [GroupTotals(**each) for each in self._totals.dump()]} if self._grouping else {}
        return {**super().members(), "content": self.contents.digest, **grouped}

    def patched(self, manifest: Manifest, read_at: datetime, read_by: str, changes: ChangeCounts) -> Manifest:
        """The manifest of the rows, of which a later reading has changed some."""
        by = PatchedBy(read_at=to_wire(read_at), read_by=read_by, **changes.dump())
        return replace(manifest, **self.members(), patches=[*manifest.patches, by])
