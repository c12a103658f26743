"""A real Redis on 127.0.0.1, for as long as a test needs it."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.client.socket_server import free_port
from tests.lacking import find

_PORTS, _LOOKS = 5, 600


@dataclass
class RedisServer:
    """A server that runs.

    :param password: of its default user; empty for none
    """

    port: int
    password: str
    process: subprocess.Popen[bytes]

    @property
    def admin(self) -> redis.Redis:
        """Speaks to it with all rights."""
        return redis.Redis(host="127.0.0.1", port=self.port, password=self.password or None, decode_responses=True)

    def run(self, command: str) -> Any:
        """What it answers to a command in words."""
        return self.admin.execute_command(command)  # type: ignore[no-untyped-call]

    def freeze(self) -> None:
        """Let it take connections, as the kernel does, and answer nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it, with all that it has in memory."""
        self.process.kill()
        self.process.wait()


@contextmanager
def redis_server(*options: str, port: int = 0, password: str = "") -> Iterator[RedisServer]:
    """A server in a folder of its own. Another process may take the port before it does: then another one is tried."""
    program = find("redis-server", "redis-server")
    with tempfile.TemporaryDirectory(prefix="nexus-redis-") as folder:
        for _ in range(_PORTS):
            chosen, log = port or free_port(), Path(folder) / "log"
            own = ["--port", str(chosen), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
            own += ["--requirepass", password] if password else []
            with log.open("wb") as file:
                process = subprocess.Popen([program, *own, *options], stdout=file, stderr=subprocess.STDOUT, cwd="/")
            server = RedisServer(chosen, password, process)
            try:
                if _answers(server, folder):
                    yield server
                    return
            finally:
                server.thaw()
                server.kill()
        pytest.fail(f"the server did not start: {log.read_text(errors='replace')[-3000:]}")


def _answers(server: RedisServer, folder: str) -> bool:
    """Whether it is this server that answers in the end, and not somebody else's at the same port."""
    for _ in range(_LOOKS):
        try:
            return server.admin.config_get("dir") == {"dir": folder}
        except redis.RedisError:
            if server.process.poll() is not None:
                return False
        time.sleep(0.05)
    return False
