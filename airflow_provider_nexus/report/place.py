"""Where the page lies, and how its links get from there to the manifests."""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError, NexusStorageError
from airflow_provider_nexus.report.page import write_report


def put_report(root: Any, target: Any, *, made_at: datetime | None = None) -> int:
    """Write a report on the manifests under a folder into a file, whole or not at all.

    The links to the manifests lead from the file to the folder: relatively where both lie in one store, else by the folder's URL.

    :param root: as :func:`~airflow_provider_nexus.report.write_report` takes it
    :param target: the file, any path object that behaves like ``pathlib.Path``; its folder is made if it is missing
    :param made_at: when it is made; by default now
    :return: its size in bytes
    :raises NexusConfigurationError: when there is no manifest
    :raises NexusStorageError: when the manifests can't be read, or the file can't be written
    """
    return put_page(lambda: write_report(root, made_at=made_at, links_from=way(target, root)), target)


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
