"""Which proxy a call takes: the same for both clients, and never one on the way to this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_nexus.api.environments import Environment
from airflow_provider_nexus.cli import throwaway
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.network import UnreadableProxyError, proxy_for
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusConnectionError
from tests.client.serving import CANARY, QUICK, all_that_it_says, blocking, in_a_loop
from tests.client.socket_server import SocketServer, answer

VARIABLES = [name for low in ("http_proxy", "https_proxy", "all_proxy") for name in (low, low.upper())]
DONE = answer(b'{"errors":null,"values":{"a":1}}')
GET = Call("GET", "/currencies")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing."""
    for name in (*VARIABLES, "no_proxy", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def settings_of(base_url: str) -> ClientSettings:
    return ClientSettings(Environment("x", base_url), Secret(CANARY), timeout=5, retries=QUICK.retries)


def by_session(base_url: str) -> Any:
    return blocking(settings_of(base_url), GET)


def by_loop(base_url: str) -> Any:
    return in_a_loop(settings_of(base_url), GET)


both = pytest.mark.parametrize("send", [by_session, by_loop], ids=["requests", "httpx"])
Send = Callable[[str], Any]


@both
@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_this_machine_is_reached_directly(send: Send, name: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with SocketServer(DONE) as server, SocketServer(DONE) as proxy:
        monkeypatch.setenv(name, proxy.base_url)
        monkeypatch.setenv("NO_PROXY", "elsewhere.example")
        assert send(f"http://{host}:{server.port}") == {"a": 1}
        assert (len(server.asked), proxy.connections) == (1, 0)


@both
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_other_hosts_obey_the_environment(send: Send, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with SocketServer(DONE) as proxy:
        for address in (proxy.base_url, proxy.base_url.removeprefix("http://"), f" {proxy.base_url}"):
            monkeypatch.setenv(name, address)
            assert send("http://nexus.test") == {"a": 1}
        assert [asked.target for asked in proxy.asked] == ["http://nexus.test/currencies"] * 3


EVERYWHERE = ["127.0.0.1", "127.9.9.9", "localhost", "Localhost.", "nexus.localhost", "[::1]", "[::ffff:127.0.0.1]"]


@pytest.mark.parametrize("host", EVERYWHERE)
@pytest.mark.parametrize("name", VARIABLES)
def test_no_spelling_of_this_machine_has_a_proxy(host: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://proxy.test:3128")
    assert [proxy_for(f"{scheme}://{host}:8080") for scheme in ("http", "https")] == [None, None]


@pytest.mark.parametrize(
    ("listed", "url", "goes_directly"),
    [
        ("nexus.test", "https://nexus.test", True),
        (".nexus.test", "https://api.nexus.test", True),
        ("nexus.test", "https://api.nexus.test", True),
        ("nexus.test", "https://mynexus.test", False),
        ("nexus.test:8443", "https://nexus.test:8443", True),
        ("nexus.test:8443", "https://nexus.test", False),
        ("other.test, nexus.test", "https://nexus.test", True),
        ("other.test nexus.test", "https://nexus.test", True),
        ("other.test,,  ,nexus.test,", "https://nexus.test", True),
        ("*", "https://nexus.test", True),
        ("localhost, *", "https://nexus.test", True),
        ("NEXUS.test", "https://nexus.test", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3:8443", True),
        ("10.1.2.3:8443", "https://10.1.2.3", False),
        ("fe80::/10", "https://[fe80::1]", True),
        ("fe80::/10", "https://[fd00::1]", False),
        ("fd00::1", "https://[fd00::1]:8443", True),
        ("[fd00::1]", "https://[fd00::1]", True),
        ("::1,[::1],fe80::/10,10.0.0.0/8", "https://nexus.test", False),
        ("10.0.0.0/99,http://x/,[,]:,::::,%%", "https://nexus.test", False),
        ("", "https://nexus.test", False),
    ],
)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_what_no_proxy_lists(name: str, listed: str, url: str, goes_directly: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv(name, listed)
    assert proxy_for(url) == (None if goes_directly else "http://proxy.test:3128")


@both
@pytest.mark.parametrize("listed", ["::1", "[::1]", "fe80::/10", "10.0.0.0/8", "a b", "*.x", "[", "%", ":80", "é"])
def test_no_list_keeps_a_call_here(send: Send, listed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with SocketServer(DONE) as server, SocketServer(DONE) as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url)
        monkeypatch.setenv("NO_PROXY", listed)
        assert (send(server.base_url), send("http://nexus.test")) == ({"a": 1}, {"a": 1})
        assert (len(server.asked), len(proxy.asked)) == (1, 1)


@both
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"https_proxy": "http://"}, "HTTPS_PROXY or NO_PROXY can't be read"),
        ({"HTTPS_PROXY": "http://pro xy:1"}, "HTTPS_PROXY or NO_PROXY can't be read"),
        ({"HTTPS_PROXY": "http://user:secret-7@proxy:port"}, "HTTPS_PROXY or NO_PROXY can't be read"),
        ({"HTTPS_PROXY": "http://[::1"}, "HTTPS_PROXY or NO_PROXY can't be read"),
        ({"ALL_PROXY": "ftp://proxy:21"}, "ALL_PROXY names a proxy of the kind 'ftp': give one of http, https, socks5"),
        ({"HTTPS_PROXY": "socks4://proxy:1080"}, "HTTPS_PROXY names a proxy of the kind 'socks4'"),
        ({"HTTPS_PROXY": "socks5://127.0.0.1:9"}, "HTTPS_PROXY names a SOCKS proxy.*pip install"),
        ({"REQUESTS_CA_BUNDLE": "/no/such/bundle.pem"}, "REQUESTS_CA_BUNDLE names /no/such/bundle.pem, which does not exist"),
        ({"CURL_CA_BUNDLE": __file__}, r"CURL_CA_BUNDLE names .*test_proxies\.py, which contains no certificates"),
    ],
)
def test_what_can_not_be_used_is_named(send: Send, variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with SocketServer() as server:  # certificates are looked at when somebody is there
        ended = send(server.base_url.replace("http:", "https:") if "CA" in said else "https://nexus.test:9")
    assert isinstance(ended, NexusConfigurationError), repr(ended)
    assert "secret-7" not in all_that_it_says(ended)
    with pytest.raises(NexusConfigurationError, match=f"GET /currencies was not sent: .*{said}"):
        raise ended


@both
def test_a_folder_of_certificates_is_no_riddle(send: Send, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert isinstance(send("https://127.0.0.1:9"), NexusConnectionError)


def test_a_text_without_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "://")
    with pytest.raises(UnreadableProxyError):
        proxy_for("https://nexus.test")


@pytest.mark.parametrize("listed", ["", "corp.example, .x.test:80 10.0.0.0/8,*", "::1,[::1],fe80::/10,[,corp.example"])
def test_a_throw_away_airflow_reaches_itself(listed: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    monkeypatch.setenv("NO_PROXY", listed)
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    made = throwaway.environment(tmp_path, "nexus://")
    assert made["NO_PROXY"] == made["no_proxy"]
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, made[name])
    with SocketServer(DONE) as server:
        assert httpx.get(f"{server.base_url}/x").status_code == 200
    assert ("corp.example" in made["NO_PROXY"].split(",")) is ("corp" in listed)
