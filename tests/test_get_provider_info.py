from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

import airflow_provider_nexus
from airflow_provider_nexus.api.environments import BASE_URLS
from airflow_provider_nexus.client.expiry import WARNING_DAYS
from airflow_provider_nexus.client.settings import EXTRAS, ClientSettings, read_settings
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.get_provider_info import get_provider_info

DISTRIBUTION = "airflow-provider-nexus"
INFO: dict[str, Any] = get_provider_info()
CONNECTION: dict[str, Any] = INFO["connection-types"][0]
SECTIONS = ("hooks", "operators", "sensors", "triggers")
BASES = {"NexusSyncBaseOperator", "NexusBaseOperator", "NexusOnceOperator"}
FIELDS: dict[str, dict[str, Any]] = CONNECTION["conn-fields"]


def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(files("airflow").joinpath(name).read_text())
    return schema


of_today = pytest.mark.skipif(
    "cli" not in _schema("provider.yaml.schema.json")["properties"], reason="Airflow's schema of providers is older than the form"
)


def _dotted_paths() -> Iterator[str]:
    for section in SECTIONS:
        for entry in INFO[section]:
            yield from entry["python-modules"]
    yield from (entry["python-module"] for entry in INFO["transfers"])
    yield from INFO["cli"]
    yield from INFO["extra-links"]
    for entry in INFO["asset-uris"]:
        yield from (entry[name] for name in ("handler", "factory", "to_openlineage_converter"))
    yield CONNECTION["hook-class-name"]


def test_airflow_takes_it_at_run_time() -> None:
    jsonschema.validate(INFO, _schema("provider_info.schema.json"))


@of_today
@pytest.mark.parametrize("section", sorted(set(INFO) - {"package-name", "name", "description"}))
def test_the_strict_schema_knows_every_key(section: str) -> None:
    strict = _schema("provider.yaml.schema.json")
    jsonschema.validate(INFO[section], {**strict["properties"][section], "definitions": strict.get("definitions", {})})


@of_today
def test_the_strict_schema_knows_every_section() -> None:
    assert set(INFO) <= set(_schema("provider.yaml.schema.json")["properties"])


@of_today
def test_a_misspelt_key_would_be_noticed() -> None:
    wrong = [{**CONNECTION, "ui-field-behaviour": {"hidden_fields": []}}]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, _schema("provider.yaml.schema.json")["properties"]["connection-types"])


def test_integrations_that_are_used_are_declared() -> None:
    declared = {entry["integration-name"] for entry in INFO["integrations"]}
    used = {entry["integration-name"] for section in SECTIONS for entry in INFO[section]}
    used |= {entry[f"{end}-integration-name"] for entry in INFO["transfers"] for end in ("source", "target")}
    assert used == declared


@pytest.mark.parametrize("path", list(_dotted_paths()))
def test_every_dotted_path_leads_somewhere(path: str) -> None:
    try:
        importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("section", [*SECTIONS, "transfers"])
def test_every_class_for_dags_is_in_a_module_that_is_listed(section: str) -> None:
    kind = "Operator" if section == "transfers" else section[:-1].capitalize()
    sources = (Path(airflow_provider_nexus.__file__).parent / section).glob("*.py")
    found = {name for path in sources for name in re.findall(rf"^class (Nexus\w*{kind})\b", path.read_text(), re.MULTILINE)}
    listed = [path for entry in INFO[section] for path in entry.get("python-modules") or [entry["python-module"]]]
    offered = {name for path in listed for name in dir(importlib.import_module(path))}
    assert found - BASES <= offered
    assert found


def test_names_are_those_of_the_distribution() -> None:
    assert INFO["package-name"] == DISTRIBUTION
    assert airflow_provider_nexus.__name__ == DISTRIBUTION.replace("-", "_")
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["name"] == DISTRIBUTION


def test_the_installed_distribution_has_the_entry_point() -> None:
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    points = distribution.entry_points.select(group="apache_airflow_provider")
    assert [point.load() for point in points] == [get_provider_info]
    assert distribution.version == airflow_provider_nexus.__version__


def test_the_form_has_a_field_for_every_extra() -> None:
    assert set(FIELDS) == set(EXTRAS)


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_of_the_form_is_required(name: str) -> None:
    assert "null" in FIELDS[name]["schema"]["type"]
    assert FIELDS[name]["description"]


def test_an_untouched_form_means_the_defaults_of_the_code() -> None:
    untouched = {name: field["schema"]["default"] for name, field in FIELDS.items()}
    assert read_settings(token="t0ken", extra=untouched) == read_settings(token="t0ken")
    defaults = read_settings(token="t0ken")
    assert untouched == {
        "environment": defaults.environment.name,
        "allow_writes": defaults.allow_writes,
        "key_expires": None,
        "key_warning_days": WARNING_DAYS,
        "timeout": defaults.timeout,
        "retries": defaults.retries,
        "rate_limit": defaults.rate_limit,
        "rate_limit_conn_id": defaults.rate_limit_conn_id or None,
        "max_answer_mb": defaults.max_answer_mb,
        "portal_url": defaults.portal_url or None,
        "hash_secret": defaults.hash_secret.reveal() or None,
    }


@pytest.mark.parametrize("environment", FIELDS["environment"]["schema"]["enum"])
def test_every_choice_of_the_form_is_understood(environment: str) -> None:
    assert _settings(environment=environment).environment.name == environment
    assert set(FIELDS["environment"]["schema"]["values_display"]) == set(FIELDS["environment"]["schema"]["enum"])


@pytest.mark.parametrize("name", ["timeout", "retries", "rate_limit", "max_answer_mb"])
def test_the_bounds_of_the_form_are_those_of_the_code(name: str) -> None:
    low, high = FIELDS[name]["schema"]["minimum"], FIELDS[name]["schema"]["maximum"]
    assert [getattr(_settings(**{name: value}), name) for value in (low, high)] == [low, high]
    for value in (low - 1, high + 1):
        with pytest.raises(NexusConfigurationError):
            _settings(**{name: value})


def test_the_token_is_a_password_and_nothing_else_is_asked_for() -> None:
    behaviour = CONNECTION["ui-field-behaviour"]
    assert behaviour["hidden-fields"] == ["login", "schema", "port", "extra"]
    assert behaviour["relabeling"]["password"] == "API token"
    assert not [name for name in FIELDS if "token" in name or "password" in name]


def test_airflow_masks_no_extra_that_is_no_secret() -> None:
    """It goes by their names, and would blank a date that is masked wherever it stands in a log, and in the form."""
    masker = pytest.importorskip("airflow.sdk._shared.secrets_masker", reason="Airflow is older than this masker")
    masked = [name for name in EXTRAS if masker.should_hide_value_for_key(name)]
    assert masked == ["hash_secret"]


def test_the_form_says_where_each_environment_is_and_where_to_choose_it() -> None:
    for url in BASE_URLS.values():
        assert url in FIELDS["environment"]["description"]
    assert "environment" in CONNECTION["ui-field-behaviour"]["placeholders"]["password"]
    assert FIELDS["environment"]["schema"]["section"].startswith("Environment"), "the fold is all that is seen of it at first"


def test_the_bounds_of_the_warning_are_those_of_the_code() -> None:
    bounds = FIELDS["key_warning_days"]["schema"]
    for days in (bounds["minimum"], bounds["maximum"]):
        expiry = _settings(key_expires="2027-03-31", key_warning_days=days).expiry
        assert expiry is not None
        assert expiry.warning_days == days
    for days in (bounds["minimum"] - 1, bounds["maximum"] + 1):
        with pytest.raises(NexusConfigurationError, match="key_warning_days"):
            _settings(key_warning_days=days)


def _settings(**extra: object) -> ClientSettings:
    return read_settings(token="t0ken", extra=extra)
