"""`airflow nexus sandbox`: runs a sandbox until it is stopped."""

from __future__ import annotations

import json
import signal
import threading
from argparse import Namespace
from typing import Any

from airflow_provider_nexus.cli import running
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.settings import from_json

_OWN = ("seed", "customers", "transactions", "days", "port")


@running.command
def run(arguments: Namespace) -> int:
    """Serve until interrupted."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        made = Sandbox(**{name: getattr(arguments, name) for name in _OWN}, **parse_settings(arguments.set))
    except (TypeError, ValueError) as error:
        raise NexusConfigurationError(str(error)) from None
    with made as sandbox:
        print(f"A Nexus sandbox listens on {sandbox.base_url}")
        print(f"Its token is {sandbox.token}")
        print(f"export AIRFLOW_CONN_NEXUS_DEFAULT='{sandbox.connection_uri}'")
        print("Ctrl-C stops it.", flush=True)
        stop.wait()
    return 0


def parse_settings(texts: list[str]) -> dict[str, Any]:
    """Settings given as ``NAME=VALUE``; a moment is ISO 8601, a value that is JSON is read as such, any other is text.

    :raises NexusConfigurationError: when one has no name, or has an argument of its own
    :raises ValueError: for a moment or a fault that is none
    """
    settings: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise NexusConfigurationError(f"--set takes NAME=VALUE, not {text!r}")
        if name in _OWN:
            raise NexusConfigurationError(f"--set does not take {name}: give --{name}")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return from_json(settings)
