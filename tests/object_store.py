"""A store that imitates S3 on 127.0.0.1, for as long as a test needs it, and an Airflow connection to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

BUCKET, _REGION = "lake", "eu-west-1"
PASSWORD = "hidden"
_AMBIENT = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")


@dataclass(frozen=True)
class ObjectStore:
    """A store that runs, with a bucket.

    :param client: with all rights
    :param calls: the path of each request, in order
    """

    url: str
    client: Any
    calls: list[str]


@contextmanager
def object_store(conn_id: str) -> Iterator[ObjectStore]:
    """A store; its keys are in a connection alone.

    :param conn_id: of that connection, of its own for each test module: Airflow remembers where it leads
    """
    server, calls = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False), list[str]()
    server.start()
    try:
        host, port = server.get_host_and_port()
        # What it imitates lives as long as the process: a store of a test before may have the bucket.
        urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
        running: Any = server._server
        application = running.app

        def noted(environ: dict[str, Any], start: Any) -> Any:
            calls.append(environ["PATH_INFO"])
            return application(environ, start)

        running.app = noted
        extra = {"endpoint_url": f"http://{host}:{port}", "region_name": _REGION}
        client = boto3.client("s3", **extra, aws_access_key_id="key", aws_secret_access_key=PASSWORD)
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": _REGION})
        with pytest.MonkeyPatch.context() as patch:
            stored = {"conn_type": "aws", "login": "key", "password": PASSWORD, "extra": extra}
            patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(stored))
            for name in _AMBIENT:
                patch.delenv(name, raising=False)
            yield ObjectStore(extra["endpoint_url"], client, calls)
    finally:
        server.stop()
