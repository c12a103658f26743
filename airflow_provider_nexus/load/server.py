"""Whose records lie in a folder, and in what form: what is of another server, or in another format, is not written over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.environments import normal_form
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.manifest import NAME, SUPERSEDED

READINGS = "_readings"
_FORMATS = {"jsonl": "JSON lines", "parquet": "Parquet files"}


def is_same(one: object, other: object) -> bool:
    """Whether two base URLs are of one server; one that is not known may be any."""
    return not one or not other or normal_form(str(one)) == normal_form(str(other))


def refuse_another(collection: Any, base_url: object, *, first: str = "") -> None:
    """Refuse the folder of a resource that holds what another server said.

    All that is written there has passed this, so one manifest stands for all.

    :param base_url: of the server whose records are to come
    :param first: name of the folder that is looked at before the others
    :raises NexusConfigurationError: when a manifest there names another server
    """
    names = sorted((name for name in store.names(collection) if name[:1].isdigit() and name != first), reverse=True)
    others = [READINGS + "/" + name for name in store.names(collection / READINGS)]
    own = [first] if first else []
    for found in (_held(collection, own), _held(collection, [*names, *others])):
        held = next(found, "")
        if not is_same(held, base_url):
            text = f"{collection} holds another copy: base url {held!r}, not {base_url!r}"
            raise NexusConfigurationError(f"{text}. Give this one a path of its own.")


def refuse_other_format(folder: Any, manifest: Mapping[str, Any], file_format: str) -> None:
    """Refuse the folder of a window that is kept in another format than the one that is to come.

    :param manifest: of the folder
    :param file_format: ``jsonl`` or ``parquet``
    :raises NexusConfigurationError: when so
    """
    held = manifest.get("format")
    if held != file_format and held in _FORMATS and file_format in _FORMATS:
        raise NexusConfigurationError(
            f"{folder} holds {_FORMATS[held]}, and this run writes {_FORMATS[file_format]}: go on with file_format={held!r}, "
            "give another path, or move the folder away and sync its window again. Nothing was changed"
        )


def _held(collection: Any, names: list[str]) -> Iterator[str]:
    """The servers that manifests name; of a window whose manifest was withdrawn, those that it replaced."""
    for name in names:
        folder = collection / name
        kept = (folder / SUPERSEDED / each for each in store.names(folder / SUPERSEDED))
        for path in (folder / NAME, *kept):
            held = _base_url(path)
            if held:
                yield held


def _base_url(path: Any) -> str:
    raw = store.read(path)
    try:
        return "" if raw is None else str(manifests.parse(raw, str(path)).get("base_url") or "")
    except NexusDataError:
        return ""
