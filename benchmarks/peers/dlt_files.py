"""dlt's `rest_api` source into files of its own layout: extracted, normalized and loaded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt
from dlt.sources.rest_api import rest_api_source


def json_lines(url: str, page_size: int) -> Callable[[], int]:
    """Into gzip JSON lines."""
    return _files(url, page_size, "jsonl")


def parquet(url: str, page_size: int) -> Callable[[], int]:
    """Into Parquet."""
    return _files(url, page_size, "parquet")


def _files(url: str, page_size: int, kind: Any) -> Callable[[], int]:
    paginator = {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": "values.totalPages"}
    endpoint = {"path": "transactions/custodian", "params": {"limit": page_size}, "data_selector": "values.records"}
    resource = {"name": "transactions", "primary_key": "transactionCode", "write_disposition": "append", "endpoint": endpoint}
    config: Any = {"client": {"base_url": url, "paginator": paginator}, "resources": [resource]}

    def work() -> int:
        with tempfile.TemporaryDirectory() as folder:
            destination = dlt.destinations.filesystem(bucket_url=f"file://{folder}/data")
            pipeline = dlt.pipeline("bench", pipelines_dir=f"{folder}/state", destination=destination, dataset_name="bench")
            pipeline.run(rest_api_source(config), loader_file_format=kind)
            return int(pipeline.last_trace.last_normalize_info.row_counts["transactions"])

    return work
