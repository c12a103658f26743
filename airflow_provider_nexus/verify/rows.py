"""Rows that are read again to be counted anew, in whatever format they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

from airflow_provider_nexus import __version__


class Rows(Protocol):
    """Reads the files of one folder, one row in memory at a time.

    :ivar records: read so far
    """

    records: int

    def read(self, path: Any) -> Iterator[str]:
        """Read a file to its end.

        :return: one line for each row that is not what it says of itself
        """

    def differences(self, manifest: Mapping[str, Any]) -> Iterator[str]:
        """What the manifest says and the rows do not, one line each."""


def differing(names: tuple[str, ...], found: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[str]:
    """The members of a manifest that are not those that were found; sums are compared as numbers.

    :param found: members made of the rows
    """
    for name in names:
        if name in found and not _same(name, found[name], manifest):
            told = f"{manifest.get(name)}, not {found[name]}" if name == "records" else "something else than the rows"
            yield f"its {name} say {told}"


def _same(name: str, found: Any, manifest: Mapping[str, Any]) -> bool:
    mine, theirs = plain(name, found), plain(name, manifest.get(name))
    if name == "sums" and manifest.get("provider_version") != __version__:
        # Another version may know other amounts.
        known = {field for field, _ in mine} & {field for field, _ in theirs}
        mine, theirs = ({at: value for at, value in each.items() if at[0] in known} for each in (mine, theirs))
    return bool(mine == theirs)


def plain(name: str, value: Any) -> Any:
    """A member in a form that does not depend on how its numbers are spelt; sums of nothing are left out."""
    if name == "sums" and isinstance(value, Mapping):
        return {
            (field, currency): number
            for field, held in value.items()
            for currency, digits in held.items()
            if (number := Decimal(digits))
        }
    return value
