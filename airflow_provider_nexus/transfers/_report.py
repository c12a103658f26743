"""Report page of a sync: the file that it is written to, and the address at which people read it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks._connections import opened
from airflow_provider_nexus.load.paths import place_of

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


def check_address(report_url: str) -> None:
    """Refuse what can't be the address of a page, before anything is read.

    :raises NexusConfigurationError: when it is no http or https address, or contains credentials
    """
    try:
        parts = urlsplit(report_url)
        has_credentials, host = "@" in parts.netloc, parts.hostname
    except ValueError:
        raise NexusConfigurationError(f"report_url is no address: give one such as {_EXAMPLE}") from None
    if has_credentials:
        raise NexusConfigurationError("report_url may not contain a user name or password: everybody sees the link")
    if parts.scheme not in ("http", "https") or not host or not report_url.isprintable():
        found = f"starts with {parts.scheme!r}" if parts.scheme not in ("http", "https") else "has no plain host"
        raise NexusConfigurationError(f"report_url {found}: give an http or https address, such as {_EXAMPLE}")


def _scheme(path: str) -> str:
    scheme, mark, _ = path.partition("://")
    return scheme if mark else "file"
