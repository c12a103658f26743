"""The examples of docs/connection.rst, given to a real Airflow word by word."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from configparser import ConfigParser
from pathlib import Path

import pytest

from airflow_provider_nexus.api.environments import BASE_URLS
from airflow_provider_nexus.client.settings import EXTRAS, ClientSettings
from airflow_provider_nexus.hooks.nexus import NexusHook

PAGE = (Path(__file__).parents[2] / "docs" / "connection.rst").read_text()


def _blocks(language: str) -> list[str]:
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", PAGE, re.MULTILINE)
    return [textwrap.dedent(block).strip() for block in found]


VARIABLES = [block for block in _blocks("shell") if block.startswith("AIRFLOW_CONN_")]
TOKENS = {"the-api-token", "the/api-token"}


def _settings(monkeypatch: pytest.MonkeyPatch, block: str) -> ClientSettings:
    (assignment,) = shlex.split(block)
    monkeypatch.setenv(*assignment.split("=", 1))
    return NexusHook().settings


def test_the_page_has_the_examples_that_it_should_have() -> None:
    assert len(VARIABLES) == 4
    assert len([block for block in VARIABLES if "nexus://" in block]) == 2


@pytest.mark.parametrize("block", VARIABLES)
def test_every_variable_is_a_connection(monkeypatch: pytest.MonkeyPatch, block: str) -> None:
    settings = _settings(monkeypatch, block)
    assert settings.token.reveal() in TOKENS
    own_host = "nexus.bank.example" in block
    assert settings.environment.base_url == ("https://nexus.bank.example" if own_host else BASE_URLS["production"])
    assert settings.timeout == (30 if own_host else 60)
    assert not settings.allow_writes


def test_the_command_adds_a_connection() -> None:
    from tests.airflow.running import airflow_cli

    (command,) = (block for block in _blocks("shell") if block.startswith("airflow connections add"))
    _, *arguments = shlex.split(command.replace("\\\n", " ").replace("nexus_default", "nexus_added"))
    answer = airflow_cli(*arguments)
    assert answer.returncode == 0, answer.stderr
    shown = json.loads(airflow_cli("connections", "get", "nexus_added", "--output", "json").stdout)[0]
    assert (shown["conn_type"], shown["password"]) == ("nexus", "the-api-token")
    assert shown["extra_dejson"] == {"environment": "test"}


def test_a_secrets_backend_gives_the_connection(tmp_path: Path) -> None:
    from airflow.secrets.local_filesystem import LocalFilesystemBackend

    config = ConfigParser()
    config.read_string(_blocks("ini")[0])
    assert config["secrets"]["backend"] == f"{LocalFilesystemBackend.__module__}.{LocalFilesystemBackend.__name__}"
    options = json.loads(config["secrets"]["backend_kwargs"])
    path = tmp_path / options["connections_file_path"]
    path.write_text(_blocks("json")[0])
    connection = LocalFilesystemBackend(**options | {"connections_file_path": str(path)}).get_connection("nexus_default")
    assert connection is not None
    assert (connection.conn_type, connection.password) == ("nexus", "the-api-token")
    assert connection.extra_dejson == {"environment": "production"}


def test_the_page_has_every_extra() -> None:
    assert set(re.findall(r"extra ``(\w+)``", PAGE)) == set(EXTRAS)
