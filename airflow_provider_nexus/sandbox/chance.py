"""Repeatable chance: numbers that depend on a seed, a kind and a row alone, so that nothing has to be stored per row."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

_MASK = (1 << 64) - 1
_UNPACK = struct.Struct("<16I").unpack
SCALE = 1 << 32
"""Words are below this."""

Words = tuple[int, ...]
"""Sixteen numbers of 32 bits."""


def scatter(salt: int, row: int) -> int:
    """64 bits that look random (splitmix64); cheaper than :func:`deal` where one number is enough."""
    bits = (row * 0x9E3779B97F4A7C15 + salt) & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)


@lru_cache(maxsize=4096)
def salt_of(seed: int, kind: str) -> int:
    """A salt for :func:`scatter`, its own for every kind."""
    return int.from_bytes(blake2b(f"{seed}/{kind}".encode(), digest_size=8).digest(), "little")


def dealer(seed: int, kind: str) -> Callable[[int], Words]:
    """A function that deals each row its own sixteen words."""
    base = blake2b(f"{seed}/{kind}/".encode(), digest_size=64)

    def deal(row: int) -> Words:
        digest = base.copy()
        digest.update(row.to_bytes(8, "little"))
        return _UNPACK(digest.digest())

    return deal


def share(bits: int) -> float:
    """A word as a fraction from 0 to 1."""
    return (bits % SCALE) / SCALE
