"""The report that a sync leaves behind: where it goes, and where people read it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import ObjectStoragePath

from airflow_provider_nexus.exceptions import NexusConfigurationError

_EXAMPLE = "https://reports.example.com/transactions.html"


def page_of(report_path: str, beside: str = "", conn_id: str | None = None) -> Any:
    """The file of a report.

    :param report_path: path or URL
    :param beside: path or URL of the data, where those are files
    :param conn_id: connection of the data's store; it opens the report's too where both are of one kind and the report's URL
        names no other
    :raises NexusConfigurationError: when the store is not known
    """
    shared = _scheme(report_path) == _scheme(beside) and "@" not in report_path.partition("://")[2].partition("/")[0]
    try:
        page = opened(report_path, conn_id if shared else None)
        _ = page.fs  # Airflow 3.1 does not look for the store before
    except ValueError as error:
        raise NexusConfigurationError(f"report_path: {error}") from None
    return page


def opened(path: str, conn_id: str | None) -> ObjectStoragePath:
    """A place in a store. Airflow 3.1 takes a connection that is ``None`` for the answer, even where the URL names one."""
    return ObjectStoragePath(path, conn_id=conn_id) if conn_id else ObjectStoragePath(path)


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
