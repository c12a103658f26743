"""Finds the manifests of a table of a SQL database. Of its rows only the open ones are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.manifest import Manifest
from airflow_provider_nexus.load.sql.bookkeeping import Bookkeeping
from airflow_provider_nexus.load.sql.check import ManifestCheck
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.sessions import snapshot
from airflow_provider_nexus.load.sql.tables import unsettled_in
from airflow_provider_nexus.report.collection import Chain, ResourceCopy, ShownManifest, WindowEntry, Wording, read_manifest
from airflow_provider_nexus.report.page import put_page, render
from airflow_provider_nexus.report.section import has_plain_keys

TABLES = Wording(
    holder="Table",
    no_open="Not known: these records have no status by which they come to an end.",
    made_from=(
        "Made from the manifests of the table; open records are counted in it. Whether its rows still are as the manifests "
        "state was not looked at:"
    ),
    note=(
        "Counts and sums are of each window as it was last read whole. Rows that other readings have changed since are so in "
        "the table, and not in these numbers."
    ),
)
_HIDDEN = "not shown"


def write_table_report(copy: SqlCopy, *, made_at: datetime | None = None) -> str:
    """A report on the manifests of a table. It shows each of them in full, as there are no files to link to.

    :param copy: as :func:`~airflow_provider_nexus.verify.tables.open_table` finds it
    :param made_at: when it is made; by default now
    :return: HTML, one page, the same for the same table and moment
    :raises NexusConfigurationError: when nothing was ever loaded into the table
    :raises NexusStorageError: when the database fails
    """
    return render([collection_of(copy)], TABLES, made_at=made_at)


def put_table_report(copy: SqlCopy, target: Any, *, made_at: datetime | None = None) -> int:
    """Write :func:`write_table_report` into a file, whole or not at all.

    :param target: the file, any path object that behaves like ``pathlib.Path``; its folder is made if it is missing
    :return: its size in bytes
    :raises NexusConfigurationError: when nothing was ever loaded into the table
    :raises NexusStorageError: when the database fails, or the file can't be written
    """
    return put_page(lambda: write_table_report(copy, made_at=made_at), target)


def collection_of(copy: SqlCopy) -> ResourceCopy:
    """The copy in a table, as its books have it.

    :raises NexusConfigurationError: when nothing was ever loaded into the table
    :raises NexusStorageError: when the database fails
    """
    model = copy.model
    with failing("read", model.name), snapshot(copy.engine) as connection:
        books = Bookkeeping(connection, model)
        checked = ManifestCheck(books, model)
        loads = [_LoadRow(dict(row), tuple(flaws), f"{model.name}-{row['number']}") for row, flaws in checked.walk()]
        lost, aside, unsettled = list(checked.lost()), books.rejected_counts(), unsettled_in(connection, model)
    follows = copy.resource.lifecycle and model.source.created and model.source.status
    if not loads:
        raise NexusConfigurationError(f"no manifest of table {model.name}: sync something into it first")
    named = _by_name(loads)
    entries = [_entry(name, of_name, aside) for name, of_name in named.items()]
    entries.sort(key=lambda each: (each.start, each.end or each.start, each.label))
    hides_keys = not has_plain_keys(copy.resource.name)
    shown = [ShownManifest(load.anchor, load.title(hides_keys=hides_keys), load.text(hides_keys=hides_keys)) for load in loads]
    windows = [load for of_name in named.values() for load in of_name]
    readings = [(load.label, load.manifest) for load in loads if load.manifest and load not in windows]
    return ResourceCopy(model.name, entries, [], readings, unsettled if follows else None, _chain(loads, named, lost), shown)


@dataclass(frozen=True)
class _LoadRow:
    """One row of the books: its columns by name, and what is wrong with its manifest."""

    columns: dict[str, Any]
    flaws: tuple[str, ...]
    anchor: str

    @property
    def label(self) -> str:
        return str(self.columns["label"])

    @cached_property
    def manifest(self) -> Manifest | None:
        """``None`` when it can't be read."""
        return read_manifest(self.columns["manifest"].encode())[0]

    @cached_property
    def sha256(self) -> str:
        """Digest of the manifest's text, as computed."""
        return manifests.digest_of(self.columns["manifest"].encode())

    @property
    def window(self) -> str:
        """Label of the window that it is of; empty when of none."""
        start, end = self.columns["window_start"], self.columns["window_end"]
        return Window(start, end).label if start and end and start < end else ""

    def title(self, *, hides_keys: bool) -> str:
        title = f"Load {self.columns['number']}: {self.label}, SHA-256 {self.sha256}"
        return f"{title}, without keys, as those are personal" if hides_keys else title

    def text(self, *, hides_keys: bool) -> str:
        if not hides_keys:
            return str(self.columns["manifest"])
        if not self.manifest:
            return _HIDDEN
        members = self.manifest.dump()
        for name in ("first", "last"):
            members[name] = members[name] and {**members[name], "key": _HIDDEN}
        return json.dumps(members, indent=1, sort_keys=True, ensure_ascii=False)


def _by_name(loads: list[_LoadRow]) -> dict[str, list[_LoadRow]]:
    """The loads of each window and of each whole reading, by its label. A window that was read again whole is still that one."""
    named: dict[str, list[_LoadRow]] = {}
    windows = {load.label for load in loads if load.columns["feed"] == "created"}
    for load in loads:
        if load.columns["feed"] in ("created", "whole"):
            named.setdefault(load.label, []).append(load)
        elif load.columns["feed"] == "reread" and load.window in windows:
            named.setdefault(load.window, []).append(load)
    return named


def _entry(name: str, loads: list[_LoadRow], aside: Mapping[str, dict[tuple[str, str], int]]) -> WindowEntry:
    last = loads[-1]
    before = ["", *(load.sha256 for load in loads)]
    return WindowEntry(
        label=name,
        path="",
        start=last.columns["window_start"] or last.columns["read_at"],
        end=last.columns["window_end"],
        manifest=last.manifest,
        sha256=last.sha256,
        replaces=before[-2],
        replaced={load.sha256: digest for load, digest in zip(loads[:-1], before, strict=False)},
        flaws=list(last.flaws),
        put_aside=aside.get(last.label, {}),
        anchor=last.anchor,
    )


def _chain(loads: list[_LoadRow], named: Mapping[str, list[_LoadRow]], lost: list[str]) -> Chain:
    """Each load names the digest of the one before, whatever it was of."""
    replaced = {load.columns["number"] for of_name in named.values() for load in of_name[:-1]}
    broken = [(f"load {load.columns['number']}, {load.label}", flaw) for load in loads for flaw in load.flaws]
    led_to = [load.columns["number"] - 1 for load in loads if load.columns["previous"]]
    return Chain(len(led_to), sum(number in replaced for number in led_to), broken + [("the table", flaw) for flaw in lost])
