"""Whether a key came twice in a reading, at eight bytes a record."""

from __future__ import annotations

from array import array

_BUCKETS = 256


class Keys:
    """The keys of a reading, as Python's own hashes of 64 bits.

    Two keys that share one are taken for the same, with a chance below one in ten million among a million records. They are then
    read again, and by another try with other hashes.
    """

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(_BUCKETS)]

    def add(self, key: str) -> None:
        """Take a key."""
        number = hash(key)
        self._buckets[number % _BUCKETS].append(number)

    @property
    def repeated(self) -> int:
        """How many keys were taken that had been taken before."""
        return sum(len(bucket) - len(set(bucket)) for bucket in self._buckets)
