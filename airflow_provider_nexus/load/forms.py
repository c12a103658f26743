"""The forms in which loaders of warehouses take a list of files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.listing import ListedWindow, Listing
from airflow_provider_nexus.load.manifest import File
from airflow_provider_nexus.load.paths import BUCKET_STORES

MOST_NAMED = 1_000
"""Files that ``FILES`` of Snowflake's and Databricks' ``COPY INTO`` may name."""
MOST_URIS = 10_000
"""URIs that a load job of BigQuery may name."""
_STORES = BUCKET_STORES | {"s3n": "s3"}
Part = str | Sequence[str] | Mapping[str, Any]
"""What one statement or job of a loader takes."""


def in_form(listing: Listing, form: str, relative_to: Any = None) -> list[Part]:
    """A list of files in a form, parted by what one statement of the loader may name. Without files there is no part.

    :param form: one of :data:`FORMS`
    :param relative_to: the place that a stage or a ``FROM`` names; by default the root of the listing. Only for the forms that
        name files relatively
    :raises NexusConfigurationError: when the loader can't read from that store, or a file does not lie below that place
    """
    if relative_to is not None and form not in RELATIVE:
        raise NexusConfigurationError(f"form is {form!r}, which names whole addresses: leave out relative_to")
    if not any(window.manifest.files for window in listing.windows):
        return []
    return FORMS[form](listing, listing.root if relative_to is None else relative_to)


def to_text(parts: Sequence[Part], form: str) -> str:
    """Parts as a file has them: a line for each that is text, else JSON; of Redshift the one manifest."""
    if form in ("list", *RELATIVE):
        return "".join(f"{part}\n" for part in parts)
    whole: object = parts if form != "redshift" else parts[0] if parts else {"entries": []}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _files(windows: Iterable[ListedWindow]) -> list[tuple[str, File]]:
    """The files of windows, each with its address."""
    return [(f"{address(window.folder)}/{file.name}", file) for window in windows for file in window.manifest.files]


def _addresses(listing: Listing, _: Any) -> list[Part]:
    return [url for url, _ in _files(listing.windows)]


def _json(listing: Listing, _: Any) -> list[Part]:
    return [_described(window) for window in listing.windows if window.manifest.files]


def _described(window: ListedWindow) -> dict[str, Any]:
    manifest = window.manifest
    files = [{"url": url, "bytes": file.bytes, "records": file.records, "sha256": file.sha256} for url, file in _files([window])]
    span = {"start": manifest.window.start, "end": manifest.window.end} if manifest.window else {}
    return {**span, "read_at": manifest.read_at, "verdict": manifest.proof.verdict, "format": manifest.format, "files": files}


def _redshift(listing: Listing, _: Any) -> list[Part]:
    entries = [
        {"url": _in_store(url, "s3", "Redshift"), "mandatory": True, "meta": {"content_length": file.bytes}}
        for url, file in _files(listing.windows)
    ]
    return [{"entries": entries}]


def _bigquery(listing: Listing, _: Any) -> list[Part]:
    uris = [_in_store(url, "gs", "BigQuery") for url, _ in _files(listing.windows)]
    if starred := next((uri for uri in uris if "*" in uri), ""):
        raise NexusConfigurationError(
            f"{starred} has a star in its name, which BigQuery takes for any files: sync to another path"
        )
    return [*_parted(uris, MOST_URIS)]


def _clauses(listing: Listing, base: Any, quote: str) -> list[Part]:
    r"""``FILES = (...)`` with names relative to a place.

    :param quote: how an apostrophe is written within apostrophes, where ``\`` is written ``\\``
    """
    names = [_relative(url, address(base)) for url, _ in _files(listing.windows)]
    texts = ["'" + name.replace("\\", "\\\\").replace("'", quote) + "'" for name in names]
    return [f"FILES = ({', '.join(each)})" for each in _parted(texts, MOST_NAMED)]


def _parted(texts: Sequence[str], most: int) -> list[Sequence[str]]:
    return [texts[start : start + most] for start in range(0, len(texts), most)]


def _relative(file: str, base: str) -> str:
    name = file.removeprefix(f"{base.rstrip('/')}/")
    if name == file:
        raise NexusConfigurationError(f"{file} does not lie below {base}: let relative_to be the place that the stage names")
    return name


def address(path: Any) -> str:
    """A local file by its path, any other by its URL, without the connection that it may name."""
    if store.is_local(path):
        return os.path.abspath(str(getattr(path, "path", path)))  # noqa: PTH100 - what is named is not followed
    scheme, _, rest = str(path).partition("://")
    authority, mark, name = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{mark}{name}"


def refuse_inside(found: Listing, target: Any) -> None:
    """Refuse to write a list into a copy, where it could replace what was proved.

    :raises NexusConfigurationError: when it would lie in the folder of a resource, however either of them is spelled
    """
    place = _real(target)
    for folder in found.copies:
        if f"{place}/".startswith(f"{_real(folder).rstrip('/')}/"):
            raise NexusConfigurationError(f"{target} lies in the copy itself, {folder}: write the list somewhere else")


def _real(path: Any) -> str:
    """The address that all spellings of a place have in common."""
    if store.is_local(path):
        return os.path.realpath(address(path))
    scheme, mark, rest = address(path).partition("://")
    return _STORES.get(scheme, scheme) + mark + rest


def _in_store(url: str, scheme: str, loader: str) -> str:
    own, mark, rest = url.partition("://")
    if not mark or _STORES.get(own) != scheme:
        raise NexusConfigurationError(f"{url} can't be loaded by {loader}, which reads {scheme}:// alone: sync to a bucket there")
    return f"{scheme}://{rest}"


FORMS: Mapping[str, Callable[[Listing, Any], list[Part]]] = {
    "list": _addresses,
    "json": _json,
    "redshift": _redshift,
    "snowflake": partial(_clauses, quote="''"),
    "databricks": partial(_clauses, quote=r"\'"),
    "bigquery": _bigquery,
}
"""What each form is made by."""
RELATIVE = ("snowflake", "databricks")
"""Forms that name files relative to the place that a stage or a ``FROM`` names."""
