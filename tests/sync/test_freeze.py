"""A frozen contract looks at every record: a single field too many, in one record of many, stops the sync."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.exceptions import NexusContractError
from airflow_provider_nexus.extract.request import Contract, SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.sync.job import SyncJob
from tests.client.socket_server import SocketServer
from tests.load.test_rejects import order, replied

START = datetime(2026, 6, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
@pytest.mark.parametrize("contract", ["freeze", "report"])
def test_one_record_of_many(tmp_path: Path, file_format: str, contract: Contract) -> None:
    orders = [order(b"O%03d" % number, created=b'"2026-06-01T10:%02d:00Z"' % number) for number in range(30)]
    orders[17] = orders[17].replace(b'"orderCode"', b'"customerIban":"NL91ABNA","orderCode"')
    entry = get_resource("orders")
    copy: Any = JsonLinesCopy(tmp_path) if file_format == "jsonl" else ParquetCopy(tmp_path, Table(entry))
    with SocketServer(by=lambda asked: replied(asked, *orders)) as server:
        client = NexusClient(NexusSession(read_settings(token="T", host=server.base_url, extra={"retries": 0})))
        window = RequestedWindow(START, START + timedelta(hours=1), "arguments")
        job = SyncJob(client, SyncRequest(resource=entry, requested=window, contract=contract), Loader(copy, contract=contract))
        if contract == "report":
            assert (job.run() or {})["records"] == 30
            return
        with pytest.raises(NexusContractError, match="customerIban"):
            job.run()
    assert not list(tmp_path.rglob("*.json"))
