"""People who answer what a DAG asks, over Airflow's own API."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi.testclient import TestClient


@contextmanager
def person(api: TestClient, choice: str, dag_id: str) -> Iterator[None]:
    """Somebody who looks until a question is there, and answers it."""
    over = threading.Event()

    def answer() -> None:
        while not over.is_set():
            asked = api.get(
                f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails", params={"response_received": False, "state": "awaiting_input"}
            ).json()
            for question in asked["hitl_details"]:
                of = question["task_instance"]
                where = f"/api/v2/dags/{of['dag_id']}/dagRuns/{of['dag_run_id']}/taskInstances/{of['task_id']}/-1/hitlDetails"
                api.patch(where, json={"chosen_options": [choice], "params_input": {}}).raise_for_status()
            time.sleep(0.1)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
