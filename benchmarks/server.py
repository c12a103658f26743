"""A server that answers lists as Nexus does, from memory: sorted, filtered by createdFrom and createdTill, page by page.

    python -m benchmarks.server --records 20000 --latency 0.02

It prints its port and serves until it is ended. A page takes it a small part of the time that the quickest client needs to
read it, so it is the client that is measured. The latency is added to each answer, to those of several connections side by side.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import parse_qsl

from airflow_provider_nexus.sandbox import Sandbox

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30
END = START + timedelta(days=DAYS)
PATH = "/transactions/custodian"

_STORED = 1200
"""Answers that are stored for those who ask the same again: more than all ways ask for in their runs."""
_CREATED = b'"created":"'
_HEAD = b"HTTP/1.1 200 OK\r\nDate: %b\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
_ENVELOPE = b'{"message":"ok","errors":null,"values":{"page":%d,"total":%d,"totalPages":%d,"filteringParameters":{},"records":['
_DATE = format_datetime(END + timedelta(days=1), usegmt=True).encode()


def transactions(records: int) -> list[bytes]:
    """Transactions of the sandbox, always the same, oldest first: about 1 kB each, with 17 amounts."""
    with Sandbox(customers=500, transactions=records, days=DAYS, now=END, clock_speed=0, amounts="awkward") as sandbox:
        return sandbox.truth("transactions")


class Answers:
    """Answers list calls.

    :param raw: the records, oldest first
    :ivar calls: answers given so far
    """

    def __init__(self, raw: list[bytes]) -> None:
        self.calls = 0
        self._raw = raw
        starts = [record.index(_CREATED) + len(_CREATED) for record in raw]
        self._stamps = [record[start : record.index(b'"', start)].decode() for record, start in zip(raw, starts, strict=True)]
        self._list = lru_cache(_STORED)(self._listed)

    def to(self, target: str) -> bytes:
        """The answer to a call."""
        if target == "/calls":  # for the benchmark itself
            return self._answer(b"%d" % self.calls)
        self.calls += 1
        return self._list(target)

    def _listed(self, target: str) -> bytes:
        query = dict(parse_qsl(target.partition("?")[2]))
        low = bisect_left(self._stamps, query.get("createdFrom", ""))
        high = bisect_left(self._stamps, query.get("createdTill", "~"))
        limit, page = int(query.get("limit", 100)), int(query.get("page", 1))
        found = self._raw[low:high][(page - 1) * limit : page * limit]
        envelope = _ENVELOPE % (page, high - low, -(-(high - low) // limit))
        return self._answer(envelope, b",".join(found), b"]}}")

    @staticmethod
    def _answer(*body: bytes) -> bytes:
        return b"".join([_HEAD % (_DATE, sum(map(len, body))), *body])


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, answers: Answers, latency: float) -> None:
        self._answers, self._latency, self._waiting = answers, latency, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *calls, self._waiting = (self._waiting + data).split(b"\r\n\r\n")
        for call in calls:
            target = call.split(b" ", 2)[1].decode()
            asyncio.get_running_loop().call_later(self._latency, self._answer, target)

    def _answer(self, target: str) -> None:
        self._transport.write(self._answers.to(target))


async def serve(records: int, latency: float) -> None:
    """Serve until the process is ended."""
    answers = Answers(transactions(records))
    server = await asyncio.get_running_loop().create_server(lambda: Connection(answers, latency), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def running(records: int, latency: float = 0.0) -> Iterator[str]:
    """The URL of a server in a process of its own."""
    command = [sys.executable, "-m", __name__, "--records", str(records), "--latency", str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the server of the benchmark did not start; its error is above")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that each answer takes longer")
    asked = parser.parse_args()
    asyncio.run(serve(asked.records, asked.latency))
