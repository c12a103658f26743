"""What the page is made from, whatever the manifests are kept in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_nexus.report.values import count, items, mapping, text

VERDICTS = ("proved", "proved_shrunk", "unproved")


@dataclass(frozen=True)
class Keeping:
    """How the page speaks of what the copies are kept in. All are HTML.

    :param holder: what holds one copy
    :param no_open: why the open records are not known
    :param made_from: what the page is made from, and what was not looked at that ``airflow nexus verify`` looks at
    :param note: what is to be known of the counts and sums; empty for nothing
    """

    holder: str
    no_open: str
    made_from: str
    note: str = ""


@dataclass
class Chain:
    """What following the digests shows.

    :param links: digests that were followed to what they name
    :param superseded: those of them that lead to a manifest that has been replaced since, and is kept
    :param broken: window and what is wrong
    """

    links: int
    superseded: int
    broken: list[tuple[str, str]]


@dataclass(frozen=True)
class Manifest:
    """A manifest that the page tells in full.

    :param anchor: where
    :param title: what it is of
    :param text: its JSON
    """

    anchor: str
    title: str
    text: str


@dataclass
class Entry:
    """One window, or one reading of what has no windows.

    :param label: its name
    :param path: of its manifest, relative to the root of the report; empty when that is no file
    :param start: of the window, or the moment of the reading
    :param end: of the window; ``None`` for what has no windows
    :param facts: its manifest; empty when there is none or it can't be read
    :param sha256: digest of the manifest as it is stored; empty when there is none
    :param replaced: SHA-256 of each manifest kept that it replaced, as computed, with the one that that one replaced
    :param flaws: what is wrong with what is kept
    :param put_aside: records that don't fit by field and reason
    :param anchor: where on the page its manifest is told in full; empty when that is not done
    """

    label: str
    path: str
    start: datetime
    end: datetime | None
    facts: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    replaced: dict[str, str] = field(default_factory=dict)
    flaws: list[str] = field(default_factory=list)
    put_aside: dict[tuple[str, str], int] = field(default_factory=dict)
    anchor: str = ""

    @property
    def verdict(self) -> str:
        """As the manifest says; what is not known is not proved."""
        found = text(mapping(self.facts.get("proof")).get("verdict"))
        return found if found in VERDICTS else "unproved"

    @property
    def records(self) -> int:
        """Records stored."""
        return count(self.facts.get("records"))

    @property
    def rejected(self) -> int:
        """Records put aside."""
        return sum(count(mapping(each).get("records")) for each in items(self.facts.get("rejected")))

    @property
    def patches(self) -> list[Any]:
        """Later readings that changed it."""
        return items(self.facts.get("patches"))

    @property
    def was_read_again(self) -> bool:
        """Whether its rows are not as they were first read."""
        return bool(self.patches) or self.facts.get("feed") == "reread" or bool(text(self.facts.get("replaces")))


@dataclass
class Collection:
    """The copy of one resource.

    :param path: of its folder, relative to the root of the report, or name of its table
    :param entries: with a manifest, oldest first
    :param empty: names of folders of windows that hold no manifest
    :param readings: manifests of readings that are no window, with their labels, oldest first
    :param unsettled: key -> creation stamp and status; ``None`` when that is not known
    :param chain: what following the digests of its manifests shows
    :param manifests: those that the page tells in full, oldest first
    """

    path: str
    entries: list[Entry]
    empty: list[str]
    readings: list[tuple[str, dict[str, Any]]]
    unsettled: dict[str, str] | None
    chain: Chain
    manifests: list[Manifest] = field(default_factory=list)

    def first(self, name: str) -> str:
        """A member of the latest manifest that has it."""
        found = (text(entry.facts.get(name)) for entry in reversed(self.entries))
        return next((each for each in found if each), "")

    @property
    def resource(self) -> str:
        """Its name."""
        return self.first("resource") or self.path.rpartition("/")[2] or "unnamed"

    @property
    def environment(self) -> str:
        """Its name."""
        return self.first("environment") or "unnamed"
