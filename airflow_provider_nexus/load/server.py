"""Whose records lie in a folder, and in what format: what is of another server, or in another format, is not written over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.environments import normal_form
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.collection import content_of
from airflow_provider_nexus.load.manifest import NAME, READINGS, SUPERSEDED, Manifest

_FORMATS = {"jsonl": "JSON lines", "parquet": "Parquet files"}


def is_same(one: object, other: object) -> bool:
    """Whether two base URLs are of one server; one that is not known may be any."""
    return not one or not other or normal_form(str(one)) == normal_form(str(other))


def refuse_another(collection: Any, base_url: object, *, first: str = "") -> None:
    """Refuse the folder of a resource that contains records of another server.

    All that is written there has passed this, so one manifest is enough to know of all.

    :param base_url: of the server whose records are to come
    :param first: name of the folder that is looked at before the others
    :raises NexusConfigurationError: when a manifest there names another server
    """
    content = content_of(collection)
    names = sorted({*content.windows, *content.snapshots} - {first}, reverse=True)
    readings = [f"{READINGS}/{name}" for name in content.readings]
    for found in (_servers(collection, [first] if first else []), _servers(collection, [*names, *readings])):
        stored = next(found, "")
        if not is_same(stored, base_url):
            text = f"{collection} holds another copy: base url {stored!r}, not {base_url!r}"
            raise NexusConfigurationError(f"{text}. Give this one a path of its own.")


def refuse_other_format(folder: Any, manifest: Manifest, file_format: str) -> None:
    """Refuse the folder of a window that is stored in another format than the one that is to come.

    :param manifest: of the folder
    :param file_format: ``jsonl`` or ``parquet``
    :raises NexusConfigurationError: when so
    """
    stored = manifest.format
    if stored != file_format and stored in _FORMATS and file_format in _FORMATS:
        raise NexusConfigurationError(
            f"{folder} holds {_FORMATS[stored]}, and this run writes {_FORMATS[file_format]}: go on with file_format={stored!r}, "
            "give another path, or move the folder away and sync its window again. Nothing was changed"
        )


def _servers(collection: Any, names: Iterable[str]) -> Iterator[str]:
    """The servers that manifests name; of a window whose manifest was withdrawn, those that it replaced."""
    for name in names:
        folder = collection / name
        replaced = (folder / SUPERSEDED / each for each in store.names(folder / SUPERSEDED))
        for path in (folder / NAME, *replaced):
            raw = store.read(path)
            try:
                server = "" if raw is None else manifests.parse(raw, str(path)).base_url
            except NexusDataError:
                continue
            if server:
                yield server
