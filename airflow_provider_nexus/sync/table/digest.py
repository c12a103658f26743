"""How many rows there are, and what they are, in two numbers that can be kept up to date row by row."""

from __future__ import annotations

from dataclasses import dataclass

_MODULUS = 1 << 256
_MARK = "sha256-sum:"


@dataclass
class Sum:
    """A count of rows, and a digest of their contents that does not depend on their order: the sum modulo 2^256."""

    records: int = 0
    total: int = 0

    def add(self, content: str, sign: int = 1) -> None:
        """Count a row, or with ``sign=-1`` take it away.

        :param content: SHA-256 in hex
        """
        self.records += sign
        self.total = (self.total + sign * int(content, 16)) % _MODULUS

    @property
    def digest(self) -> str:
        """The digest as text."""
        return f"{_MARK}{self.total:064x}"

    @classmethod
    def of(cls, records: int, digest: str) -> Sum:
        """What was stored."""
        return cls(records, int(digest.removeprefix(_MARK), 16))
