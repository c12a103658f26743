"""Resource: one entry of the catalogue, with paths, key, filters, lifecycle and schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from functools import cached_property

from airflow_provider_nexus.api.codes import path_segment
from airflow_provider_nexus.api.lifecycles import Lifecycle
from airflow_provider_nexus.api.schemas.field import Field, Schema


class Shape(StrEnum):
    """How the records of a resource lie in its answer."""

    PAGED = "paged"
    """``values`` is a page object with ``records``."""
    ARRAY = "array"
    """An array of records, all of them."""
    OBJECT = "object"
    """One object that is the record."""
    LISTS = "lists"
    """An object with one or more arrays of records."""
    KEYED = "keyed"
    """An object keyed by the record's code, or one that contains such an object."""


def words(text: str) -> tuple[str, ...]:
    """Many names, each of one word, written as a text that reads better than as many in quotes."""
    return tuple(text.split())


@dataclass(frozen=True)
class DateFilter:
    """A pair of query names that bounds a time stamp. Whether the bounds are inclusive is not known.

    :param until: name of the upper bound; empty where there is none
    :param stamp: wire name of the field that it bounds
    """

    since: str
    until: str
    stamp: str = "created"


@dataclass(frozen=True, eq=False)  # of each there is one, which is itself alone
class Resource:
    """One collection or snapshot of Nexus.

    :param name: snake_case plural
    :param path: path of the collection; ``{parent}`` in place of the parent's code
    :param meaning: one line for a person
    :param surface: ``A`` (classic), ``B`` (CASP) or ``AB``
    :param api_version: the ``api_version`` header, docs/api_facts.rst, Headers
    :param shape: how the records lie in the answer
    :param is_seen: whether a source shows an answer. Where the shape is declared alone, every one that a source allows is read:
        an array, a page, an array under one of ``wrapped_in``, or one object that is the only record
    :param wrapped_in: members of ``values`` that the list may lie under
    :param envelope: whether the answer is wrapped in ``{message, errors, values}``
    :param key: wire names of the fields that make one record another than the next, dotted where they lie deeper
    :param member_path: path of one record, ``{code}`` standing for its key; empty where there is none
    :param has_aliases: whether a record is found by other names than its key as well
    :param created: the date filter on the creation stamp, also the stamp to sort by; ``None`` where there is none
    :param finished: a second date filter on the stamp of the end
    :param stamp: the field to sort by where there is no date filter; empty where there is none
    :param sorted_by: name to ask for the order by, where it is not that of the field
    :param mutable: whether a record changes after it was made
    :param cancel: method and path of the call that cancels a record; empty where there is none
    :param parent: the resource whose records each have a collection of this kind; empty for a top-level one
    :param parent_field: wire name that a record has the parent's code under
    :param parent_query: query name that carries the parent's code where the path does not
    :param parent_only: a flag of the parent's records that must be true for the collection to be read
    :param totals_path: path of sums per status and currency
    :param totals_flag: wire name of a flag that the totals can be asked by, as they don't show it; empty where there is none
    :param not_members: paths of other calls that only look like one record's
    :param totals_fields: wire name of a sum in the totals -> wire name of the amount that it adds up
    :param holders: for ``LISTS`` and ``KEYED``: members of the answer that contain records, each with the mark that its
        records get in ``holder_field``
    :param keyed_by: for ``KEYED``: wire name that a record has the dictionary's key under
    :param lifted: members of the answer that are copied into each record
    :param fiat_code: path of the currency that ``fiat`` amounts are in; ``crypto_code`` likewise
    """

    name: str
    path: str
    schema: Schema
    meaning: str
    _: KW_ONLY
    surface: str = "AB"
    api_version: str = "1.2"
    shape: Shape = Shape.PAGED
    is_seen: bool = True
    wrapped_in: tuple[str, ...] = ()
    envelope: bool = True
    key: tuple[str, ...] = ("code",)
    member_path: str = ""
    has_aliases: bool = False
    created: DateFilter | None = None
    finished: DateFilter | None = None
    stamp: str = ""
    sorted_by: str = ""
    filters: tuple[str, ...] = ()
    mutable: bool = True
    lifecycle: Lifecycle | None = None
    cancel: tuple[str, str] | tuple[()] = ()
    parent: str = ""
    parent_field: str = ""
    parent_query: str = ""
    parent_only: str = ""
    totals_path: str = ""
    totals_flag: str = ""
    totals_fields: Mapping[str, str] = field(default_factory=dict)
    not_members: tuple[str, ...] = ()
    holders: Mapping[str, str] = field(default_factory=dict)
    holder_field: str = ""
    keyed_by: str = ""
    lifted: tuple[str, ...] = ()
    fiat_code: tuple[str, ...] = ()
    crypto_code: tuple[str, ...] = ()

    @property
    def is_windowed(self) -> bool:
        """Whether a window of time can be asked for: it has both bounds and belongs to no other record."""
        return self.created is not None and bool(self.created.until) and not self.parent

    @cached_property
    def _pillars(self) -> frozenset[str]:
        """Fields that identify records, order them and name the currencies of their amounts, and the objects around those."""
        stamps = (dates.stamp for dates in (self.created, self.finished) if dates)
        status = self.lifecycle.status_field if self.lifecycle else ""
        names = (*self.key, *stamps, self.stamp, status, ".".join(self.fiat_code), ".".join(self.crypto_code))
        parts = [name.lower().split(".") for name in names if name]
        return frozenset(".".join(path[:depth]) for path in parts for depth in range(1, len(path) + 1))

    def must_be_typed(self, path: str, field: Field) -> bool:
        """Whether a record is refused when the field at a dotted path can't be read: money, and what names or orders records.

        Any other stays as it came, since one that is of another kind than declared must not make a whole resource unreadable.
        """
        return field.holds_money or path.lower() in self._pillars

    @property
    def sort_name(self) -> str:
        """The name to ask for the order of creation by; empty where there is none."""
        return self.sorted_by or (self.created.stamp if self.created else self.stamp)

    def collection_path(self, parent: str = "") -> str:
        """The path of the collection, the parent's code percent-encoded; :func:`path_segment` refuses what can't be one."""
        if "{parent}" not in self.path:
            return self.path
        return self.path.replace("{parent}", path_segment(parent, f"code of one of {self.parent}"))

    def record_path(self, code: str) -> str:
        """The path of one record, its code percent-encoded; :class:`LookupError` where single ones can't be read."""
        if not self.member_path:
            raise LookupError(f"Nexus offers no call for one record of {self.name}: iterate over the collection instead")
        return self.member_path.replace("{code}", path_segment(code, f"code of one of {self.name}"))

    def owns_path(self, path: str) -> bool:
        """Whether a path is this resource's collection or one of its records; letters' case does not count."""
        whole = "/" + path.strip("/")
        if whole.lower() in (self.totals_path, *self.not_members):
            return False
        patterns = ("[^/]+".join(map(re.escape, re.split(r"\{\w+\}", known))) for known in (self.path, self.member_path) if known)
        return any(re.fullmatch(pattern, whole, re.IGNORECASE) for pattern in patterns)
