"""Real databases for tests: a file of SQLite, and servers of PostgreSQL and MariaDB that live as long as the session."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tests.lacking import find

KINDS = ("sqlite", "postgresql+psycopg", "mysql+pymysql")
FOLDING = "folding-mysql+pymysql"
"""A server that keeps all names in lower case, as MySQL does on Windows and where lower_case_table_names is 1."""
USER = "nobody"
_PORTS, _LOOKS = 5, 2400


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


@dataclass(frozen=True)
class Server:
    """How to run a server.

    :param command: to which its port is added
    :param url: with ``PORT`` for the port
    :param whose: a query that tells the folder of its data
    :param stop: the signal that stops it at once: its data are thrown away
    """

    command: list[str]
    url: str
    whose: str
    stop: int


@contextmanager
def running(server: Server, folder: Path) -> Iterator[str]:
    """Another process may take the port before the server does: then another one is tried."""
    for _ in range(_PORTS):
        port = str(free_port())
        command = as_nobody([part.replace("PORT", port) for part in server.command])
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd="/")
        try:
            url = server.url.replace("PORT", port)
            if answers(url, process, server.whose, folder):
                yield url
                return
        finally:
            stop(process, server.stop)
    pytest.fail(f"the server did not start: {(folder / 'log').read_text(errors='replace')[-3000:]}")


def stop(process: subprocess.Popen[bytes], number: int) -> None:
    process.send_signal(number)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def answers(url: str, process: subprocess.Popen[bytes], whose: str, folder: Path) -> bool:
    """Whether it is this server that answers in the end, and not somebody else's at the same port."""
    engine = sa.create_engine(url, poolclass=NullPool)
    for _ in range(_LOOKS):
        try:
            with engine.connect() as connection:
                return str(connection.execute(sa.text(whose)).scalar_one()).startswith(str(folder))
        except DBAPIError:
            if process.poll() is not None:
                return False
        time.sleep(0.1)
    return False


@contextmanager
def postgresql() -> Iterator[str]:
    with server_folder() as folder:
        data = folder / "data"
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
            "PORT",
            *(part for each in settings for part in ("-c", each)),
        ]
        url = "postgresql+psycopg2://nexus@127.0.0.1:PORT/postgres"
        with running(Server(command, url, "SHOW data_directory", signal.SIGQUIT), folder) as found:
            yield found


@contextmanager
def mysql(*settings: str) -> Iterator[str]:
    """MariaDB.

    :param settings: more options of the server, which it is also set up with
    """
    with server_folder() as folder:
        data = folder / "data"
        init = [
            find("mariadb-install-db", "mariadb-server"),
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            *settings,
        ]
        subprocess.run(as_nobody(init), check=True, capture_output=True, cwd="/")
        files = [f"--datadir={data}", f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}"]
        net = ["--port=PORT", "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve"]
        command = [find("mariadbd", "mariadb-server"), "--no-defaults", *files, *net, *settings]
        url = "mysql+pymysql://root@127.0.0.1:PORT/test?charset=utf8mb4"
        with running(Server(command, url, "SELECT @@datadir", signal.SIGKILL), folder) as found:
            yield found


SERVERS: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "postgresql": postgresql,
    "mysql": mysql,
    "folding-mysql": lambda: mysql("--lower-case-table-names=1"),
}


class Databases:
    """Servers that are started when they are first needed, and stopped with the session."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._urls: dict[str, str] = {}

    def url(self, kind: str, folder: Path) -> str:
        """The URL of a new, empty database.

        :param kind: one of :data:`KINDS`, or :data:`FOLDING`
        :param folder: where SQLite's file goes
        """
        server = kind.partition("+")[0]
        if server == "sqlite":
            return f"sqlite:///{folder / uuid.uuid4().hex}.db"
        if server not in self._urls:
            self._urls[server] = self._stack.enter_context(SERVERS[server]())
        return self._new_database(self._urls[server], kind.removeprefix("folding-"))

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
