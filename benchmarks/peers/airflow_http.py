"""Airflow's own HttpOperator, which follows the pages and returns all of them at once, for XCom."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="nexus-bench-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

from airflow.providers.http.operators.http import HttpOperator


def operator(url: str, page_size: int) -> Callable[[], int]:
    """`HttpOperator` with a `pagination_function`; without Airflow's database, and without the XCom that is pushed."""
    server = urlsplit(url)
    connection = {"conn_type": "http", "host": server.hostname, "port": server.port, "schema": "http"}
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(connection)

    def following(answer: Any) -> dict[str, Any] | None:
        values = answer.json()["values"]
        return {"data": {"page": values["page"] + 1, "limit": page_size}} if values["page"] < values["totalPages"] else None

    def records(answers: list[Any]) -> list[Any]:
        return [record for answer in answers for record in answer.json()["values"]["records"]]

    def work() -> int:
        task = HttpOperator(
            task_id="pages",
            http_conn_id="bench",
            method="GET",
            endpoint="transactions/custodian",
            data={"page": 1, "limit": page_size},
            pagination_function=following,
            response_filter=records,
        )
        return len(task.execute({}))

    return work
