from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.body import Received
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.client import cancel_call
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.client.wire import Departure
from airflow_provider_nexus.exceptions import (
    NexusApiError,
    NexusAuthenticationError,
    NexusConfigurationError,
    NexusConnectionError,
    NexusInterruptedError,
    NexusNotFoundError,
    NexusRateLimitError,
    NexusResponseError,
    NexusServerError,
    NexusTimeoutError,
    NexusWriteRefusedError,
)
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from tests.client.serving import all_that_it_says

ORDERS = get_resource("orders")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=5, transactions=40, days=1, clock_speed=0) as running:
        yield running


def using(host: str, token: str, use: Callable[[AsyncNexusClient], Awaitable[Any]], **extra: Any) -> Any:
    async def main() -> Any:
        client = AsyncNexusClient(read_settings(token=token, host=host, extra=extra))
        try:
            return await use(client)
        finally:
            await client.aclose()

    return asyncio.run(main())


def test_it_reads_what_the_other_client_reads(sandbox: Sandbox) -> None:
    async def both(client: AsyncNexusClient) -> Any:
        page = await client.fetch(ORDERS, {"limit": 2})
        record = await client.get_record("customers", await _first_customer(client))
        return page, record, client.server_now

    page, record, now = using(sandbox.base_url, sandbox.token, both)
    assert (len(page.value.raw), page.value.total) == (2, len(sandbox.truth("orders")))
    assert record["created"].timezone_name == "UTC"
    assert abs((now - sandbox.now).total_seconds()) < 30
    assert {call.status for call in sandbox.calls} == {200}


async def _first_customer(client: AsyncNexusClient) -> str:
    from airflow_provider_nexus.api.envelope import decode

    page = await client.fetch(get_resource("customers"), {"limit": 1})
    return str(decode(page.value.raw[0])["customerCode"])


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", status=401), NexusAuthenticationError),
        (Fault("status", status=404), NexusNotFoundError),
        (Fault("status", status=429, retry_after="7"), NexusRateLimitError),
        (Fault("status", status=503), NexusServerError),
        (Fault("drop"), NexusInterruptedError),
        (Fault("truncate"), NexusInterruptedError),
        (Fault("garbage"), NexusResponseError),
        (Fault("redirect"), NexusResponseError),
        (Fault("slow", seconds=5), NexusTimeoutError),
    ],
)
def test_each_cause_has_its_class_after_one_try(sandbox: Sandbox, fault: Fault, error: type[NexusApiError]) -> None:
    sandbox.reset()
    sandbox.configure(faults=(fault,))
    with pytest.raises(error) as caught:
        using(sandbox.base_url, sandbox.token, lambda client: client.fetch(ORDERS), timeout=1 if fault.kind == "slow" else 60)
    sandbox.configure(faults=())
    assert sandbox.call_count == 1
    assert sandbox.token not in all_that_it_says(caught.value)
    assert caught.value.retry_after == (7 if error is NexusRateLimitError else None)


def test_nobody_there() -> None:
    with pytest.raises(NexusConnectionError):
        using("http://127.0.0.1:9", "some-token", lambda client: client.fetch(ORDERS))


def test_a_cancellation_is_refused_unless_writes_are_allowed(sandbox: Sandbox) -> None:
    sandbox.reset()
    with pytest.raises(NexusWriteRefusedError):
        using(sandbox.base_url, sandbox.token, lambda client: client.send(cancel_call(ORDERS, "ORD-1"), bytes))
    assert sandbox.call_count == 0
    with pytest.raises(NexusNotFoundError):
        using(sandbox.base_url, sandbox.token, lambda client: client.send(cancel_call(ORDERS, "ORD-1"), bytes), allow_writes=True)
    with pytest.raises(NexusConfigurationError, match="no call that cancels"):
        cancel_call(get_resource("mails"), "x")


def test_no_log_has_the_address_of_a_call(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    codes = []

    async def read(client: AsyncNexusClient) -> None:
        codes.append(await _first_customer(client))
        await client.get_record("customers", codes[0])

    # Airflow, where a test before this one imported it, has set a level of its own.
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "httpx"):
        using(sandbox.base_url, sandbox.token, read)
        said = caplog.text
    assert "receive_response_headers" in said, "other loggers of httpx are as ever"
    assert [word for word in (codes[0], sandbox.token, "/customer") if word in said] == []


def test_calls_of_others_are_logged_as_ever(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    async def call() -> None:
        async with httpx.AsyncClient() as theirs:
            await theirs.get(f"{sandbox.base_url}/theirs")

    using(sandbox.base_url, sandbox.token, _first_customer)
    with caplog.at_level(logging.INFO, "httpx"):
        asyncio.run(call())
    assert "/theirs" in caplog.text


class CancelledWithItsAnswer(AsyncNexusClient):
    """Who waits for it is cancelled at the moment when the answer is there."""

    async def _request(self, call: Call, departure: Departure) -> Received:
        answer = await super()._request(call, departure)
        next(task for task in asyncio.all_tasks() if task.get_name() == "the one that waits").cancel()
        return answer


def test_a_cancellation_that_comes_with_the_answer_is_not_lost(sandbox: Sandbox) -> None:
    client = CancelledWithItsAnswer(read_settings(token=sandbox.token, host=sandbox.base_url))

    async def goes_on() -> None:
        await _first_customer(client)
        await asyncio.sleep(0)

    async def main() -> None:
        waits = asyncio.create_task(goes_on(), name="the one that waits")
        await asyncio.wait({waits}, timeout=120)
        await client.aclose()
        assert waits.cancelled()

    asyncio.run(main())
