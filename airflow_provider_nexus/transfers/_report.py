"""The report that a sync leaves behind: where it goes, and where people read it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.exceptions import AirflowException  # type: ignore[attr-defined]
from airflow.sdk import ObjectStoragePath

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.load.paths import is_template, place_of

_EXAMPLE = "https://reports.example.com/transactions.html"


def page_of(report_path: Any, beside: Any = "", conn_id: str | None = None) -> Any:
    """The file of a report.

    :param report_path: path or URL
    :param beside: path or URL of the data, where those are files
    :param conn_id: connection of the data's store; it opens the report's too where both are of one kind and the report's URL
        names no other
    :raises NexusConfigurationError: when the store is not known
    """
    text = place_of("report_path", report_path)
    shared = _scheme(text) == _scheme(str(beside)) and "@" not in text.partition("://")[2].partition("/")[0]
    page = opened("report_path", text, conn_id if shared else None)
    store.refuse_missing_container("report_path", page)
    return page


def check_given(name: str, value: Any, *, optional: bool = False) -> None:
    """Refuse a path or URL that can't be one, where the DAG is parsed, as far as it is known there.

    :param optional: whether it can be left out
    :raises NexusConfigurationError: names the argument
    """
    if not (is_template(value) or (optional and value is None)):
        place_of(name, value)


def opened(name: str, path: Any, conn_id: str | None = None) -> ObjectStoragePath:
    """A place in a store.

    :param name: of the argument that names it
    :raises NexusConfigurationError: when the path can't be one, or its store or its connection is not known
    :raises NexusStorageError: when the store can't be reached
    """
    text = place_of(name, path)
    try:
        # Airflow 3.1 takes a connection that is None for the answer, even where the URL names one
        found = ObjectStoragePath(text, conn_id=conn_id) if conn_id else ObjectStoragePath(text)
        _ = found.fs  # Airflow 3.1 does not look for the store before
    except (ValueError, ImportError) as error:
        hint = "check the scheme, or install the provider of that store and what it needs"
        raise NexusConfigurationError(f"{name} is {text}, and its store can't be used ({error}): {hint}") from None
    except AirflowException as error:
        hint = "make the connection in Airflow, of the type of that store, or name another one"
        raise NexusConfigurationError(f"{name} is {text}, and its connection can't be used ({error}): {hint}") from None
    except Exception as error:  # each store has errors of its own
        raise NexusStorageError(f"{name} is {text}, and its store can't be opened: {type(error).__name__}: {error}") from error
    return found


def check_address(report_url: str) -> None:
    """Refuse what can't be the address of a page, before anything is read.

    :raises NexusConfigurationError: when it is no http or https address, or holds credentials
    """
    try:
        parts = urlsplit(report_url)
        has_credentials, host = "@" in parts.netloc, parts.hostname
    except ValueError:
        raise NexusConfigurationError(f"report_url is no address: give one such as {_EXAMPLE}") from None
    if has_credentials:
        raise NexusConfigurationError("report_url may not hold a user name or password: everybody sees the link")
    if parts.scheme not in ("http", "https") or not host or not report_url.isprintable():
        found = f"starts with {parts.scheme!r}" if parts.scheme not in ("http", "https") else "has no plain host"
        raise NexusConfigurationError(f"report_url {found}: give an http or https address, such as {_EXAMPLE}")


def _scheme(path: str) -> str:
    scheme, mark, _ = path.partition("://")
    return scheme if mark else "file"
