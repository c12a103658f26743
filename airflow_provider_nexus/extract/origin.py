"""Origins of records: why, when and where they were read, and how a reading is named by that."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from airflow_provider_nexus.extract.window import Window

Feed = Literal["created", "finished", "open", "reread", "whole"]
"""Why records were read: their creation or end lies in a window, they were unsettled, an old window is read again, or all are."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Where and how a reading was done, for its manifest.

    :param environment: its name
    :param server_date: the server's clock at the end of the reading
    :param request: path, api_version, the names of the date filter and page size asked with
    :param pages: answers read
    :param calls: calls made, retries included
    :param protected: fields that were treated, each with its treatment
    :param run: the Airflow run that wrote it
    """

    environment: str
    base_url: str
    server_date: str
    request: dict[str, Any]
    pages: int
    calls: int
    seconds: float
    protected: dict[str, str] = field(default_factory=dict)
    airflow_version: str = ""
    run: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version of a record comes from: the server's time in UTC when its reading began, the feed and what it asked for."""

    read_at: datetime
    read_by: str


@dataclass(frozen=True)
class Open:
    """A record whose end has not been seen: its creation stamp, and its status as it was last seen."""

    created: datetime
    status: str


def label_of(feed: str, window: Window | None, read_at: datetime) -> str:
    """The name of a reading: a window read for the first time has the same at every try; others differ in their time."""
    stamp = f"{read_at:%Y%m%dT%H%M%SZ}"
    if window is None:
        return stamp if feed == "whole" else f"{feed}-{stamp}"
    return window.label if feed == "created" else f"{feed}-{window.label}-{stamp}"
