"""The library that reads and writes Delta tables: how it is loaded, what it calls a folder, and what its errors mean."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.load.paths import BUCKET_STORES

_DECODED, _CUT = "%\\", "#?"
"""Signs that the library decodes, or takes for a separator, in one place and not in another; and those that end a URL's path."""
_COLOURS, _SHOWN = re.compile(r"\x1b\[[0-9;]*m"), 300
OR_AWAY = "or move the table away and sync its windows again"
_BACK = f"take it back from a backup, {OR_AWAY}"
_HOLE = re.compile("contiguous commit files|Gap between checkpoint|No table metadata or protocol")
_FEATURES = re.compile(r"Unsupported table features required: \[(.*?)\]")
_DAMAGE = re.compile("Json error|Arrow error|Parquet error|Invalid Checkpoint|Invalid JSON")


def load_library() -> Any:
    """Import deltalake, which takes half a second, and which not everybody needs.

    :raises NexusConfigurationError: when it is not installed
    """
    try:
        importlib.import_module("deltalake.exceptions")
        return importlib.import_module("deltalake")
    except ImportError:
        hint = "pip install 'airflow-provider-nexus[lakehouse]'"
        raise NexusConfigurationError(f"Delta tables need deltalake: install the 'lakehouse' extra, {hint}") from None


def url_of(folder: Any) -> str:
    """The address of a folder, as the library takes it.

    :raises NexusConfigurationError: when it can't write to that kind of store, or would write elsewhere
    """
    is_local = store.is_local(folder)
    if strange := sorted({*str(folder)} & {*(_DECODED if is_local else _DECODED + _CUT)}):
        raise NexusConfigurationError(
            f"path is {folder}, and deltalake understands {' and '.join(strange)} in a path otherwise than Airflow does, so two "
            "folders would be one table: give a path without"
        )
    if is_local:
        return str(getattr(folder, "path", folder))
    if folder.protocol not in BUCKET_STORES:
        known = "a folder, s3, gs or abfs"
        raise NexusConfigurationError(f"path is {folder}, and Delta tables are written to {known}: give such a path")
    return f"{BUCKET_STORES[folder.protocol]}://{str(folder.path).lstrip('/')}"


def handle_of(folder: Any, storage_options: Mapping[str, str]) -> Any:
    """The library's table as it is now; ``None`` when there is none."""
    library = load_library()
    try:
        return library.DeltaTable(url_of(folder), storage_options=dict(storage_options) or None)
    except library.exceptions.TableNotFoundError:
        return None


@contextmanager
def lake_errors(folder: Any, verb: str) -> Iterator[None]:
    """Turn what the library raises into one sentence: it writes for programmers in Rust, on many lines and in colours.

    :param verb: what is done with the table, such as ``written``
    :raises NexusConfigurationError: when there is no such bucket
    :raises NexusStorageError: instead of any other error
    """
    library = load_library()
    with store.storage_errors(folder, verb):
        try:
            yield
        except (library.exceptions.DeltaError, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise
            store.refuse_missing_container("path", folder)
            raise NexusStorageError(f"{folder} can't be {verb}: {_meaning(folder, error)}") from None


def without(features: str) -> str:
    """What to do about features that somebody has switched on for a table: they are no part of what a ``RESTORE`` takes back."""
    return (
        f"{features}, which another program has switched on, and a RESTORE does not take back. With Spark: ALTER TABLE ... DROP "
        "FEATURE ... TRUNCATE HISTORY, before that for deletionVectors SET TBLPROPERTIES ('delta.enableDeletionVectors' = "
        "'false') and REORG TABLE ... APPLY (PURGE); or sync into another path"
    )


def _meaning(folder: Any, error: Exception) -> str:
    text = " ".join(_COLOURS.sub("", str(error)).replace("\u21b3", ":").split()).partition(" 0: <unknown>")[0]
    log = folder / "_delta_log"
    if _HOLE.search(text):
        there = {int(name[:20]) for name in store.names(log) if re.fullmatch(r"\d{20}\.json", name)}
        missing = sorted(set(range(min(there, default=0), max(there, default=0))) - there)
        which = f"version {', '.join(map(str, missing[:10]))}" if missing else "a version"
        return f"{which} is missing in {log}: {_BACK}"
    if found := _FEATURES.search(text):
        return f"deltalake can't write a table with {without(found[1])}"
    if _DAMAGE.search(text):
        return f"a file of {log} is damaged ({text[:_SHOWN]}): {_BACK}"
    return f"{type(error).__name__}: {text[:_SHOWN]}"
