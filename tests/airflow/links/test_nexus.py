from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, BaseOperatorLink, BaseSensorOperator

from airflow_provider_nexus.get_provider_info import get_provider_info
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.links import nexus as links
from airflow_provider_nexus.operators._base import RECORD_KEY, NexusBaseOperator
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of, xcom_texts

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from fastapi.testclient import TestClient

PORTAL = {"portal_url": "https://portal.example/#/{resource}/{code}"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=5, transactions=20, days=2, clock_speed=0) as running:
        yield running


class Remembering(NexusBaseOperator):
    """Knows its record, then ends as it is told."""

    nexus_conn_id = "nexus_default"

    def __init__(self, *, fails: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fails = fails

    def execute(self, context: Any) -> None:
        self.remember(context, "orders", "A/B é")
        if self.fails:
            raise ValueError("as it was told")


class RememberingSensor(NexusBaseOperator, BaseSensorOperator):
    nexus_conn_id = "nexus_default"

    def poke(self, context: Any) -> bool:
        self.remember(context, "orders", "A/B é")
        return True


def link(api: TestClient, run: DagRun, task_id: str, map_index: int = -1, name: str = "Nexus portal") -> str | None:
    """The address behind the button of a task."""
    path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/links"
    answer = api.get(path, params={"map_index": map_index})
    assert answer.status_code == 200, answer.text
    links: dict[str, str | None] = answer.json()["extra_links"]
    return links[name]


def test_the_button_leads_to_the_record(sandbox: Sandbox, airflow_api: TestClient) -> None:
    with connection(sandbox, extra=PORTAL), DAG("linked", schedule=None) as dag:
        Remembering(task_id="well")
        Remembering(task_id="badly", fails=True)
        RememberingSensor(task_id="sensor")
        run = run_dag(dag)
    assert state_of(run, "badly") == "failed"
    for task_id in ("well", "badly", "sensor"):
        assert link(airflow_api, run, task_id) == "https://portal.example/#/orders/A%2FB%20%C3%A9"
        assert xcom_of(run, task_id, RECORD_KEY) == {"resource": "orders", "code": "A/B é"}


def test_without_a_portal_there_is_no_address(
    sandbox: Sandbox, airflow_api: TestClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with connection(sandbox), DAG("unlinked", schedule=None) as dag:
        Remembering(task_id="one")
        run = run_dag(dag)
    assert link(airflow_api, run, "one") is None
    assert [text.split()[1] for text in xcom_texts(run)] == [RECORD_KEY], "no empty address"
    assert xcom_of(run, "one", RECORD_KEY) == {"resource": "orders", "code": "A/B é"}
    assert "not found" not in "".join(capfd.readouterr()), "Airflow takes an XCom that is looked for in vain for an error"


def test_the_call_of_one_record_links_to_it(sandbox: Sandbox, airflow_api: TestClient) -> None:
    codes = [json.loads(raw)["orderCode"] for raw in sandbox.truth("orders")[:2]]
    with connection(sandbox, extra=PORTAL), DAG("linked_call", schedule=None) as dag:
        NexusOperator.partial(task_id="one").expand(endpoint=[f"/orders/{code}" for code in codes])
        NexusOperator(task_id="many", endpoint="/orders", response_filter=len)
        run = run_dag(dag)
    assert [link(airflow_api, run, "one", index) for index in (0, 1)] == [
        f"https://portal.example/#/orders/{code}" for code in codes
    ]
    assert link(airflow_api, run, "many") is None
    assert not [text for text in xcom_texts(run) if sandbox.token in text]


def test_the_button_leads_to_the_report(sandbox: Sandbox, airflow_api: TestClient, tmp_path: Path) -> None:
    address = "https://reports.example.com/orders%20of%20today.html?version=1#resources"
    with connection(sandbox), DAG("linked_report", schedule=None) as dag:
        asked: dict[str, Any] = {"resource": "balances", "path": tmp_path.as_uri()}
        written: dict[str, Any] = {"report_path": str(tmp_path / "report.html")}
        NexusToObjectStorageOperator(task_id="linked", **asked, **written, report_url=address)
        NexusToObjectStorageOperator(task_id="unlinked", **asked, **written)
        NexusToObjectStorageOperator.partial(task_id="mapped", **asked, **written).expand(report_url=[address, address + "2"])
        run = run_dag(dag)
    assert link(airflow_api, run, "linked", name="Proof report") == address
    with pytest.raises(KeyError):  # no button, where no address can be
        link(airflow_api, run, "unlinked", name="Proof report")
    assert not [text for text in xcom_texts(run) if text.startswith("unlinked nexus_report_url")]
    mapped = [link(airflow_api, run, "mapped", index, "Proof report") for index in (0, 1)]
    assert mapped == [address, address + "2"]


def test_airflow_is_told_of_every_link() -> None:
    found = [each for each in vars(links).values() if isinstance(each, type) and issubclass(each, BaseOperatorLink)]
    names = [f"{each.__module__}.{each.__qualname__}" for each in found if each is not BaseOperatorLink]
    assert get_provider_info()["extra-links"] == names


def test_portal_link_of_the_hook(sandbox: Sandbox) -> None:
    with connection(sandbox, extra={"portal_url": "https://portal.example"}):
        assert NexusHook().portal_link("orders", "O1") == "https://portal.example"
    with connection(sandbox):
        assert NexusHook().portal_link("orders", "O1") is None
