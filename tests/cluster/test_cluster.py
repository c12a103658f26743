"""Two workers with homes and disks of their own, and two triggerers: backfills, killed workers, writes, waits and watchers."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from deltalake import DeltaTable

from airflow_provider_nexus.sandbox import Sandbox
from tests.cluster.cluster import TRIGGERERS, WORKERS, Cluster, cluster
from tests.extract.serving import client_of
from tests.load.sql.loading import rows_of
from tests.standalone.running import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]
WAITS, PAGE, PART = 6, 25, 500
"""How many waits there are, and of how many records the pages and the parts of the large window are, as in the DAG file."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    dags = Path(__file__).with_name("dags.py").read_text()
    with (
        Sandbox(customers=60, transactions=6000, days=90, clock_speed=0, arrivals_per_hour=0) as sandbox,
        cluster(tmp_path_factory.mktemp("cluster"), sandbox, dags) as cluster_of_two,
    ):
        yield cluster_of_two


@pytest.fixture
def running(started: Cluster) -> Cluster:
    """The cluster with all of its hosts, also where a test has ended without one."""
    for name in WORKERS - started.parts.keys():
        started.start_worker(name)
    for name in TRIGGERERS - started.parts.keys():
        started.start_triggerer(name)
    return started


def span_of(sandbox: Sandbox) -> tuple[datetime, datetime]:
    """The ninety days, but for their last hour."""
    end = sandbox.now.replace(microsecond=0) - timedelta(hours=1)
    return end - timedelta(days=90), end


def start(running: Cluster, dag_id: str, **conf: Any) -> str:
    begin, end = span_of(running.sandbox)
    return running.trigger(dag_id, window_start=begin.isoformat(), window_end=end.isoformat(), **conf)


def hosts_of(running: Cluster, dag_id: str, run: str) -> set[str]:
    """Where windows of a backfill have been read by now."""
    return {each["hostname"] for each in running.tasks(dag_id, run) if each["state"] == "success" and each["map_index"] >= 0}


def assert_complete(running: Cluster, resource: str, folder: str) -> int:
    """The files hold what Nexus has, proved and without a gap.

    :return: how many windows there are
    """
    found = running.objects(f"{folder}/sandbox/{resource}/")
    manifests = [json.loads(data) for name, data in sorted(found.items()) if name.endswith("_manifest.json")]
    begin, end = span_of(running.sandbox)
    assert {each["proof"]["verdict"] for each in manifests} == {"proved"}
    assert all(one["window"]["end"] == other["window"]["start"] for one, other in pairwise(manifests))
    lines = [line for name, data in found.items() if "/part-" in name for line in gzip.decompress(data).splitlines()]
    assert sorted(lines) == sorted(running.sandbox.truth(resource, begin, end))
    assert not any("_staging" in name for name in found), "nothing is left of the tries that failed"
    return len(manifests)


def assert_in_table(running: Cluster, resource: str) -> None:
    engine = sa.create_engine(running.warehouse)
    with engine.connect() as connection:
        held = {tuple(row) for row in connection.execute(sa.text(f"SELECT _key, _content FROM {resource}"))}
    engine.dispose()
    truth = rows_of(running.sandbox.truth(resource, *span_of(running.sandbox)), resource)
    assert held == {(row[0], row[3]) for row in truth}


def assert_in_lake(running: Cluster, resource: str) -> None:
    options = {"endpoint_url": running.store.meta.endpoint_url, "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    options |= {"region_name": "us-east-1", "allow_http": "true"}
    found = DeltaTable(f"s3://lake/delta/sandbox/{resource}", storage_options=options).to_pyarrow_table(
        columns=["_key", "_content"]
    )
    truth = rows_of(running.sandbox.truth(resource, *span_of(running.sandbox)), resource)
    assert sorted(zip(found["_key"].to_pylist(), found["_content"].to_pylist(), strict=True)) == sorted(
        (row[0], row[3]) for row in truth
    )


def test_what_a_killed_worker_has_begun_the_other_one_ends(running: Cluster) -> None:
    with counted(running.sandbox) as calls:
        backfill = start(running, "backfill")
        wait_for("windows of both workers", lambda: hosts_of(running, "backfill", backfill) >= WORKERS, 300)
        large = start(running, "large")
        wait_for("two parts", lambda: len(running.names("large/sandbox/transactions/_staging/")) > 2, 300)
        (task,) = running.tasks("large", large)
        killed, other = task["hostname"], (WORKERS - {task["hostname"]}).pop()
        assert has_begun(running, "large", large, killed)
        running.kill(killed)
        running.wait_for_success("large", large)
        running.start_worker(killed)
        running.wait_for_success("backfill", backfill)
    (task,) = running.tasks("large", large)
    assert (task["hostname"], task["try_number"] > 1) == (other, True)
    assert "going on from" in running.logged(other)
    pages = sum(call.query.get("limit") == str(PAGE) for call in running.sandbox.calls)
    assert pages < (6000 + 2 * PART) / PAGE, "no more than a part is read twice"
    assert_complete(running, "transactions", "large")
    windows = assert_complete(running, "transactions", "backfill")
    assert_in_table(running, "transactions")
    assert windows == max(each["map_index"] for each in running.tasks("backfill", backfill, "files")) + 1
    assert_in_lake(running, "transactions")
    most = max(later - before for before, later in zip(calls, calls[10:], strict=False))
    told = f"{calls[-1] - calls[0]} calls in {len(calls)} s, {most} in the busiest 10 s"
    print(f"killed: {windows} windows into each of 3 targets, {told}")


@contextmanager
def counted(sandbox: Sandbox) -> Iterator[list[int]]:
    """The number of calls so far, second by second, while the block lasts."""
    counts, is_over = [sandbox.call_count], threading.Event()

    def look() -> None:
        while not is_over.wait(1):
            counts.append(sandbox.call_count)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield counts
    finally:
        is_over.set()
        thread.join()


def has_begun(running: Cluster, dag_id: str, run: str, worker: str) -> bool:
    """Whether a worker is at a task."""
    return any((each["state"], each["hostname"]) == ("running", worker) for each in running.tasks(dag_id, run))


def test_a_worker_that_is_asked_to_stop_ends_what_it_has_begun(running: Cluster) -> None:
    backfill = start(running, "stopped")
    wait_for("a task of the worker", lambda: has_begun(running, "stopped", backfill, "south"), 300)
    running.ask_to_stop("south")
    running.wait_for_success("stopped", backfill)
    assert {each["try_number"] for each in running.tasks("stopped", backfill)} == {1}
    assert_complete(running, "orders", "stopped")


def test_one_reference_is_sent_once(running: Cluster) -> None:
    run = running.trigger("once")
    running.wait_for_success("once", run)
    assert {each["task_id"]: each["hostname"] for each in running.tasks("once", run)} == {each: each for each in WORKERS}
    north, south = (running.xcom("once", run, each) for each in sorted(WORKERS))
    assert north == south
    assert sum(call.method == "POST" for call in running.sandbox.calls) == 1


def bought(sandbox: Sandbox) -> list[str]:
    """Codes of transactions that are completed minutes later."""
    client = client_of(sandbox, allow_writes=True)
    client.run("POST", "/customer", json={"customerCode": "acme", "trustLevel": "Trusted", "status": "ACTIVE"})
    body = {
        "customerCode": "acme",
        "cryptoCode": "BTC",
        "currencyCode": "EUR",
        "fiatValue": 10,
        "paymentMethodCode": "CUST_BUY_IDEAL",
    }
    made = [client.run("POST", "/brokerbuy", json={**body, "data": {"n": str(number)}}) for number in range(WAITS)]
    client.session.close()
    return [str(each["transaction"]["transactionCode"]) for each in made]


def completed(sandbox: Sandbox) -> set[str]:
    records = [json.loads(raw) for raw in sandbox.truth("transactions")]
    return {each["transactionCode"] for each in records if each["status"] == "COMPLETED"}


def handled(running: Cluster) -> list[str]:
    """The changes that runs of the watcher's DAG have handled."""
    runs = running.airflow.ask("GET", "/api/v2/dags/watch/dagRuns").json()["dag_runs"]
    ended = [each["dag_run_id"] for each in runs if each["state"] == "success"]
    return [code for run in ended for code in running.xcom("watch", run, "handle") or ()]


def triggers(running: Cluster, name: str = "%") -> Counter[str]:
    """How many triggers each triggerer has.

    :param name: of their class, in part
    """
    rows = running.rows(
        "SELECT job.hostname FROM trigger JOIN job ON job.id = trigger.triggerer_id "
        f"WHERE job.state = 'running' AND trigger.classpath LIKE '%{name}'"
    )
    return Counter(host for (host,) in rows)


def test_two_triggerers_wake_each_wait_and_start_each_dag_once_though_one_is_killed(running: Cluster) -> None:
    sandbox = running.sandbox
    before, polls = completed(sandbox), sandbox.call_count
    running.unpause("watch")
    wait_for("the first polls", lambda: sandbox.call_count > polls + 2, 300)
    codes = bought(sandbox)
    run = running.trigger("waits", codes=codes)
    wait_for("all waits", lambda: triggers(running).total() == WAITS + 1 and triggers(running).keys() == TRIGGERERS, 300)
    (watching,) = triggers(running, "NexusChangeTrigger")
    (other,) = TRIGGERERS - {watching}
    running.kill(watching)
    sandbox.advance(600)
    wait_for("the other one", lambda: triggers(running).keys() <= {other}, 300)
    running.wait_for_success("waits", run)
    expected = completed(sandbox) - before
    assert expected >= set(codes)
    wait_for("every change", lambda: expected <= set(handled(running)), 300)
    begun = "SELECT map_index FROM log WHERE dag_id = 'waits' AND task_id = 'wait' AND event = 'running'"
    assert Counter(running.rows(begun)) == {(number,): 2 for number in range(WAITS)}, "each begins, and goes on once"
    assert sorted(handled(running)) == sorted(expected)
