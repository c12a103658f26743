"""Names of the tasks that a task is mapped to, in place of their numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.bases import operator

from airflow_provider_nexus.operators._base import NexusBaseOperator
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag

pytestmark = pytest.mark.skipif(
    not hasattr(operator, "_get_operator_defaults"), reason="below Airflow 3.3 an operator has no default for it"
)
DAY = datetime(2026, 6, 1, tzinfo=UTC)


NAMES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"code": "AB12"}, "AB12"),
    ({"code": "12345678"}, "of 12345678"),
    ({"code": 12}, "of 12"),
    ({"code": "None"}, "of None"),
    ({"code": "1, 2"}, "of 1, 2"),
    ({"resource": "orders", "code": "7"}, "orders, 7"),
    ({"window_start": "2026-06-01", "window_end": "2026-06-02T12:30:45Z"}, "2026-06-01 to 2026-06-02 12:30"),
    ({"window_start": "2026-06-01T02:00:00+02:00", "resource": "transfers"}, "transfers, 2026-06-01"),
    ({"window_start": "whenever"}, "whenever"),
    ({"code": "x" * 500}, "x" * 200),
    ({"code": ["a", "b"]}, "#10"),
    ({"code": None}, "#11"),
)


class Naming(NexusBaseOperator):
    """Does nothing."""

    template_fields = ("resource", "code", "window_start", "window_end")
    text_fields = template_fields
    operator_extra_links = ()

    def __init__(self, *, resource: Any = "", code: Any = "", window_start: Any = "", window_end: Any = "", **more: Any):
        super().__init__(**more)
        self.resource, self.code, self.window_start, self.window_end = resource, code, window_start, window_end

    def execute(self, context: Any) -> None:
        """Nothing."""


def names(dag: DAG) -> list[str | None]:
    run = run_dag(dag)
    assert run.state == "success"
    found = {instance.map_index: instance.rendered_map_index for instance in run.get_task_instances()}
    return [found[index] for index in sorted(found)]


@pytest.mark.parametrize("native", [False, True])
def test_a_name_is_what_a_task_is_mapped_over(native: bool) -> None:
    with DAG("named", schedule=None, render_template_as_native_obj=native) as dag:
        Naming.partial(task_id="t").expand_kwargs([over for over, _ in NAMES])
    assert names(dag) == [name for _, name in NAMES]


def test_others_are_given_by_the_dag_or_left_out() -> None:
    with DAG("named_otherwise", schedule=None) as dag:
        Naming.partial(task_id="t", map_index_template="code {{ task.code }}").expand(code=["a", "b"])
    assert names(dag) == ["code a", "code b"]
    with DAG("not_mapped", schedule=None) as dag:
        Naming(task_id="t", code="a")
    assert names(dag) == [None]


def test_tasks_of_ours_have_names(tmp_path: Path) -> None:
    windows = [
        {"window_start": f"2026-05-{day}T00:00:00Z", "window_end": f"2026-05-{day + 1}T00:00:00Z", "resource": name}
        for day in (30,)
        for name in ("orders", "transfers")
    ]
    with Sandbox(customers=5, transactions=50, days=3, clock_speed=0, now=DAY) as sandbox, connection(sandbox):
        with DAG("named_syncs", schedule=None) as dag:
            NexusToObjectStorageOperator.partial(task_id="t", path=tmp_path.as_uri()).expand_kwargs(windows)
        assert names(dag) == ["orders, 2026-05-30 to 2026-05-31", "transfers, 2026-05-30 to 2026-05-31"]
        with DAG("named_calls", schedule=None) as dag:
            NexusOperator.partial(task_id="t", query={"limit": 1}).expand(endpoint=["/orders", "/transfers"])
        assert names(dag) == ["/orders", "/transfers"]
