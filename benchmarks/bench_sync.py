"""What a proved sync costs against a bare loop over the same pages, as ratios in one run.

    python benchmarks/bench_sync.py [--records 20000] [--page 100] [--repeat 3]

A server in a process of its own holds the records in memory and answers as Nexus does: sorted, filtered by createdFrom and
createdTill. The bare loop follows page numbers with `response.json()`, as a script would, and keeps nothing; the sync seeks,
proves, adds up every amount exactly, hashes every key and writes gzip JSON lines.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.job import SyncJob

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30
HEAD = b'{"message":"ok","errors":null,"values":{"page":%d,"total":%d,"totalPages":%d,"filteringParameters":{},"records":['


def serve(records: int, pipe: Connection) -> None:
    """Answer list calls from memory until the parent goes."""
    end = START + timedelta(days=DAYS)
    with Sandbox(customers=500, transactions=records, days=DAYS, now=end, clock_speed=0) as sandbox:
        raw = sandbox.truth("transactions")
    stamps = [json.loads(record)["created"] for record in raw]
    date = format_datetime(end + timedelta(days=1), usegmt=True)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            low = bisect_left(stamps, query.get("createdFrom", ""))
            high = bisect_left(stamps, query.get("createdTill", "~"))
            limit, page = int(query["limit"]), int(query["page"])
            found = raw[low:high][(page - 1) * limit : page * limit]
            body = HEAD % (page, high - low, -(-(high - low) // limit)) + b",".join(found) + b"]}}"
            self.send_response_only(200)
            self.send_header("Date", date)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    pipe.send(server.server_port)
    server.serve_forever()


def bare(url: str, page_size: int) -> int:
    """Records that a loop over page numbers sees."""
    seen, page = 0, 1
    with requests.Session() as session:
        while True:
            answer = session.get(f"{url}/transactions/custodian", params={"page": str(page), "limit": str(page_size)}, timeout=30)
            values = answer.json()["values"]
            seen += len(values["records"])
            if page >= values["totalPages"]:
                return seen
            page += 1


def proved(url: str, page_size: int) -> int:
    """Records that a proved sync publishes."""
    client = NexusClient(NexusSession(read_settings(token="none-is-asked-for", host=url)))
    requested = RequestedWindow(START, START + timedelta(days=DAYS), "arguments")
    with tempfile.TemporaryDirectory() as folder:
        request = SyncRequest(resource=get_resource("transactions"), requested=requested, page_size=page_size)
        summary = SyncJob(client, request, Loader(JsonLinesCopy(Path(folder)))).run()
    client.session.close()
    assert summary is not None
    assert summary["verdict"] == "proved"
    return int(summary["records"])


def rate(work: Callable[[str, int], int], url: str, page_size: int) -> tuple[float, float]:
    """Records a second, and CPU microseconds a record."""
    began, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    records = work(url, page_size)
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    return records / (time.perf_counter() - began), spent / records * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--page", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(arguments.records, theirs), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    pairs = [(rate(bare, url, arguments.page), rate(proved, url, arguments.page)) for _ in range(arguments.repeat)]
    server.terminate()
    for name, index in (("bare loop", 0), ("proved sync", 1)):
        print(
            f"{name:12} {statistics.median(pair[index][0] for pair in pairs):9,.0f} records/s"
            f" {statistics.median(pair[index][1] for pair in pairs):7.1f} CPU us/record"
        )
    ratios = [sync[0] / loop[0] for loop, sync in pairs]
    print(f"ratio        {min(ratios):.2f} to {max(ratios):.2f}, median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
