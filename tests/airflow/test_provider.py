"""What Airflow makes of the provider: the form of a connection, the lists of its command line, the command group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers_manager import ProvidersManager

import airflow_provider_nexus
from airflow_provider_nexus.client.settings import EXTRAS
from tests.airflow.running import airflow_cli

if TYPE_CHECKING:
    from fastapi.testclient import TestClient


since_3_2 = pytest.mark.skipif(
    not hasattr(ProvidersManager, "initialize_providers_cli_command"),
    reason="Airflow takes the form and the commands from a provider's description from 3.2 on",
)


@pytest.fixture(scope="module")
def form(airflow_api: TestClient) -> dict[str, Any]:
    """What the user interface asks for to draw the form."""
    answer = airflow_api.get("/ui/connections/hook_meta")
    assert answer.status_code == 200, answer.text
    forms = {entry["connection_type"]: entry for entry in answer.json()}
    found: dict[str, Any] = forms["nexus"]
    return found


def test_the_form_has_a_name(form: dict[str, Any]) -> None:
    assert form["hook_name"] == "Quantoz Nexus"


@since_3_2
def test_the_form_shows_the_token_and_the_base_url_alone(form: dict[str, Any]) -> None:
    standard = form["standard_fields"]
    assert {name for name, field in standard.items() if field and not field["hidden"]} <= {"password", "host", "description"}
    assert standard["password"]["title"] == "API token"
    assert standard["host"]["title"] == "Base URL"
    assert "wins over the environment" in standard["host"]["placeholder"]
    assert all(standard[name]["hidden"] for name in ("login", "port", "url_schema"))


@since_3_2
def test_the_form_offers_the_environments(form: dict[str, Any]) -> None:
    schema = form["extra_fields"]["environment"]["schema"]
    assert form["extra_fields"]["environment"]["value"] == "test"
    assert schema["enum"] == ["test", "production"]
    assert set(schema["values_display"]) == {"test", "production"}
    assert schema["title"] == "Environment"


@since_3_2
@pytest.mark.parametrize(
    ("name", "default", "kind", "low", "high"),
    [
        ("allow_writes", False, "boolean", None, None),
        ("timeout", 30, "number", 1, 600),
        ("retries", 5, "integer", 0, 10),
        ("rate_limit", None, "number", 0.1, 1000),
        ("rate_limit_conn_id", None, "string", None, None),
        ("max_answer_mb", 64, "integer", 1, 1024),
        ("portal_url", None, "string", None, None),
        ("hash_secret", None, "string", None, None),
    ],
)
def test_the_form_has_the_other_fields(
    form: dict[str, Any], name: str, default: object, kind: str, low: int | None, high: int | None
) -> None:
    field = form["extra_fields"][name]
    assert field["value"] == default
    assert field["schema"]["type"] == [kind, "null"]
    assert (field["schema"].get("minimum"), field["schema"].get("maximum")) == (low, high)


@since_3_2
def test_the_form_has_no_further_field(form: dict[str, Any]) -> None:
    assert set(form["extra_fields"]) == set(EXTRAS)


def test_a_saved_connection_does_not_show_its_token(airflow_api: TestClient) -> None:
    extra = '{"environment": "production", "allow_writes": false, "timeout": 30, "retries": null}'
    body = {"connection_id": "nexus_saved", "conn_type": "nexus", "password": "a-token-of-nexus", "extra": extra}
    assert airflow_api.post("/api/v2/connections", json=body).status_code == 201
    shown = airflow_api.get("/api/v2/connections/nexus_saved")
    assert shown.status_code == 200
    assert shown.json()["password"] == "***"
    assert "a-token-of-nexus" not in shown.text
    assert '"production"' in shown.json()["extra"]


def test_the_server_lists_the_provider(airflow_api: TestClient) -> None:
    providers = {entry["package_name"]: entry for entry in airflow_api.get("/api/v2/providers").json()["providers"]}
    assert providers["airflow-provider-nexus"]["version"] == airflow_provider_nexus.__version__


def test_the_command_line_lists_the_provider() -> None:
    answer = airflow_cli("providers", "list", "--output", "plain")
    assert answer.returncode == 0, answer.stderr
    line = next(line for line in answer.stdout.splitlines() if line.startswith("airflow-provider-nexus"))
    assert airflow_provider_nexus.__version__ in line.split()


def test_the_command_line_lists_the_hook() -> None:
    answer = airflow_cli("providers", "hooks", "--output", "plain")
    assert answer.returncode == 0, answer.stderr
    line = next(line for line in answer.stdout.splitlines() if line.startswith("nexus "))
    assert "airflow_provider_nexus.hooks.nexus.NexusHook" in line.split()


@since_3_2
def test_the_command_line_has_our_group() -> None:
    answer = airflow_cli("nexus", "--help")
    assert answer.returncode == 0, answer.stderr
    assert "demo" in answer.stdout
