"""A person who answers Airflow's questions, over Airflow's own API."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from airflow.utils.state import TaskInstanceState

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

needs_questions = pytest.mark.skipif(
    not hasattr(TaskInstanceState, "AWAITING_INPUT"), reason="dag.test can't ask a person below Airflow 3.3"
)


@contextmanager
def person(
    api: TestClient, dag_id: str, choose: Callable[[str], str], inputs: dict[str, Any] | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Somebody who looks until a question is there, and answers it.

    :param choose: subject of the question -> the option to choose
    :returns: the questions that were answered
    """
    over, answered = threading.Event(), list[dict[str, Any]]()

    def answer() -> None:
        while not over.is_set():
            listed = f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails"
            asked = api.get(listed, params={"response_received": False, "state": "awaiting_input"}).json()
            for question in asked["hitl_details"]:
                of = question["task_instance"]
                where = f"/api/v2/dags/{dag_id}/dagRuns/{of['dag_run_id']}/taskInstances/{of['task_id']}/{of['map_index']}"
                body = {"chosen_options": [choose(question["subject"])], "params_input": inputs or {}}
                api.patch(f"{where}/hitlDetails", json=body).raise_for_status()
                answered.append(question)
            time.sleep(0.1)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield answered
    finally:
        over.set()
        thread.join()
