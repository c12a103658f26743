"""What a load asks of a store does not grow with the number of loads before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from airflow.sdk import ObjectStoragePath
from moto.server import ThreadedMotoServer

from airflow_provider_nexus.hooks._stores import delta_options
from tests.load.delta.writing import day, load_day

pytestmark = pytest.mark.slow
SPAN = 20
"""Loads that are counted together: two of the log's checkpoints lie in each span, and a month of small files that become one."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """All requests to a store, as they come."""
    server, seen = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False), list[str]()
    server.start()
    host, port = server.get_host_and_port()
    running: Any = server._server
    application: Callable[[dict[str, Any], Any], Iterable[bytes]] = running.app

    def counted(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        seen.append(environ["PATH_INFO"])
        return application(environ, start)

    running.app = counted
    url = f"http://{host}:{port}"
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", f"aws://key:hidden@/?endpoint_url={url.replace(':', '%3A')}&region_name=eu-west-1")
    store = {"endpoint_url": url, "region_name": "eu-west-1", "aws_access_key_id": "key", "aws_secret_access_key": "hidden"}
    client = boto3.client("s3", **store)
    client.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    try:
        yield seen
    finally:
        server.stop()


def test_requests_of_a_load(calls: list[str]) -> None:
    folder: Any = ObjectStoragePath("s3://lake@lake/nexus/sandbox/broker_transactions")
    options, spans = delta_options(folder), list[int]()
    for number in range(10 + 3 * SPAN):
        if number >= 10 and (number - 10) % SPAN == 0:
            spans.append(len(calls))
        load_day(folder, number, day(number, 20), storage_options=options)
    first, _, last = (end - begin for begin, end in zip(spans, [*spans[1:], len(calls)], strict=True))
    assert last <= first * 1.1
