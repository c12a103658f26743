from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api.environments import BASE_URLS, Environment, is_loopback, join, resolve
from airflow_provider_nexus.exceptions import NexusConfigurationError

PRODUCTION = BASE_URLS["production"]


def test_the_environments_are_those_of_the_vendor() -> None:
    assert BASE_URLS == {
        "test": "https://api.test.casp.quantoznexus.com",
        "production": "https://api.quantoznexus.com",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [(None, "test"), ("", "test"), ("test", "test"), ("production", "production"), (" Production ", "production")],
)
def test_an_environment_is_found_by_name(name: str | None, expected: str) -> None:
    assert resolve(name) == Environment(expected, BASE_URLS[expected])


@pytest.mark.parametrize("name", ["live", "prod", "sandbox", "https://api.quantoznexus.com"])
def test_an_unknown_environment_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(NexusConfigurationError, match="production, test"):
        resolve(name)


@pytest.mark.parametrize(
    ("host", "port", "name", "base_url"),
    [
        ("https://nexus.bank.example", None, "nexus.bank.example", "https://nexus.bank.example"),
        ("nexus.bank.example", None, "nexus.bank.example", "https://nexus.bank.example"),
        ("https://nexus.bank.example/", None, "nexus.bank.example", "https://nexus.bank.example"),
        (" https://nexus.bank.example ", None, "nexus.bank.example", "https://nexus.bank.example"),
        ("https://nexus.bank.example", 8443, "nexus.bank.example", "https://nexus.bank.example:8443"),
        ("https://nexus.bank.example:9443", 8443, "nexus.bank.example", "https://nexus.bank.example:9443"),
        ("HTTPS://Nexus.Bank.EXAMPLE", None, "nexus.bank.example", "https://nexus.bank.example"),
        ("https://api.quantoznexus.com", None, "production", PRODUCTION),
        ("HTTPS://API.QUANTOZNEXUS.COM", None, "production", PRODUCTION),
        ("api.test.casp.quantoznexus.com", None, "test", BASE_URLS["test"]),
        ("http://127.0.0.1:8000", None, "sandbox", "http://127.0.0.1:8000"),
        ("http://127.0.0.1", 8000, "sandbox", "http://127.0.0.1:8000"),
        ("http://localhost:8000", None, "sandbox", "http://localhost:8000"),
        ("http://[::1]:8000", None, "sandbox", "http://[::1]:8000"),
        ("https://localhost:8000", None, "sandbox", "https://localhost:8000"),
    ],
)
def test_an_own_host_wins_over_the_environment(host: str, port: int | None, name: str, base_url: str) -> None:
    assert resolve("production", host, port) == Environment(name, base_url)


@pytest.mark.parametrize(
    "host",
    [
        "http://nexus.bank.example",
        "http://api.quantoznexus.com",
        "http://10.0.0.1",
        "http://0.0.0.0:8000",
        "http://127.1:8000",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://evil.example#localhost",
        "http://evil.example?localhost",
        "ftp://nexus.bank.example",
        "file:///etc/passwd",
        "https://",
        "https:///customer",
        "https://:8443",
        "//",
        "https://nexus bank.example",
        "https://nexus.bank.example\\evil.example",
        "https://evil.example\\.quantoznexus.com",
        "https://nexus.bank.example\u2024evil.example",
        "https://a\u2100b",
        "https://[::1",
        "https://nexus.bank.example:99999",
        "https://nexus.bank.example:https",
        "https://nexus.bank.example/api",
        "https://nexus.bank.example?x=1",
        "https://nexus.bank.example#x",
    ],
)
def test_an_address_that_may_not_carry_a_token_is_refused(host: str) -> None:
    with pytest.raises(NexusConfigurationError):
        resolve(host=host)


@pytest.mark.parametrize(
    "host",
    [
        "https://sekret@nexus.bank.example",
        "https://user:sekret@nexus.bank.example",
        "https://:sekret@nexus.bank.example",
        "user:sekret@nexus.bank.example",
        "http://user:sekret@127.0.0.1:8000",
        "https://api.quantoznexus.com:sekret@evil.example",
        "https://user:sekret@[::1",
        "https://user:sekret@nexus.bank.example:99999",
    ],
)
def test_credentials_in_the_address_are_refused_and_not_repeated(host: str) -> None:
    with pytest.raises(NexusConfigurationError) as refusal:
        resolve(host=host)
    assert "sekret" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("/customer", f"{PRODUCTION}/customer"),
        ("customer", f"{PRODUCTION}/customer"),
        ("customer/C-1?limit=1", f"{PRODUCTION}/customer/C-1?limit=1"),
        ("", f"{PRODUCTION}/"),
        (f"{PRODUCTION}/customer", f"{PRODUCTION}/customer"),
        ("HTTPS://API.QUANTOZNEXUS.COM/customer", "HTTPS://API.QUANTOZNEXUS.COM/customer"),
    ],
)
def test_an_endpoint_is_put_on_the_host_of_the_connection(endpoint: str, url: str) -> None:
    assert join(PRODUCTION, endpoint) == url


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example/customer",
        "http://api.quantoznexus.com/customer",
        "//evil.example/customer",
        "//evil.example",
        "https://api.quantoznexus.com@evil.example/customer",
        "https://api.quantoznexus.com:443@evil.example/customer",
        "https://user@api.quantoznexus.com/customer",
        "https://api.quantoznexus.com.evil.example/customer",
        "https://api.quantoznexus.com\\@evil.example/customer",
        "https://api.quantoznexus.com\\.evil.example/customer",
        "https://evil.example\\@api.quantoznexus.com/customer",
        "https://api.quantoznexus.com:8443/customer",
        "https://api.test.casp.quantoznexus.com/customer",
        "HTTPS://EVIL.EXAMPLE/customer",
        " https://evil.example/customer",
        "\thttps://evil.example/customer",
        "ht\ntps://evil.example/customer",
        "https:evil.example/customer",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "//a\u2100b/customer",
        "https://[::1/customer",
    ],
)
def test_an_endpoint_that_leads_elsewhere_is_refused(endpoint: str) -> None:
    with pytest.raises(NexusConfigurationError):
        join(PRODUCTION, endpoint)


@pytest.mark.parametrize(
    "endpoint", ["\\\\evil.example\\x", "/\\evil.example/x", "///evil.example/x", "/@evil.example/x", "x@evil"]
)
def test_an_odd_path_stays_on_the_host(endpoint: str) -> None:
    url = join(PRODUCTION, endpoint)
    assert url.startswith(f"{PRODUCTION}/")
    assert _host_that_is_called(url) == "api.quantoznexus.com"


@given(st.text(st.sampled_from("/\\@:?#.% \t\nhtpsevil[]")))
def test_no_endpoint_leaves_the_host(endpoint: str) -> None:
    try:
        url = join(PRODUCTION, endpoint)
    except NexusConfigurationError:
        return
    assert urlsplit(url).hostname == "api.quantoznexus.com"
    assert _host_that_is_called(url) == "api.quantoznexus.com"


@pytest.mark.parametrize("address", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_is_this_machine(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["", "0.0.0.0", "10.0.0.1", "localhost.example", "127.1", "::", "example"])
def test_anything_else_is_not_loopback(address: str) -> None:
    assert not is_loopback(address)


def _host_that_is_called(url: str) -> str | None:
    """What the library below requests makes of the address."""
    return urllib3.util.parse_url(url).host


@pytest.mark.parametrize(("host", "port"), [("https://api.quantoznexus.com:443", None), ("api.quantoznexus.com", 443)])
def test_the_port_that_https_implies_is_left_out(host: str, port: int | None) -> None:
    found = resolve(host=host, port=port)
    assert (found.name, found.base_url) == ("production", "https://api.quantoznexus.com")


def test_an_address_of_version_6_keeps_its_brackets() -> None:
    assert resolve(host="http://[::1]:8585").base_url == "http://[::1]:8585"
