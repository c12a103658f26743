"""Codes as users give them x the places that take them x both ways of rendering, in real runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusNotFoundError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sensors.nexus import NexusStatusSensor
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.triggers.nexus import NexusChangeTrigger, NexusStatusTrigger
from tests.airflow.inputs.serving import paths, serving
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of

NATIVE = pytest.mark.parametrize("native", [False, True], ids=["as text", "as objects"])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=12, transactions=60, days=2, clock_speed=0) as running, connection(running):
        yield running


def customers(sandbox: Sandbox) -> list[str]:
    return [json.loads(raw)["customerCode"] for raw in sandbox.truth("customers")]


def written(path: Path) -> int:
    """Records in the manifests under a path."""
    return sum(json.loads(each.read_bytes())["records"] for each in path.rglob("_manifest.json"))


@task
def upstream(value: Any) -> Any:
    """Hands a value over by XCom."""
    return value


@task
def nothing() -> None:
    """Hands nothing over."""


def said(text: str) -> Any:
    """A text by XCom; an argument of the task would be rendered, and become a number where templates are objects."""

    @task
    def say() -> str:
        return text

    return say()


@NATIVE
def test_parents(sandbox: Sandbox, tmp_path: Path, native: bool) -> None:
    one, two, *_ = codes = customers(sandbox)
    owed = {code: len(sandbox.truth("customer_persons", parent=code)) for code in codes}
    with DAG(
        f"parents_{native}", schedule=None, render_template_as_native_obj=native, params={"one": one, "two": [one, two]}
    ) as dag:
        ways: dict[str, tuple[Any, list[str]]] = {
            "text": (one, [one]),
            "list": ([one, two], [one, two]),
            "tuple": ((one, two), [one, two]),
            "twice": ([one, one], [one]),
            "template": ("{{ params.one }}", [one]),
            "template_list": ("{{ params.two }}", [one, two]),
            "templates": (["{{ params.one }}", "{{ params.two[1] }}"], [one, two]),
            "xcom_text": (upstream(one), [one]),
            "xcom_list": (upstream([one, two]), [one, two]),
            "all": (None, codes),
        }
        for name, (given, _) in ways.items():
            NexusToObjectStorageOperator(
                task_id=name, resource="customer_persons", path=f"{tmp_path}/{native}/{name}", parent=given
            )
    run = run_dag(dag)
    for name, (_, meant) in ways.items():
        assert state_of(run, name) == "success", name
        assert written(tmp_path / str(native) / name) == sum(owed[code] for code in meant), name


@NATIVE
def test_parents_that_are_none(sandbox: Sandbox, tmp_path: Path, native: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """A verdict of nothing must never be called proved: each of these failed to name a customer."""
    given = {
        "unknown": ["NOSUCHCUSTOMER"],
        "unknown_text": "NOSUCHCUSTOMER",
        "partly": [customers(sandbox)[0], "NOSUCHCUSTOMER"],
        "missing": "{{ params.nothing }}",
        "missing_in": ["{{ params.nothing }}"],
        "empty": "{{ '' }}",
    }
    with DAG(f"no_parents_{native}", schedule=None, render_template_as_native_obj=native, params={"nothing": None}) as dag:
        for name, parents in given.items():
            NexusToObjectStorageOperator(
                task_id=name,
                resource="customer_persons",
                path=f"{tmp_path}/{name}",
                parent=parents,
            )
        for name, made in (("number", [10000001]), ("mapping", {"code": "C1"})):
            NexusToObjectStorageOperator(
                task_id=name,
                resource="customer_persons",
                path=f"{tmp_path}/{name}",
                parent=upstream.override(task_id=f"a_{name}")(made),
            )
        NexusToObjectStorageOperator(task_id="none", resource="customer_persons", path=f"{tmp_path}/nobody", parent=upstream([]))
        NexusToObjectStorageOperator(task_id="lost", resource="customer_persons", path=f"{tmp_path}/lost", parent=nothing())
        over = NexusToObjectStorageOperator.partial(task_id="over", resource="customer_persons", path=f"{tmp_path}/over")
        over.expand(parent=[None])
        for name, each in (("over_given", [{"parent": None}]), ("over_told", upstream([{"parent": None}]))):
            over = NexusToObjectStorageOperator.partial(task_id=name, resource="customer_persons", path=f"{tmp_path}/{name}")
            over.expand_kwargs(each)
    run = run_dag(dag)
    for name in ("over", "over_given", "over_told"):
        assert [each.state for each in run.get_task_instances() if each.task_id == name] == ["failed"], name
    for name in (*given, "lost", "number", "mapping"):
        assert state_of(run, name) == "failed", name
    assert state_of(run, "none") == "skipped"
    assert not list(tmp_path.rglob("_manifest.json"))
    said = "".join(capfd.readouterr())
    assert "there is no 'NOSUCHCUSTOMER' among the customers" in said
    assert "which is what a template makes of a missing value" in said


def test_parents_that_a_mapped_task_was_not_given_are_all(sandbox: Sandbox, tmp_path: Path) -> None:
    """A null that was written out beside what the task is mapped over is one that was left out."""
    owed = sum(len(sandbox.truth("customer_persons", parent=code)) for code in customers(sandbox))
    with DAG("parents_left_out", schedule=None) as dag:
        partials: dict[str, dict[str, Any]] = {"left_out": {}, "written_out": {"parent": None}}
        for name, partly in partials.items():
            over = NexusToObjectStorageOperator.partial(task_id=name, resource="customer_persons", **partly)
            over.expand(path=[f"{tmp_path}/{name}_expand"])
            kwargs = NexusToObjectStorageOperator.partial(task_id=f"{name}_kwargs", resource="customer_persons", **partly)
            kwargs.expand_kwargs([{"path": f"{tmp_path}/{name}_kwargs"}])
    run = run_dag(dag)
    assert run.state == "success"
    folders = list(tmp_path.iterdir())
    assert len(folders) == 4
    assert [written(folder) for folder in folders] == [owed] * 4


def test_parents_of_what_has_none_are_refused_by_the_parser() -> None:
    with pytest.raises(NexusConfigurationError, match="orders belong to no other record, so there can be no parent"):
        NexusToObjectStorageOperator(task_id="t", resource="orders", path="/data", parent=["C1"])


@NATIVE
def test_the_sensor_asks_for_the_very_code(native: bool) -> None:
    """Codes that look like numbers are other codes once they are numbers: 1e5, 0x10, 1_0."""
    record = {"orderCode": "X", "status": "FILLED", "created": "2026-01-01T00:00:00Z"}
    looks_like_numbers = ["10000001", "1e5", "0x10", "1_0", "007", "True"]
    for text in looks_like_numbers:
        with serving({**record, "orderCode": text}) as server:
            with DAG(f"code_{text}_{native}", schedule=None, render_template_as_native_obj=native, params={"code": text}) as dag:
                ways = {"plain": text, "template": "{{ params.code }}", "listed": ["{{ params.code }}"], "xcom": said(text)}
                for name, given in ways.items():
                    NexusStatusSensor(
                        task_id=name, resource="orders", code=given, target_statuses="Filled", poke_interval=0.1, timeout=5
                    )
            run = run_dag(dag)
            assert {name: state_of(run, name) for name in ways} == dict.fromkeys(ways, "success")
            assert paths(server) == {f"/orders/{text}"}
            assert isinstance(xcom_of(run, "listed"), list)
            assert xcom_of(run, "template")["orderCode"] == text


@NATIVE
def test_no_target_at_all_is_refused(native: bool) -> None:
    with serving({"orderCode": "A", "status": "FILLED", "created": "2026-01-01T00:00:00Z"}):
        with DAG(f"no_targets_{native}", schedule=None, render_template_as_native_obj=native) as dag:
            with pytest.raises(NexusConfigurationError, match=r"target_statuses is .*names none"):
                NexusStatusSensor(task_id="empty", resource="orders", code="A", target_statuses=[])
            NexusStatusSensor(task_id="lost", resource="orders", code="A", target_statuses=upstream([]))
            NexusStatusSensor(task_id="left_out", resource="orders", code="A", target_statuses=None)
        run = run_dag(dag)
        assert [state_of(run, name) for name in ("lost", "left_out")] == ["failed", "success"]


@pytest.mark.parametrize("target_statuses", ["Filled", "FILLED", ["filled"], ("Filled",), "['Filled']"])
def test_targets_and_states_are_one_or_several(target_statuses: Any) -> None:
    moments: dict[str, Any] = {"started": "2026-01-01T00:00:00+00:00", "deadline": "2026-01-02T00:00:00+00:00"}
    trigger = NexusStatusTrigger(resource="orders", codes={"A": ""}, target_statuses=target_statuses, **moments)
    assert [each.casefold() for each in trigger.serialize()[1]["target_statuses"]] == ["filled"]
    watching = NexusChangeTrigger(resource="orders", target_statuses=target_statuses)
    assert [each.casefold() for each in watching.target_statuses or ()] == ["filled"]
    assert NexusChangeTrigger(**watching.serialize()[1]).target_statuses == watching.target_statuses
    with pytest.raises(NexusConfigurationError, match="is no status of orders: did you mean"):
        NexusChangeTrigger(resource="orders", target_statuses="Fille")


@pytest.mark.parametrize("code", ["", " ", "None", None, 10000001, 1.5, ["A"], ".", ".."])
def test_one_record_by_what_is_no_code(code: Any) -> None:
    with serving() as server:
        with pytest.raises(NexusConfigurationError, match=r"code of one of orders|has the part None"):
            NexusHook().get_record("orders", code)
        assert not server.asked


def test_a_parent_that_answers_with_nothing_is_looked_for(sandbox: Sandbox) -> None:
    with pytest.raises(NexusNotFoundError):
        list(NexusHook().iter_records("customer_persons", parent="NOSUCHCUSTOMER"))


@pytest.mark.parametrize("name", ["window_start", "window_end"])
def test_a_window_that_another_task_makes_nothing_of_is_refused(
    sandbox: Sandbox, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where a window is left out the interval or the watermark says it, which nobody means who maps a task over windows."""
    with DAG(f"no_{name}", schedule=None) as dag:
        for task_id, each in (("given", [{name: None}]), ("told", upstream([{name: None}]))):
            mapped = NexusToObjectStorageOperator.partial(task_id=task_id, resource="orders", path=f"{tmp_path}/{task_id}")
            mapped.expand_kwargs(each)
        mapped = NexusToObjectStorageOperator.partial(task_id="over", resource="orders", path=f"{tmp_path}/over")
        mapped.expand(**{name: [None]})
    run = run_dag(dag)
    states = {each.task_id: each.state for each in run.get_task_instances() if each.map_index >= 0 and each.task_id != "upstream"}
    assert states == dict.fromkeys(("given", "told", "over"), "failed")
    assert f"{name} is None in what this task is mapped over" in "".join(capfd.readouterr())
    assert not list(tmp_path.rglob("_manifest.json"))
