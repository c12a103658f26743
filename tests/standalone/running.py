"""A whole Airflow of a test's own, started on this machine, and its parts by process."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from airflow_provider_nexus.cli import throwaway

QUICK = {
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "4",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
}
"""A triggerer that is dead is noticed in seconds, and so are a new DAG and the watcher of one that is turned on."""


def wait_for(what: str, look: Callable[[], Any], seconds: float) -> Any:
    """What a look gives once it is true.

    :param seconds: on an idle machine; a busy one is given four times as long
    """
    end = time.monotonic() + 4 * seconds
    while time.monotonic() < end:
        try:
            found = look()
        except (requests.ConnectionError, requests.Timeout):
            found = None
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"{what} did not come within {4 * seconds:.0f} s")


class Airflow:
    """A running user interface, spoken to as its admin."""

    def __init__(self, port: int, home: Path) -> None:
        self.url, self.home, self._session = f"http://127.0.0.1:{port}", home, requests.Session()

    def sign_in(self) -> None:
        token = self._session.get(f"{self.url}/auth/token", timeout=60).json()["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def is_healthy(self) -> bool:
        health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=60).json()
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._session.request(method, f"{self.url}{path}", timeout=120, **options)


def left_over(home: Path) -> list[str]:
    """Processes that still have this home in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"AIRFLOW_HOME={home}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


@dataclass
class Standalone:
    """A running Airflow.

    :param environment: what its processes run with
    """

    airflow: Airflow
    home: Path
    environment: Mapping[str, str]

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of an answer of its API."""
        return self.airflow.ask(method, path, **options).json()

    def unpause(self, dag_id: str) -> None:
        """Turn a DAG on, once it was found."""
        path = f"/api/v2/dags/{dag_id}"
        wait_for(dag_id, lambda: self.airflow.ask("PATCH", path, json={"is_paused": False}).ok, 60)

    def processes(self, name: str) -> list[int]:
        """The processes of this Airflow with a word in their command line."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                mine = f"AIRFLOW_HOME={self.home}".encode() in (process / "environ").read_bytes().split(b"\0")
                if mine and name.encode() in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
        return found

    @contextmanager
    def part(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """One more part of this Airflow, such as ``triggerer``, while the block lasts."""
        with (self.home / f"{name}.log").open("ab") as log:
            command = ["airflow", name]
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)
        try:
            yield process
        finally:
            throwaway.stop(process)
            process.wait(60)


@contextmanager
def standalone(home: Path, connection_uri: str | None, dags: Mapping[str, str]) -> Iterator[Standalone]:
    """An Airflow with DAG files of its own, until the block ends.

    :param connection_uri: of `nexus_default`; without one this Airflow has no connection
    :param dags: text of each file by its name
    """
    folder = home / "dags"
    folder.mkdir(parents=True)
    for name, text in dags.items():
        (folder / name).write_text(text)
    port = free_port()
    environment = throwaway.environment(home, connection_uri) | throwaway.serving(port) | QUICK
    environment |= {"AIRFLOW__CORE__DAGS_FOLDER": str(folder)}
    with (home / "said.log").open("wb") as log:
        process = subprocess.Popen(["airflow", "standalone"], env=environment, stdout=log, stderr=log, start_new_session=True)
    airflow = Airflow(port, home)
    try:
        wait_for("a healthy Airflow", airflow.is_healthy, 120)
        airflow.sign_in()
        yield Standalone(airflow, home, environment)
    finally:
        throwaway.stop(process)
        process.wait(60)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1]) % 20_000 + 20_000
