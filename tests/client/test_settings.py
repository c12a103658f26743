from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.settings import EXTRAS, ClientSettings, read_settings
from airflow_provider_nexus.exceptions import NexusConfigurationError

TOKEN = "canary-4f1d2c"


def read(**extra: Any) -> ClientSettings:
    return read_settings(token=TOKEN, extra=extra)


@pytest.mark.parametrize(
    "extra",
    [None, {}, dict.fromkeys(EXTRAS), dict.fromkeys(EXTRAS, ""), dict.fromkeys(EXTRAS, "  "), {"unknown": None, "other": ""}],
)
def test_nulls_and_blanks_are_the_defaults(extra: dict[str, Any] | None) -> None:
    settings = read_settings(token=TOKEN, host="", port=0, extra=extra)
    assert settings == ClientSettings(
        settings.environment, Secret(TOKEN), allow_writes=False, timeout=30.0, retries=5, portal_url=""
    )
    assert settings.environment.name == "test"


def test_extras_are_the_fields() -> None:
    of_expiry = {"key_expires", "key_warning_days"}
    fields = {field.name for field in dataclasses.fields(ClientSettings)}
    assert fields - {"token", "expiry", "rate_limit_store"} == set(EXTRAS) - of_expiry
    assert "expiry" in fields


@pytest.mark.parametrize("text", ["true", "True", " TRUE ", "1", "yes", "on", True, 1])
def test_writes_allowed(text: object) -> None:
    assert read(allow_writes=text).allow_writes is True


@pytest.mark.parametrize("text", ["false", "False", "0", "no", "off", False, 0])
def test_writes_refused(text: object) -> None:
    assert read(allow_writes=text).allow_writes is False


@pytest.mark.parametrize("value", ["maybe", "2", 2, [], {"a": 1}, 1.5])
def test_no_flag(value: object) -> None:
    with pytest.raises(NexusConfigurationError, match=r"'allow_writes'.*give true or false"):
        read(allow_writes=value)


@pytest.mark.parametrize(("value", "seconds"), [("45", 45.0), (" 2.5 ", 2.5), (1, 1.0), (600, 600.0), ("1e2", 100.0)])
def test_timeout(value: object, seconds: float) -> None:
    assert read(timeout=value).timeout == seconds


@pytest.mark.parametrize(("value", "number"), [("0", 0), (10, 10), ("3", 3), (2.0, 2)])
def test_retries(value: object, number: int) -> None:
    retries = read(retries=value).retries
    assert retries == number
    assert type(retries) is int


@pytest.mark.parametrize(("value", "rate"), [("0.1", 0.1), (" 2.5 ", 2.5), (1000, 1000.0), ("", None), (None, None)])
def test_rate_limit(value: object, rate: float | None) -> None:
    assert read(rate_limit=value).rate_limit == rate


@pytest.mark.parametrize(("value", "number"), [("1", 1), (" 64 ", 64), (1024, 1024), (2.0, 2), ("", 64), (None, 64)])
def test_max_answer_mb(value: object, number: int) -> None:
    found = read(max_answer_mb=value).max_answer_mb
    assert (found, type(found)) == (number, int)


NO_NUMBERS: tuple[object, ...] = (-1, 1025, "nan", "inf", "many", True, [], {})


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key in ("timeout", "retries", "rate_limit", "max_answer_mb") for value in NO_NUMBERS]
    + [("timeout", 0), ("timeout", 0.99), ("timeout", 600.1), ("retries", 11), ("retries", 2.5), ("retries", "2.5")]
    + [("rate_limit", value) for value in (0, 0.09, 1000.1, False)]
    + [("max_answer_mb", value) for value in (0, 0.5, 1.5, "1.5", False)],
)
def test_out_of_range(key: str, value: object) -> None:
    with pytest.raises(NexusConfigurationError, match=f"the extra '{key}' is .*: give a"):
        read(**{key: value})


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("enviroment", "environment"),
        ("allowWrites", "allow_writes"),
        ("time_out", "timeout"),
        ("retry", "retries"),
        ("ratelimit", "rate_limit"),
    ],
)
def test_unknown_extra_names_the_nearest(key: str, nearest: str) -> None:
    with pytest.raises(NexusConfigurationError, match=f"'mine' has an unknown extra '{key}': did you mean '{nearest}'"):
        read_settings(token=TOKEN, extra={key: "x"}, conn_id="mine")


def test_unknown_extra_names_the_known_ones() -> None:
    with pytest.raises(
        NexusConfigurationError, match="known are environment, allow_writes, key_expires, key_warning_days, timeout"
    ):
        read(**{"zzz": 1})


@pytest.mark.parametrize("environment", ["production", "Production", " PRODUCTION "])
def test_environment(environment: str) -> None:
    assert read(environment=environment).environment.base_url == "https://api.quantoznexus.com"


def test_unknown_environment() -> None:
    with pytest.raises(NexusConfigurationError, match="unknown Nexus environment 'staging'"):
        read(environment="staging")


def test_host_wins_over_environment() -> None:
    settings = read_settings(token=TOKEN, host="http://127.0.0.1", port=8081, extra={"environment": "production"})
    assert settings.environment.base_url == "http://127.0.0.1:8081"


def test_portal_url() -> None:
    template = "https://portal.example/{resource}/{code}"
    assert read(portal_url=f" {template} ").portal_url == template


@pytest.mark.parametrize("value", ["http://portal.example", "https://portal.example/{kode}", 5, ["https://portal.example"]])
def test_no_portal_url(value: object) -> None:
    with pytest.raises(NexusConfigurationError, match="the extra 'portal_url'"):
        read(portal_url=value)


def test_hash_secret_is_stripped_and_never_shown() -> None:
    secret = "canary-of-sixteen"
    settings = read(hash_secret=f" {secret}\n")
    assert settings.hash_secret.reveal() == secret
    assert secret not in f"{settings!r} {settings}"


@pytest.mark.parametrize("value", ["canary-of-15---", f"{'canary':>20}", 12345678901234567890, ["canary-of-sixteen"], True])
def test_no_hash_secret_is_not_repeated(value: object) -> None:
    with pytest.raises(
        NexusConfigurationError, match=r"the extra 'hash_secret' is no text or too short: .* 16 characters"
    ) as caught:
        read(hash_secret=value)
    assert "canary" not in str(caught.value)
    assert "1234567" not in str(caught.value)


@pytest.mark.parametrize("token", [None, "", "   ", "\n"])
def test_no_token(token: str | None) -> None:
    with pytest.raises(NexusConfigurationError, match=r"'mine' has no API token: put .* password"):
        read_settings(token=token, conn_id="mine")


@pytest.mark.parametrize("token", ["a b", "a\nb", "a\tb", "a\r\nX-Evil: 1", "tökén", "a\x00b", "a\u200bb", "Bearer canary"])
def test_impossible_token_is_not_repeated(token: str) -> None:
    with pytest.raises(NexusConfigurationError, match="the API token of connection") as caught:
        read_settings(token=token)
    assert token not in str(caught.value)


def test_token_is_stripped() -> None:
    assert read_settings(token=f" {TOKEN}\n").token.reveal() == TOKEN


def test_token_is_never_shown() -> None:
    settings = read(timeout=3)
    for shown in (repr(settings), str(settings), f"{settings}", f"{[settings]}", json.dumps({"settings": settings}, default=str)):
        assert TOKEN not in shown
    assert "timeout=3" in repr(settings)
