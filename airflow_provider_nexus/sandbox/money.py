"""Amounts as JSON numbers, in all the spellings that Nexus was seen to send. See docs/api_facts.rst, Oddities.

An amount is a whole number of units at a scale: 199_99 at scale 2 is 199.99. Sums are taken over the text that is sent.
"""

from __future__ import annotations

from decimal import Context, Decimal

from msgspec import Raw

PLAIN, WHOLE, NOISY, TINY, HUGE, ZERO = range(6)
"""Spellings: digits at the scale; an integer where it is one; float noise; exponent form; large; zero."""

CENTS, UNITS, PRICE_SCALE = 2, 8, 6
"""Scales of fiat amounts, crypto amounts and prices."""

HUGE_SHARE = 1 / 64
"""Share of rows that are spelt large where amounts are awkward; none of them ever succeeds."""

_EXACT = Context(prec=80)
_PLAIN = {scale: (b"%%d.%%0%dd" % scale, 10**scale) for scale in (2, 6, 8)}


def spelling(word: int) -> int:
    """The spelling of a row: one in eight is not plain."""
    pick = word % 64
    return (WHOLE, WHOLE, WHOLE, NOISY, NOISY, TINY, HUGE, ZERO)[pick] if pick < 8 else PLAIN


def text(units: int, scale: int, spelt: int = PLAIN) -> str:
    """The amount as the text of a JSON number."""
    if spelt in (PLAIN, HUGE):
        return plain(units, scale)
    if spelt == NOISY:
        return repr(units * 10.0**-scale)
    if spelt == TINY and 0 < abs(units) * 1000 < 10**scale:
        return scientific(units, scale)
    if spelt in (WHOLE, ZERO) and units % 10**scale == 0:
        return str(units // 10**scale)
    return plain(units, scale)


def number(units: int, scale: int, spelt: int = PLAIN) -> Raw:
    """The same, ready to be written into a record."""
    if units >= 0 and spelt == PLAIN and scale in _PLAIN:
        pattern, power = _PLAIN[scale]
        return Raw(pattern % divmod(units, power))
    return Raw(text(units, scale, spelt).encode())


def fiat(cents: int, spelt: int = PLAIN) -> Raw:
    """A fiat amount."""
    return number(cents, CENTS, spelt)


def crypto(units: int, spelt: int = PLAIN) -> Raw:
    """A crypto amount."""
    return number(units, UNITS, spelt)


def price(millionths: int) -> Raw:
    """A price."""
    return number(millionths, PRICE_SCALE)


def units_for(cents: int, price: int) -> int:
    """How much crypto a value buys."""
    return cents * 10**12 // price


def cents_for(units: int, price: int) -> int:
    """What an amount of crypto is worth."""
    return units * price // 10**12


def plain(units: int, scale: int) -> str:
    """Digits at the scale, zeros at the end included: ``199.99998000``."""
    whole, part = divmod(abs(units), 10**scale)
    return f"{'-' if units < 0 else ''}{whole}.{part:0{scale}d}"


def scientific(units: int, scale: int) -> str:
    """.NET's exponent form, two digits of exponent: ``-1E-05``."""
    digits = str(abs(units))
    mantissa = digits.rstrip("0")
    exponent = len(digits) - 1 - scale
    tail = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{'-' if units < 0 else ''}{mantissa[0]}{tail}E{exponent:+03d}"


def decimal(value: object) -> Decimal:
    """A number of a record as a ``Decimal``; null counts as zero."""
    return Decimal(0) if value is None else Decimal(bytes(value).decode() if isinstance(value, Raw) else str(value))


def add(sum_so_far: Decimal, value: object) -> Decimal:
    """The exact sum of a ``Decimal`` and a number of a record."""
    return _EXACT.add(sum_so_far, decimal(value))


def raw(value: Decimal) -> Raw:
    """A ``Decimal`` as a number without an exponent."""
    return Raw(f"{value:f}".encode())
