"""How many records are asked for: as many as the server takes, or as many as the caller says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusValidationError
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.extract.proved_read import Reading, read_all
from airflow_provider_nexus.extract.source import Source
from airflow_provider_nexus.extract.window import Window
from tests.client.socket_server import Asked, Reply
from tests.extract.walks.test_parallel import SPAN, Query, Served, refused, source_of, spread


def twice(by: Callable[[Asked], Reply], page_size: int | None = None) -> tuple[list[int], list[bytes]]:
    """Pages that two readings with one client ask for, and what each reads."""
    asked: list[int] = []

    def noting(call: Asked) -> Reply:
        asked.append(Query(call).limit)
        return by(call)

    with source_of(noting, page_size=page_size) as (source, _):
        for _ in range(2):
            again = Source(source.client, source.resource, page_size=page_size)
            rows = read_all(reading := Reading(again, SPAN))
            assert reading.proof.verdict is Verdict.PROVED
    return [limit for limit in asked if limit > 1], [row.raw for row in rows]


def test_as_many_as_the_server_gives() -> None:
    served = Served(spread(600))
    assert twice(served) == ([250] * 6, served.raw)


@pytest.mark.parametrize("status", [400, 422])
def test_once_refused_never_asked_again(status: int) -> None:
    served = Served(spread(250), lambda query: refused(status) if query.limit > 100 else None)
    asked, raw = twice(served)
    assert asked == [250, *[100] * 3, *[100] * 3]
    assert raw == served.raw


def test_a_server_that_gives_less_is_read_at_its_own_size() -> None:
    """None is asked for in vain: what it gives is what it has room for."""
    served = Served(spread(250))

    def by(asked: Asked) -> Reply:
        query = Query(asked)
        query.limit = min(query.limit, 100)
        return served.page(query)

    assert twice(by) == ([250] * 6, served.raw)


def test_what_is_refused_for_another_reason_says_nothing_of_the_size() -> None:
    """Such as being asked to sort: what is left out is that, and the pages stay large."""
    served = Served(spread(600))

    def by(asked: Asked) -> Reply:
        return refused(400) if "sortBy" in asked.target else served(asked)

    with source_of(by, page_size=None) as (source, _):
        rows = read_all(reading := Reading(source, SPAN))
        assert reading.proof.verdict is Verdict.PROVED
        assert source.client.page_size == 250
    assert [row.raw for row in rows] == served.raw
    assert [query.limit for query in served.asked] == [100, 250, 250, 250, 1]


@pytest.mark.parametrize("page_size", [7, 500, 1000])
def test_what_the_caller_says_is_asked(page_size: int) -> None:
    asked, _ = twice(Served(spread(50)), page_size)
    assert {*asked} == {page_size}


def test_what_the_caller_says_is_refused_as_it_is() -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    with source_of(Served(spread(250), lambda query: refused(400)), page_size=250) as (source, _):
        again = Source(source.client, get_resource("transactions"), page_size=250)
        with pytest.raises(NexusValidationError):
            read_all(Reading(again, Window(day, day + timedelta(days=1))))
        assert source.client.page_size == 250
