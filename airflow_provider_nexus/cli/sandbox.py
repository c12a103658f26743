"""`airflow nexus sandbox`: a Nexus of one's own until it is stopped."""

from __future__ import annotations

import json
import signal
import threading
from argparse import Namespace
from datetime import datetime
from typing import Any

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox import Sandbox

_MOMENTS = ("now", "token_expires")


def run(arguments: Namespace) -> None:
    """Serve until interrupted."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _sandbox(arguments) as sandbox:
        print(f"A Nexus sandbox listens on {sandbox.base_url}")
        print(f"  token       {sandbox.token}")
        print(f"  connection  export AIRFLOW_CONN_NEXUS_DEFAULT='{sandbox.connection_uri}'")
        print("Ctrl-C stops it.", flush=True)
        stop.wait()


def _sandbox(arguments: Namespace) -> Sandbox:
    own = ("seed", "customers", "transactions", "days", "port")
    try:
        return Sandbox(**{name: getattr(arguments, name) for name in own}, **parse_settings(arguments.set))
    except (TypeError, ValueError) as error:
        raise NexusConfigurationError(str(error)) from error


def parse_settings(texts: list[str]) -> dict[str, Any]:
    """Settings given as ``NAME=VALUE``; a moment is ISO 8601, a value that is JSON is read as such, any other is text.

    :raises NexusConfigurationError: when one has no name
    :raises ValueError: when a moment is none
    """
    settings: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise NexusConfigurationError(f"--set takes NAME=VALUE, not {text!r}")
        settings[name] = _value(name, value)
    return settings


def _value(name: str, text: str) -> Any:
    if name in _MOMENTS:
        return datetime.fromisoformat(text)
    try:
        return json.loads(text)
    except ValueError:
        return text
