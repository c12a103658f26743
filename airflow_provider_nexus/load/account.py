"""Accounts of what is stored: how many records, digests of their keys and contents, exact sums.

One account for each format. All sums are exact, and the digests don't depend on the order of the records.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.totals import EXACT

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
        """Count a text, or with ``sign=-1`` take it away.

        :param sha256: of the text, in hex
        """
        self.records += sign
        self.total = (self.total + sign * int(sha256, 16)) % _MODULUS

    def add_text(self, text: bytes, sign: int = 1) -> None:
        """Count a text by itself, or with ``sign=-1`` take it away."""
        self.add(hashlib.sha256(text).hexdigest(), sign)

    def plus(self, other: Digest) -> Digest:
        """That of both together."""
        return Digest(self.records + other.records, (self.total + other.total) % _MODULUS)

    @property
    def digest(self) -> str:
        """The digest, and how it is made."""
        return f"{_MARK}{self.total:064x}"

    @classmethod
    def of(cls, records: int, digest: str) -> Digest:
        """What was stored."""
        return cls(records, int(digest.removeprefix(_MARK), 16))


class Account(Generic[R]):
    """What the records of a copy add up to: their number, a digest of their keys and one of their contents, exact sums.

    :param resource: its name, for errors
    :param stored: members of a manifest to go on from; by default from nothing
    """

    def __init__(self, resource: str, stored: Mapping[str, Any] | None = None) -> None:
        self._resource, stored = resource, stored or {}
        records = stored.get("records", 0)
        self.keys = Digest.of(records, stored["key_digest"]) if stored else Digest()
        self.contents = Digest.of(records, stored["content"]) if stored.get("content") else Digest()
        sums = stored.get("sums", {}).items()
        self.sums = {(name, code): Decimal(digits) for name, by_code in sums for code, digits in by_code.items()}
        """Exact sums by field and currency."""
        self.first: Row | None = None
        self.last: Row | None = None
        """The ends of what was counted, where the order of the records has a meaning."""

    @abstractmethod
    def add(self, item: R, sign: int = 1) -> None:
        """Count a record as the copy stores it, or with ``sign=-1`` take it away."""

    def count(self, key: str, amounts: Iterable[tuple[str, str, Decimal]], sign: int = 1) -> None:
        """Count a record.

        :param amounts: field, currency and value of each
        :raises NexusDataError: when an amount can't be added up exactly
        """
        self.keys.add(hashlib.sha256(key.encode()).hexdigest(), sign)
        sums, add = self.sums, EXACT.add if sign > 0 else EXACT.subtract
        for name, currency, value in amounts:
            place = name, currency
            try:
                sums[place] = add(sums.get(place, _ZERO), value)
            except ArithmeticError:
                text = f"a number that can be added up in {EXACT.prec:,} digits"
                raise NexusDataError(self._resource, key, name, "an amount", text) from None

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
        return {"records": self.records, "key_digest": self.key_digest, "sums": self.sums_by_field}

    @property
    def sums_by_field(self) -> dict[str, dict[str, str]]:
        """The sums as plain digits, by field, then by currency."""
        out: dict[str, dict[str, str]] = {}
        for (name, currency), value in sorted(self.sums.items()):
            out.setdefault(name, {})[currency] = f"{value:f}"
        return out


class LineAccount(Account[Row]):
    """The account of records that are stored as they came.

    :param reader: reads the amounts of the resource's rows
    """

    def __init__(self, reader: RowReader) -> None:
        super().__init__(reader.resource.name)
        self._reader = reader

    def add(self, item: Row, sign: int = 1) -> None:
        """Count a row.

        :raises NexusDataError: when an amount is no finite number, or none that can be added up exactly
        """
        self.count(item.key, self._reader.amounts(item), sign)
        self.first, self.last = self.first or item, item
