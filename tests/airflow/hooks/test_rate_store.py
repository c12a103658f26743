from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from airflow_provider_nexus.client.rate_store import RateStore
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks.nexus import NexusHook

PASSWORD = "pass/canary:8c41"
SAFE_TLS = (("ssl_cert_reqs", "required"), ("ssl_check_hostname", True))


def _read(hook: NexusHook) -> ClientSettings:
    return hook.settings


def _aread(hook: NexusHook) -> ClientSettings:
    async def main() -> ClientSettings:
        client = await hook.aclient()
        await client.aclose()
        return client.settings

    return asyncio.run(main())


@pytest.fixture(params=[_read, _aread], ids=["worker", "triggerer"])
def read(request: pytest.FixtureRequest) -> Any:
    return request.param


def given(monkeypatch: pytest.MonkeyPatch, redis: Any, **extra: Any) -> NexusHook:
    """A hook whose connection names another one.

    :param redis: the other one: a URL, or the fields of a connection; ``None`` for none
    """
    extra = {"rate_limit": 5, "rate_limit_conn_id": "nexus_rate"} | extra
    ours = {"conn_type": "nexus", "password": "t0ken", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_NEXUS_SHARED", json.dumps(ours))
    if redis is not None:
        monkeypatch.setenv("AIRFLOW_CONN_NEXUS_RATE", redis if isinstance(redis, str) else json.dumps(redis))
    return NexusHook("nexus_shared")


def store(**fields: Any) -> RateStore:
    return RateStore(**{"conn_id": "nexus_rate", "host": "redis.example", **fields})


SECRET = Secret(PASSWORD)
GOOD: dict[str, tuple[Any, RateStore]] = {
    "a URL": ("redis://redis.example", store()),
    "a URL with a path": ("redis://redis.example:6380/3", store(port=6380, db=3)),
    "a password": ("redis://:pass%2Fcanary%3A8c41@redis.example:6379/0", store(password=SECRET)),
    "a user": ("redis://nexus:pass%2Fcanary%3A8c41@redis.example", store(user="nexus", password=SECRET)),
    "TLS": ("rediss://:pass%2Fcanary%3A8c41@redis.example:6379/0", store(password=SECRET, tls=SAFE_TLS)),
    "an address": ({"conn_type": "redis", "host": "[::1]"}, store(host="::1")),
    "db": ({"conn_type": "redis", "host": "redis.example", "extra": {"db": "7"}}, store(db=7)),
    "db twice": ({"conn_type": "redis", "host": "redis.example", "schema": "7", "extra": {"db": 7}}, store(db=7)),
    "an untouched form": (
        {
            "conn_type": "redis",
            "host": "redis.example",
            "extra": {"db": None, "ssl": False, "ssl_cert_reqs": "required", "ssl_ca_certs": None, "ssl_check_hostname": False},
        },
        store(),
    ),
    "TLS in the form": (
        {
            "conn_type": "redis",
            "host": "redis.example",
            "extra": {"ssl": "true", "ssl_ca_certs": "/ca.pem", "ssl_cert_reqs": "optional", "ssl_check_hostname": "false"},
        },
        store(tls=(("ssl_cert_reqs", "optional"), ("ssl_check_hostname", False), ("ssl_ca_certs", "/ca.pem"))),
    ),
    "no checks": (
        {"conn_type": "redis", "host": "redis.example", "extra": {"ssl": True, "ssl_cert_reqs": "none"}},
        store(tls=(("ssl_cert_reqs", "none"), ("ssl_check_hostname", False))),
    ),
    "what others read": ({"conn_type": "redis", "host": "redis.example", "extra": {"socket_timeout": 9}}, store()),
}


@pytest.mark.parametrize(("redis", "expected"), GOOD.values(), ids=GOOD)
def test_a_connection_leads_to_a_redis(monkeypatch: pytest.MonkeyPatch, read: Any, redis: Any, expected: RateStore) -> None:
    assert read(given(monkeypatch, redis)).rate_limit_store == expected


def _redis(**fields: Any) -> dict[str, Any]:
    return {"conn_type": "redis", "host": "redis.example", "password": PASSWORD, **fields}


BAD: dict[str, tuple[Any, str]] = {
    "none": (None, "there is no connection 'nexus_rate'.*make one of type 'redis'"),
    "memcached": (_redis(conn_type="memcached"), "is of type 'memcached': give one of type 'redis'"),
    "nexus itself": (_redis(conn_type="nexus"), "is of type 'nexus': give one of type 'redis'"),
    "no host": (_redis(host=""), "no machine as its host"),
    "a URL as the host": (_redis(host=f"redis://:{PASSWORD}@redis.example"), "no machine as its host"),
    "a path": (_redis(host="/var/run/redis.sock"), "no machine as its host"),
    "several hosts": (_redis(host="a.example:6379,b.example:6379"), "several hosts, as a Redis Cluster or Sentinel"),
    "sentinels": (_redis(extra={"sentinels": [["a", 1]]}), "the extra 'sentinels', as a Redis Cluster or Sentinel"),
    "a master": (_redis(extra={"master_name": "mymaster"}), "the extra 'master_name', as"),
    "a cluster": (_redis(extra={"cluster_mode": True}), "the extra 'cluster_mode', as"),
    "no database": (_redis(extra={"db": "first"}), "the extra 'db' is 'first': give a number"),
    "a negative one": (_redis(extra={"db": -1}), "the extra 'db' is -1"),
    "a name as schema": (_redis(schema="prices"), "the schema is 'prices': give a number"),
    "two databases": (_redis(schema="1", extra={"db": 2}), "one database in its extra 'db' and another one"),
    "TLS or not": (_redis(extra={"ssl": "perhaps"}), "the extra 'ssl' is 'perhaps': give true or false"),
    "odd checks": (
        _redis(extra={"ssl": True, "ssl_cert_reqs": "require"}),
        "'require' as its extra 'ssl_cert_reqs': give",
    ),
    "no object": (_redis(extra="[1]"), "no JSON object"),
}


@pytest.mark.parametrize(("redis", "words"), BAD.values(), ids=BAD)
def test_what_leads_to_none_is_refused(monkeypatch: pytest.MonkeyPatch, read: Any, redis: Any, words: str) -> None:
    with pytest.raises(NexusConfigurationError, match=words) as caught:
        read(given(monkeypatch, redis))
    assert "'nexus_rate'" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"rate_limit_conn_id": f"redis://:{PASSWORD}@redis.example"}, "no connection's id: make one of type 'redis'"),
        ({"rate_limit_conn_id": ["nexus_rate"]}, "no connection's id"),
        ({"rate_limit_conn_id": 6379}, "no connection's id"),
        ({"rate_limit": None}, "'nexus_rate', and there is no rate limit to share: give 'rate_limit' as well"),
    ],
)
def test_what_can_be_no_name_of_a_store_is_refused(
    monkeypatch: pytest.MonkeyPatch, read: Any, extra: dict[str, Any], words: str
) -> None:
    with pytest.raises(NexusConfigurationError, match=words) as caught:
        read(given(monkeypatch, "redis://redis.example", **extra))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_name_is_no_store(monkeypatch: pytest.MonkeyPatch, read: Any, nothing: Any) -> None:
    found = read(given(monkeypatch, None, rate_limit_conn_id=nothing))
    assert (found.rate_limit_conn_id, found.rate_limit_store) == ("", None)


def test_the_password_is_blanked_in_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PASSWORD not in repr(given(monkeypatch, _redis()).settings)
    assert PASSWORD not in str(NexusConfigurationError(f"somebody repeats {PASSWORD}"))


def test_the_connection_test_tells_of_a_store_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    works, words = given(monkeypatch, _redis(conn_type="memcached")).test_connection()
    assert not works
    assert "is of type 'memcached'" in words
