"""The page: one HTML file that loads nothing else, rendered, and put into its place."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import posixpath
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from airflow_provider_nexus import __version__
from airflow_provider_nexus import storage as store
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError, NexusStorageError
from airflow_provider_nexus.load.delta.found import open_table
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.report.amounts import exact, label_of, rounded
from airflow_provider_nexus.report.collection import VERDICTS, ResourceCopy, Wording
from airflow_provider_nexus.report.drawings import RECENT_TALL, RECENT_WIDE, recent
from airflow_provider_nexus.report.section import WORDS, Section, changes, span, stamp
from airflow_provider_nexus.report.tree import FILES, copies
from airflow_provider_nexus.verify.findings import verdict_of
from airflow_provider_nexus.verify.lake import OpenTable

_PACKAGE = "airflow_provider_nexus.report"


def write_report(root: Any, *, made_at: datetime | None = None, links_from: str = "", opened: OpenTable = open_table) -> str:
    """A report on the manifests under a folder.

    :param root: the path that a sync was given, or the folder of an environment or of a resource; any path object that
        behaves like ``pathlib.Path``
    :param made_at: when it is made; by default now. Ages count up to it, and nothing else on the page depends on the clock
    :param links_from: how to get from the folder that the page will lie in to ``root``, as in ``../data/``; empty when it
        will lie in ``root`` itself
    :param opened: opens a Delta table at its root; by default with the credentials that the machine has
    :return: HTML, one page, the same for the same manifests and arguments
    :raises NexusConfigurationError: when there is no manifest
    """
    every = copies(root, opened)
    found = [collection for collection in every if collection.entries]
    if not found:
        if store.read(root / NAME) is not None:
            raise NexusConfigurationError(f"{root} is the folder of one window: give that of its resource, {root.parent}")
        raise NexusConfigurationError(f"no manifest under {root}: give the path that a sync was given, or a folder under it")
    bare = [collection.path for collection in every if not collection.entries]
    return render(found, FILES, made_at=made_at, links_from=links_from, bare=bare)


def render(
    found: Iterable[ResourceCopy],
    wording: Wording,
    *,
    made_at: datetime | None = None,
    links_from: str = "",
    bare: Sequence[str] = (),
) -> str:
    """The page on copies, each with an entry, be they files or tables; of bare folders of windows none has a manifest."""
    now = made_at or datetime.now(UTC)
    ordered = sorted(found, key=lambda each: (each.environment, each.resource, each.path))
    sections = [Section(place, collection, now) for place, collection in enumerate(ordered)]
    sheets = ["report.css", *(["manifests.css"] if any(collection.manifests for collection in ordered) else [])]
    return filled(
        "report.html",
        sheets,
        links_from=links_from,
        sections=sections,
        summary=_summary(sections, bare),
        wording=wording,
        now=now,
        strip=(RECENT_WIDE, RECENT_TALL),
    )


def filled(template: str, sheets: Iterable[str], *, links_from: str = "", **values: Any) -> str:
    """A template as a page that loads nothing else, with its style sheets; ``links_from`` comes before the paths of its links."""
    environment = Environment(
        loader=PackageLoader(_PACKAGE), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.globals |= {"changes": changes, "span": span, "stamp": stamp, "words": WORDS, "version": __version__}
    environment.globals |= {
        "counted": number_of,
        "label_of": label_of,
        "rounded": rounded,
        "exact": exact,
        "marks": recent,
    }
    environment.filters["address"] = lambda path: links_from + quote(path)
    templates = resources.files(_PACKAGE) / "templates"
    style = "".join(templates.joinpath(name).read_text(encoding="utf-8") for name in sheets)
    # The page's own policy allows no other style than that of this hash.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    whole = {"style": Markup(style), "style_hash": f"sha256-{digest}"}  # noqa: S704 - it is our own
    return environment.get_template(template).render(**values, **whole)


def _summary(sections: list[Section], bare: Sequence[str]) -> dict[str, Any]:
    """The top of the page, of all resources together."""
    entries = [entry for section in sections for entry in section.collection.entries]
    found = {name: sum(section.counts[name] for section in sections) for name in VERDICTS}
    kinds = {"window" if section.has_windows else "reading" for section in sections}
    gaps = sum(len(section.gaps) for section in sections)
    overlaps = sum(len(section.collection.overlaps) + len(section.collection.within) for section in sections)
    problems = len(bare) + sum(section.problems for section in sections)
    unreadable = sum(entry.manifest is None for entry in entries)  # each of them is among the problems
    behind = min((section for section in sections if section.reaches), key=lambda each: each.reaches or each.now, default=None)
    return {
        **found,
        "verdict": verdict_of(problems, found["unproved"] - unreadable, gaps, overlaps),
        "level": "look" if problems or found["unproved"] else "gap" if gaps or overlaps else "sound",
        "behind": behind,
        "of": number_of(len(entries), kinds.pop()) if len(kinds) == 1 else f"{len(entries):,} windows and readings",
        "until": max((section.reaches for section in sections if section.reaches), default=None),
        "look": [(section, *each) for section in sections for each in section.to_look_into],
        "environments": sorted({section.collection.environment for section in sections}),
        "base_urls": sorted({entry.manifest.base_url for entry in entries if entry.manifest} - {""}),
        "versions": sorted({entry.manifest.provider_version for entry in entries if entry.manifest} - {""}),
        "windows": len(entries),
        "links": sum(section.chain.links for section in sections),
        "broken": sum(len(section.chain.broken) for section in sections),
        "rejected": sum(entry.rejected for entry in entries),
        "bare": list(bare),
    }


def put_report(root: Any, target: Any, *, made_at: datetime | None = None, opened: OpenTable = open_table) -> int:
    """Write :func:`write_report` into a file, whole or not at all.

    The links to the manifests lead from the file to the folder: relatively where both lie in one store, else by the folder's URL.

    :param target: the file, any path object that behaves like ``pathlib.Path``; its folder is made if it is missing
    :return: its size in bytes
    :raises NexusConfigurationError: when there is no manifest
    :raises NexusStorageError: when the manifests can't be read, or the file can't be written
    """
    return put_page(lambda: write_report(root, made_at=made_at, links_from=way(target, root), opened=opened), target)


def put_page(write: Callable[[], str], target: Any) -> int:
    """Write a page into a file, whole or not at all.

    :param write: makes the page
    :param target: the file, any path object that behaves like ``pathlib.Path``
    :return: its size in bytes
    :raises NexusConfigurationError: when the name is no page's, as over a manifest it would be the end of a proof
    :raises NexusStorageError: when what it is made from can't be read, or the file can't be written
    """
    if not str(target).lower().endswith((".html", ".htm")):
        raise NexusConfigurationError(f"the report can't lie in {address(target)}: name a file that ends in .html")
    try:
        page = write().encode()
    except NexusError:
        raise
    except Exception as error:  # each store has errors of its own
        raise NexusStorageError(f"what the report is made from can't be read: {type(error).__name__}: {error}") from error
    store.put(target, io.BytesIO(page), f"the report {address(target)}")
    return len(page)


def way(page: Any, root: Any) -> str:
    """How to get from a page to a folder, as a URL that ends in a slash; empty when the page lies in that folder."""
    (store_of_page, name), (store_of_root, folder) = _place(page), _place(root)
    if store_of_page != store_of_root:
        return f"{store_of_root}{quote(folder).rstrip('/')}/"
    steps = posixpath.relpath(folder, posixpath.dirname(name))
    return "" if steps == "." else f"{quote(steps)}/"


def address(path: Any) -> str:
    """A place in words, without the connection that its URL may name."""
    return str(path) if "://" not in str(path) else "".join(_place(path))


def _place(path: Any) -> tuple[str, str]:
    """Store and absolute path in it."""
    scheme, mark, rest = str(path).partition("://")
    if not mark:
        return "file://", os.path.abspath(scheme)  # noqa: PTH100 - links are followed by name, as browsers do
    authority, _, name = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}", f"/{name}"
