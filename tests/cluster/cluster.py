"""A cluster on this machine: Airflow with CeleryExecutor, Redis and PostgreSQL, its workers and triggerers on hosts of their own.

A host is a name, a home and a temporary folder. What hosts have in common is what users' machines have in common: the DAG files,
Airflow's API and database, the broker, an object store and a warehouse.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3  # type: ignore[import-untyped]
import psutil
import sqlalchemy as sa

from airflow_provider_nexus.cli import throwaway
from airflow_provider_nexus.sandbox import Sandbox
from tests.cluster import host
from tests.load.sql.databases import Databases
from tests.redis_server import redis_server
from tests.standalone.running import QUICK, Airflow, free_port, wait_for

BUCKET = "lake"
WORKERS, TRIGGERERS = {"north", "south"}, {"east", "west"}
RATE = 10
_SHARED = urlencode({"__extra__": json.dumps({"allow_writes": True, "rate_limit": RATE, "rate_limit_conn_id": "rates"})})
"""The connection: calls a second that all hosts make at most, by the Redis that they share."""
_CHECKOUT = Path(__file__).parents[2]
_NOTICED = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "20",
}
"""A worker that is dead is noticed soon, and so are tasks that it had taken and not begun. A busy machine fails none of them."""


@dataclass
class Cluster:
    """A running cluster.

    :param environment: what all of its processes run with
    :param store: the object store
    :param warehouse: URL of the database for tables
    """

    airflow: Airflow
    sandbox: Sandbox
    home: Path
    environment: Mapping[str, str]
    store: Any
    warehouse: str
    parts: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        """Start a part of Airflow on a host of its own."""
        home = self.home / name
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        own = {"AIRFLOW_HOME": str(home), "HOME": str(home), "TMPDIR": str(home / "tmp"), host.VARIABLE: name}
        with (home / "said.log").open("ab") as log:
            made = subprocess.Popen(
                ["airflow", *command], env={**self.environment, **own}, stdout=log, stderr=log, start_new_session=True
            )
        self.parts[name] = made

    def start_worker(self, name: str) -> None:
        """Start a Celery worker that takes what is for all, and what is for it alone."""
        options = ("--queues", f"default,{name}", "--concurrency", "2", "--celery-hostname", f"worker@{name}")
        self.start(name, "celery", "worker", *options, "--skip-serve-logs", "--without-gossip", "--without-mingle")

    def start_triggerer(self, name: str) -> None:
        """Start a triggerer, which has no room for all waits."""
        self.start(name, "triggerer", "--capacity", "4", "--skip-serve-logs")

    def kill(self, name: str) -> None:
        """End all processes of a host without a word, as where its power fails."""
        part = self.parts.pop(name)
        for process in [*psutil.Process(part.pid).children(recursive=True), psutil.Process(part.pid)]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        part.wait(60)

    def ask_to_stop(self, name: str) -> None:
        """Stop a worker as a deployment does: it ends what it has begun, and takes nothing more."""
        part = self.parts.pop(name)
        part.send_signal(signal.SIGTERM)
        part.wait(240)

    def stop(self) -> None:
        """Stop all parts."""
        for part in self.parts.values():
            with suppress(ProcessLookupError):
                os.killpg(part.pid, signal.SIGTERM)
        for part in self.parts.values():
            throwaway.stop(part)
            part.wait(60)

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Turn a DAG on, and start a run."""
        self.unpause(dag_id)
        found = self.airflow.ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf}).json()
        return str(found["dag_run_id"])

    def unpause(self, dag_id: str) -> None:
        """Turn a DAG on, once it was found."""
        wait_for(dag_id, lambda: self.airflow.ask("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False}).ok, 60)

    def state(self, dag_id: str, run: str) -> str:
        """The state of a run."""
        return str(self.airflow.ask("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run}").json()["state"])

    def tasks(self, dag_id: str, run: str, task_id: str = "") -> list[dict[str, Any]]:
        """The task instances of a run."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances?limit=100"
        found = self.airflow.ask("GET", path).json()["task_instances"]
        return [each for each in found if task_id in ("", each["task_id"])]

    def wait_for_success(self, dag_id: str, run: str, seconds: float = 300) -> None:
        """Wait until a run is over, which must have gone well."""
        ended = wait_for(f"the end of {dag_id}", lambda: (s := self.state(dag_id, run)) in ("success", "failed") and s, seconds)
        assert ended == "success", [(each["task_id"], each["state"], each["try_number"]) for each in self.tasks(dag_id, run)]

    def xcom(self, dag_id: str, run: str, task_id: str, map_index: int = -1) -> Any:
        """What a task returned."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.airflow.ask("GET", path, params={"map_index": map_index, "deserialize": True}).json()["value"]

    def logged(self, name: str) -> str:
        """The logs of all tasks that a host has run."""
        return "\n".join(path.read_text(errors="replace") for path in (self.home / name / "logs").rglob("*.log"))

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """What is in the object store, by its name."""
        pages = self.store.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        names = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return {name: self.store.get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names}

    def names(self, part: str) -> list[str]:
        """The names in the object store with a word in them."""
        pages = self.store.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [each["Key"] for page in pages for each in page.get("Contents", ()) if part in each["Key"]]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query in Airflow's own database."""
        engine = sa.create_engine(self.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(sa.text(query))]
        finally:
            engine.dispose()


@contextmanager
def cluster(home: Path, sandbox: Sandbox, dags: str) -> Iterator[Cluster]:
    """A cluster of two workers and two triggerers, until the block ends.

    :param dags: text of its DAG file
    """
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "cluster.py").write_text(dags)
    databases = Databases()
    with ExitStack() as stack:
        stack.callback(databases.close)
        broker = f"redis://127.0.0.1:{stack.enter_context(redis_server()).port}/0"
        endpoint = stack.enter_context(_object_store(home))
        metadata, warehouse = (databases.url("postgresql+psycopg2", home) for _ in range(2))
        port = free_port()
        environment = {
            **throwaway.environment(home / "main", f"{sandbox.connection_uri.partition('?')[0]}?{_SHARED}"),
            **throwaway.serving(port),
            **QUICK,
            **_NOTICED,
            **_connections(endpoint, warehouse),
            "AIRFLOW_CONN_RATES": broker,
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{host.__name__}.{host.name.__name__}",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{metadata}",
            "AIRFLOW__CELERY__TASK_ACKS_LATE": "True",
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_CHECKOUT), os.environ.get("PYTHONPATH", "")))),
            host.VARIABLE: "main",
        }
        with (home / "migrate.log").open("w") as log:
            throwaway.airflow(["db", "migrate"], environment, log)
        running = Cluster(Airflow(port, home), sandbox, home, environment, _client(endpoint), warehouse)
        stack.callback(running.stop)
        for name, *command in (
            ("api", "api-server"),
            ("scheduler", "scheduler", "--skip-serve-logs"),
            ("processor", "dag-processor"),
        ):
            running.start(name, *command)
        for name in sorted(TRIGGERERS):
            running.start_triggerer(name)
        for name in sorted(WORKERS):
            running.start_worker(name)
        wait_for("a healthy Airflow", running.airflow.is_healthy, 120)
        running.airflow.sign_in()
        yield running


@contextmanager
def _object_store(home: Path) -> Iterator[str]:
    port = free_port()
    with _serving([str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)], home / "store.log"):
        endpoint = f"http://127.0.0.1:{port}"
        wait_for("the object store", lambda: _makes_bucket(endpoint), 60)
        yield endpoint


def _makes_bucket(endpoint: str) -> bool:
    try:
        _client(endpoint).create_bucket(Bucket=BUCKET)
    except Exception:  # noqa: BLE001 - it does not listen yet
        return False
    return True


@contextmanager
def _serving(command: list[str], said: Path) -> Iterator[None]:
    with said.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _client(endpoint: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)


def _connections(endpoint: str, warehouse: str) -> dict[str, str]:
    database = sa.make_url(warehouse)
    lake = {"conn_type": "aws", "login": "test", "password": "test"}
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    server = {"host": database.host, "port": database.port, "login": database.username, "schema": database.database}
    return {
        "AIRFLOW_CONN_LAKE": json.dumps({**lake, "extra": extra}),
        "AIRFLOW_CONN_WAREHOUSE": json.dumps({"conn_type": "postgres", **server}),
    }
