"""Source: one collection as a walk sees it, as pages of rows in a window, and what the server was seen to do."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_nexus.api.envelope import inject
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.api.timestamps import SECOND, to_wire
from airflow_provider_nexus.client.client import LARGE_PAGE, NexusClient
from airflow_provider_nexus.exceptions import NexusNotFoundError, NexusValidationError
from airflow_provider_nexus.extract.window import Window

if TYPE_CHECKING:
    from airflow_provider_nexus.client.session import NexusSession

_log = logging.getLogger(__name__)
_FIRST = datetime.min.replace(tzinfo=UTC) + SECOND
PAGE_SIZE = 100
"""Records asked for in one call, as the vendor's sample does."""


@dataclass(frozen=True)
class Page:
    """One answer.

    :param total: how many records match, by the server's word
    :param total_pages: how many pages there are, by the server's word
    :param limit: how many records were asked for
    """

    rows: list[Row]
    total: int | None
    total_pages: int | None
    limit: int = PAGE_SIZE

    @property
    def is_whole(self) -> bool:
        """Whether it has all that matches, as the server counts: the count may be of another moment than the rows."""
        return self.total is not None and self.total <= len(self.rows)


class Source:
    """Reads pages of one collection.

    :param parent: code of the parent's record, for a child
    :param filters: other query parameters
    :param page_size: records asked for in one call; ``None`` for as many as the server takes, as far as is known
    :param largest: rows on the largest page that the server is known to have given of this resource
    :param with_amounts: whether the rows come with their amounts
    """

    def __init__(
        self,
        client: NexusClient,
        resource: Resource,
        *,
        parent: str = "",
        filters: Mapping[str, Any] | None = None,
        page_size: int | None = PAGE_SIZE,
        on_page: Callable[[Page], None] = lambda _: None,
        largest: int = 0,
        with_amounts: bool = True,
    ) -> None:
        self.resource = resource
        self.reader = RowReader(resource, with_amounts=with_amounts)
        self.page_size = page_size or client.page_size
        self._is_guess = page_size is None
        self.largest = largest
        self.client, self.on_page, self._parent, self._filters = client, on_page, parent, dict(filters or {})
        self._sorts = bool(resource.sort_name)

    def beside(self, session: NexusSession, on_page: Callable[[Page], None]) -> Source:
        """The same collection through a session of another thread."""
        source = copy.copy(self)
        source.client, source.on_page = NexusClient(session), on_page
        source.reader = RowReader(self.resource, with_amounts=False)  # most rows are packed, and their amounts are read later
        return source

    def page(self, since: datetime | None = None, until: datetime | None = None, *, number: int = 1, limit: int = 0) -> Page:
        """One page of what lies between two bounds, oldest first if the server obliges.

        :param since: lower bound as sent; whether the server includes it is not known
        :param until: upper bound as sent; likewise
        :param limit: records to ask for; by default the page size
        """
        limit = limit or self.page_size
        page = self._read({**self._filters, **self._bounds(since, until), "page": number, "limit": limit})
        self.largest = max(self.largest, len(page.rows))
        self.on_page(page)
        return page

    def has_room(self, page: Page) -> bool:
        """Whether the server could have put more on a page, as it has done before: then nothing follows what is on it.

        That needs no count: the rows of a page are of one moment.
        """
        return not page.rows or len(page.rows) < min(page.limit, self.largest)

    def page_after(self, page: Page, since: datetime | None = None, until: datetime | None = None, *, number: int = 2) -> Page:
        """The page that follows one of the same size; an empty one when the server refuses to go beyond the last."""
        try:
            return self.page(since, until, number=number, limit=len(page.rows))
        except (NexusValidationError, NexusNotFoundError):
            return Page([], page.total, page.total_pages, page.limit)

    def whole(self) -> Page:
        """All records of a resource that has no pages."""
        page = self._read(self._filters)
        self.on_page(page)
        return page

    def count(self, since: datetime, until: datetime) -> int | None:
        """How many records the server counts between two bounds; for those of a window they have to be :func:`widened`."""
        return self._read({**self._filters, **self._bounds(since, until), "page": 1, "limit": 1}).total

    def _bounds(self, since: datetime | None, until: datetime | None) -> dict[str, str]:
        dates = self.resource.created
        if dates is None:
            return {}
        bounds = {dates.since: since, dates.until: until}
        return {name: to_wire(moment) for name, moment in bounds.items() if name and moment is not None}

    def _read(self, query: dict[str, Any]) -> Page:
        try:
            sorting = {"sortBy": self.resource.sort_name, "sortDirection": "Asc"} if self._sorts else {}
            answer = self.client.fetch(self.resource, self._parent, {**query, **sorting})
        except NexusValidationError:
            if self._is_guess and query.get("limit") == LARGE_PAGE:
                return self._read_less(query)
            if not self._sorts:
                raise
            self._sorts = False
            return self._read(query)
        records = answer.value.raw
        if self._parent and self.resource.parent_field not in self.resource.lifted:
            member = {self.resource.parent_field: msgspec.json.encode(self._parent)}
            records = [inject(raw, member) for raw in records]
        return Page(self.reader.page(records), answer.value.total, answer.value.total_pages, query.get("limit", PAGE_SIZE))

    def _read_less(self, query: dict[str, Any]) -> Page:
        """The answer to a smaller question, once the large one was refused: if for its size, it is not asked again."""
        before = self._sorts
        try:
            page = self._read({**query, "limit": PAGE_SIZE})
        except NexusValidationError:
            hint = "%s: pages of %s and of %s records were refused. If Nexus takes only fewer in one call, give page_size"
            _log.warning(hint, self.resource.name, LARGE_PAGE, PAGE_SIZE)
            raise
        if self._sorts is before:
            self.page_size = self.client.page_size = PAGE_SIZE
        return page


def widened(window: Window) -> tuple[datetime, datetime]:
    """The bounds to send for a window: one second wider at each end.

    Whether the API's bounds are inclusive is not documented, and stamps are shown cut to whole seconds. With a second to
    spare at each end, every record that is shown in the window is asked for whatever the server does at the bounds.
    """
    return max(window.start, _FIRST) - SECOND, window.end + SECOND


def second_of(stamp: str) -> datetime:
    """The start of the second that a normalised stamp lies in."""
    return datetime.fromisoformat(stamp[:19] + "+00:00")


class Doubt(Exception):  # noqa: N818 - it is no error of the caller's
    """The server's answers contradict each other; the text states how."""


class NotSortedDoubt(Doubt):
    """The server does not sort by the stamp as asked."""


class NotFilteredDoubt(Doubt):
    """The server does not filter by the stamp as asked."""
