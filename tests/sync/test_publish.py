"""A process that is killed anywhere leaves no manifest that lies, and the next run leaves what an undisturbed one does."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from airflow_provider_nexus.sync.manifest import NAME
from airflow_provider_nexus.sync.window import Wish
from airflow_provider_nexus.sync.writers import jsonl
from tests.sync.serving import client_of, lines_job, sandbox_and_client

KILLS = 12
FOREVER = """
import sys
from datetime import datetime
from pathlib import Path
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.sync.window import Wish
from airflow_provider_nexus.sync.writers import jsonl
from tests.sync.serving import lines_job

jsonl.PART_RECORDS = 20
url, token, target, start, end = sys.argv[1:]
client = NexusClient(NexusSession(read_settings(token=token, host=url)))
wish = Wish(datetime.fromisoformat(start), datetime.fromisoformat(end), "arguments")
print("ready", flush=True)
for _ in range(1000):
    lines_job(client, Path(target), "transactions", wish).run()
    client.session._http.post(url + "/_sandbox/clock", json={"advance": 600})
"""


def lies(target: Path) -> list[str]:
    """Files that a manifest names otherwise than they are."""
    found = []
    for path in target.rglob(NAME):
        for file in json.loads(path.read_bytes())["files"]:
            data = path.parent / file["name"]
            if not data.exists() or hashlib.sha256(data.read_bytes()).hexdigest() != file["sha256"]:
                found.append(f"{path}: {file['name']}")
    return found


def data_of(target: Path) -> dict[str, bytes]:
    return {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file() and p.suffix != ".json"}


def test_killed_anywhere(tmp_path: Path) -> None:
    chance, published = random.Random(20260601), 0
    with sandbox_and_client() as (sandbox, _):
        end = (sandbox.now - timedelta(hours=1)).replace(microsecond=0)
        start = end - timedelta(hours=24)
        target = tmp_path / "killed"
        command = [
            sys.executable,
            "-c",
            FOREVER,
            sandbox.base_url,
            sandbox.token,
            str(target),
            start.isoformat(),
            end.isoformat(),
        ]
        for _ in range(KILLS):
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
                time.sleep(chance.uniform(0.01, 0.5))
                os.kill(process.pid, signal.SIGKILL)
            published += len(list(target.rglob(NAME)))
            assert lies(target) == []
        assert published, "no run came as far as its manifest, so nothing was tried"

        client = client_of(sandbox)
        jsonl_parts, jsonl.PART_RECORDS = jsonl.PART_RECORDS, 20
        try:
            for folder in (target, tmp_path / "undisturbed"):
                wish = Wish(start, end, "arguments")
                assert lines_job(client, folder, "transactions", wish).run()
        finally:
            jsonl.PART_RECORDS = jsonl_parts
            client.session.close()
    assert data_of(target) == data_of(tmp_path / "undisturbed")
    assert lies(target) == []
