"""Real databases for tests: a file of SQLite, and servers of PostgreSQL and MariaDB that live as long as the session."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tests.lacking import find

KINDS = ("sqlite", "postgresql+psycopg", "mysql+pymysql")
USER = "nobody"
_START = 240
"""Seconds after which a server that does not answer won't come up any more, however busy the machine is."""


def as_nobody(command: list[str]) -> list[str]:
    """The servers refuse to run as root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", f"--reuid={USER}", f"--regid={_group()}", "--clear-groups", *command]


def _group() -> str:
    return subprocess.run(["id", "-gn", USER], capture_output=True, text=True, check=True).stdout.strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server_folder() -> Iterator[Path]:
    # Short and outside of pytest's own folders, which only root may enter, and sockets' paths are limited to 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="nexus-db-"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER, _group())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(command: list[str], url: str, log: Path) -> Iterator[str]:
    with log.open("wb") as output:
        process = subprocess.Popen(as_nobody(command), stdout=output, stderr=subprocess.STDOUT, cwd="/")
        try:
            wait_for(url, process, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    engine = sa.create_engine(url, poolclass=NullPool)
    deadline = time.monotonic() + _START
    while True:
        try:
            engine.connect().close()
        except DBAPIError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start: {log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)
        else:
            return


@contextmanager
def postgresql() -> Iterator[str]:
    with server_folder() as folder:
        data, port = folder / "data", free_port()
        init = [
            find("initdb", "postgresql"),
            "-D",
            str(data),
            "-U",
            "nexus",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-N",
        ]
        subprocess.run(as_nobody(init), check=True, capture_output=True, cwd="/")
        settings = ["fsync=off", f"unix_socket_directories={folder}", "listen_addresses=127.0.0.1", "deadlock_timeout=200ms"]
        command = [
            find("postgres", "postgresql"),
            "-D",
            str(data),
            "-p",
            str(port),
            *(part for each in settings for part in ("-c", each)),
        ]
        with running(command, f"postgresql+psycopg2://nexus@127.0.0.1:{port}/postgres", folder / "log") as url:
            yield url


@contextmanager
def mysql() -> Iterator[str]:
    with server_folder() as folder:
        data, port = folder / "data", free_port()
        init = [
            find("mariadb-install-db", "mariadb-server"),
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
        ]
        subprocess.run(as_nobody(init), check=True, capture_output=True, cwd="/")
        files = [f"--datadir={data}", f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}"]
        net = [f"--port={port}", "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve"]
        command = [find("mariadbd", "mariadb-server"), "--no-defaults", *files, *net]
        with running(command, f"mysql+pymysql://root@127.0.0.1:{port}/test?charset=utf8mb4", folder / "log") as url:
            yield url


class Databases:
    """Servers that are started when they are first needed, and stopped with the session."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._urls: dict[str, str] = {}

    def url(self, kind: str, folder: Path) -> str:
        """The URL of a new, empty database.

        :param kind: one of :data:`KINDS`
        :param folder: where SQLite's file goes
        """
        server = kind.partition("+")[0]
        if server == "sqlite":
            return f"sqlite:///{folder / uuid.uuid4().hex}.db"
        if server not in self._urls:
            self._urls[server] = self._stack.enter_context({"postgresql": postgresql, "mysql": mysql}[server]())
        return self._new_database(self._urls[server], kind)

    @staticmethod
    def _new_database(url: str, kind: str) -> str:
        name = f"d{uuid.uuid4().hex[:16]}"
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        return sa.make_url(url).set(drivername=kind, database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        """Stop all."""
        self._stack.close()


def count_statements(engine: Engine, each: Callable[[str], None]) -> None:
    """Have something called before every statement and every commit."""

    @event.listens_for(engine, "before_cursor_execute")
    def before(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        each(statement)

    @event.listens_for(engine, "commit")
    def commit(_c: object) -> None:
        each("COMMIT")
