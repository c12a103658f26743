"""What the page is made from, whether the copies are files or tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.manifest import Manifest
from airflow_provider_nexus.verify.findings import gaps_between

VERDICTS = ("proved", "proved_shrunk", "unproved")


@dataclass(frozen=True)
class Wording:
    """How the page speaks of files, or of tables. All are HTML.

    :param holder: what contains one copy
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
    """What following the digests shows: how many were followed, and what is wrong, by window.

    :param superseded: how many lead to a manifest that has been replaced since, and is stored
    """

    links: int = 0
    superseded: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class ShownManifest:
    """A manifest that the page shows in full: at which anchor, what it is of, and its JSON."""

    anchor: str
    title: str
    text: str


@dataclass
class WindowEntry:
    """One window, or one reading of what has no windows.

    :param label: its name
    :param path: of its manifest, relative to the root of the report; empty when that is no file
    :param start: of the window, or the moment of the reading
    :param end: of the window; ``None`` for what has no windows
    :param manifest: ``None`` when it can't be read
    :param sha256: digest of the manifest as it is stored
    :param replaces: digest of the manifest that this one has replaced; empty for none
    :param replaced: SHA-256 of each stored manifest that it replaced, as computed, with the one that that one replaced
    :param flaws: what is wrong with what is stored
    :param put_aside: records that don't fit by field and reason
    :param anchor: where on the page its manifest is shown in full; empty when that is not done
    """

    label: str
    path: str
    start: datetime
    end: datetime | None
    manifest: Manifest | None
    sha256: str
    replaces: str = ""
    replaced: dict[str, str] = field(default_factory=dict)
    flaws: list[str] = field(default_factory=list)
    put_aside: dict[tuple[str, str], int] = field(default_factory=dict)
    anchor: str = ""

    @property
    def verdict(self) -> str:
        """As the manifest states; what is not known is not proved."""
        found = self.manifest.proof.verdict if self.manifest else ""
        return found if found in VERDICTS else str(Verdict.UNPROVED)

    @property
    def records(self) -> int:
        """Records stored."""
        return self.manifest.records if self.manifest else 0

    @property
    def rejected(self) -> int:
        """Records put aside."""
        return self.manifest.put_aside if self.manifest else 0

    @property
    def was_read_again(self) -> bool:
        """Whether its rows are not as they were first read."""
        return bool(self.replaces or (self.manifest and (self.manifest.patches or self.manifest.feed == "reread")))


@dataclass
class ResourceCopy:
    """The copy of one resource.

    :param path: of its folder, relative to the root of the report, or name of its table
    :param entries: with a manifest, oldest first
    :param empty: names of folders of windows that contain no manifest
    :param readings: manifests of readings that are no window, with their labels, oldest first
    :param unsettled: the records whose end has not been seen, by key; ``None`` when they are not known
    :param chain: what following the digests of its manifests shows
    :param manifests: those that the page shows in full, oldest first
    """

    path: str
    entries: list[WindowEntry]
    empty: list[str]
    readings: list[tuple[str, Manifest]]
    unsettled: dict[str, Open] | None
    chain: Chain
    manifests: list[ShownManifest] = field(default_factory=list)

    @property
    def latest(self) -> Manifest | None:
        """The latest manifest that can be read."""
        return next((entry.manifest for entry in reversed(self.entries) if entry.manifest), None)

    @property
    def resource(self) -> str:
        """Its name."""
        return (self.latest and self.latest.resource) or self.path.rpartition("/")[2] or "unnamed"

    @property
    def environment(self) -> str:
        """Its name."""
        return (self.latest and self.latest.environment) or "unnamed"

    @property
    def gaps(self) -> list[tuple[datetime, datetime]]:
        """The spans between the first and the last window that no window covers."""
        return gaps_between((entry.start, entry.end) for entry in self.entries if entry.end)

    @property
    def within(self) -> list[WindowEntry]:
        """The windows that lie within another one, whose records are those of that one."""
        return [entry for entry, other in self._met() if entry.end and other.end and entry.end <= other.end]

    @property
    def overlaps(self) -> list[tuple[WindowEntry, WindowEntry]]:
        """The windows that begin in another one and end after it, whose records are counted twice there, each with the other."""
        return [(entry, other) for entry, other in self._met() if entry.end and other.end and entry.end > other.end]

    @property
    def counted(self) -> list[WindowEntry]:
        """The entries whose records are added up."""
        inside = {id(entry) for entry in self.within}
        return [entry for entry in self.entries if id(entry) not in inside]

    def _met(self) -> Iterator[tuple[WindowEntry, WindowEntry]]:
        """The windows that begin before another one ends that begins before them, or with them and ends later."""
        widest: WindowEntry | None = None
        windows = [(entry.start, entry.end, entry) for entry in self.entries if entry.end]
        for start, end, entry in sorted(windows, key=lambda each: (each[0], -each[1].timestamp())):
            if widest and widest.end and start < widest.end:
                yield entry, widest
            if widest is None or widest.end is None or end > widest.end:
                widest = entry


def read_manifest(raw: bytes) -> tuple[Manifest | None, str]:
    """A manifest, or in words why it can't be read: one that is damaged takes its own line on the page, and not the page."""
    try:
        return manifests.parse(raw, ""), ""
    except NexusDataError as error:
        # the value is left out, as it may be a personal one
        what = {manifests.NAME: "", "manifest_version": ", as it is of another version: upgrade the provider"}
        return None, f"its manifest can't be read{what.get(error.field, f': its member {error.field} is not what it has to be')}"
