"""A change whose answer is lost somewhere on the way: direct, over TLS, behind a forward proxy, through a CONNECT proxy.

Whatever is lost, the change is carried out once at most. It is sent again only where nothing of it had left this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.environments import Environment
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusConnectionError, NexusError
from tests.client.serving import CANARY, POST, QUICK, all_that_it_says
from tests.client.socket_server import SocketServer, answer
from tests.relay import CONNECTION_PLACES, REQUEST_PLACES, Loss, Manner, Relay, Way, make_certificate

pytestmark = pytest.mark.slow
DONE = answer(b'{"errors":null,"values":{"a":1}}')
WAYS: tuple[Way, ...] = ("direct", "tls", "proxy", "connect")
MANNERS: tuple[Manner, ...] = ("fin", "rst", "tls close", "raw fin", "stall", "answer", "garbage")
CASES = [
    (way, Loss(place, manner))
    for way in WAYS
    for place in (*CONNECTION_PLACES[way], *REQUEST_PLACES)
    for manner in MANNERS
    if not (manner == "answer" and place in ("in head", "in answer", "after whole answer"))
]
on_every_way = pytest.mark.parametrize(("way", "loss"), CASES, ids=[f"{way}-{loss.place}-{loss.manner}" for way, loss in CASES])


def leaves_nothing(way: Way, loss: Loss) -> bool:
    """Whether nothing of a call can have left when this happens: TLS is not there yet, or the tunnel."""
    return loss.place in ("connect", "handshake") or (loss.place == "accept" and way in ("tls", "connect"))


def patience(loss: Loss | None) -> float:
    """Seconds that the client waits: few where nothing is to come, many where a busy machine must not be taken for silence."""
    return 1.0 if loss and loss.manner == "stall" and loss.place != "after whole answer" else 20.0


class SettingsFor(Protocol):
    """The settings that lead to a relay, as patient as a loss allows."""

    def __call__(self, relay: Relay, loss: Loss | None = None) -> ClientSettings: ...


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@contextmanager
def lossy(way: Way, losses: list[Loss | None], certificate: Path) -> Iterator[Relay]:
    """A relay before a server that carries everything out. Each attempt meets the next loss, the last one again and again."""
    attempts = iter([*losses, *[losses[-1]] * 9])
    waiting: list[Loss | None] = []

    def choose_connection() -> Loss | None:
        loss = next(attempts)
        if loss and loss.place in REQUEST_PLACES:
            waiting.append(loss)
            return None
        waiting.append(None)
        return loss

    with (
        SocketServer(DONE) as server,
        Relay(
            server.base_url,
            way,
            choose=lambda _: waiting[-1],
            choose_connection=choose_connection,
            certificate=certificate if way in ("tls", "connect") else None,
        ) as relay,
    ):
        yield relay


@pytest.fixture
def settings_for(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> SettingsFor:
    """The settings that lead to a relay, and the environment that they need."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))

    def settings(relay: Relay, loss: Loss | None = None) -> ClientSettings:
        if relay.proxy_url:
            monkeypatch.setenv("http_proxy", relay.proxy_url)
            monkeypatch.setenv("https_proxy", relay.proxy_url)
        return ClientSettings(Environment("lossy", relay.base_url), Secret(CANARY), allow_writes=True, timeout=patience(loss))

    return settings


def without_token(error: NexusError) -> NexusError:
    """An error, which must not tell the token."""
    assert CANARY not in all_that_it_says(error)
    return error


def send(settings: ClientSettings) -> tuple[Any, int]:
    """What a change ends in, and how many attempts there were."""
    session = NexusSession(settings, policy=QUICK)
    try:
        return session.send(POST, envelope.unwrap).value, session.calls
    except NexusError as error:
        return without_token(error), session.calls
    finally:
        session.close()


def send_from_loop(settings: ClientSettings) -> Any:
    """The same from an event loop, which makes one attempt."""

    async def main() -> Any:
        client = AsyncNexusClient(settings)
        try:
            return (await client.send(POST, envelope.unwrap)).value
        except NexusError as error:
            return without_token(error)
        finally:
            await client.aclose()

    return asyncio.run(main())


@on_every_way
def test_lost_for_good(way: Way, loss: Loss, certificate: Path, settings_for: SettingsFor) -> None:
    with lossy(way, [loss], certificate) as relay:
        ended, calls = send(settings_for(relay, loss))
    assert len(relay.forwarded) <= 1
    if loss.place == "after whole answer":
        assert (ended, calls, len(relay.forwarded)) == ({"a": 1}, 1, 1)
    elif leaves_nothing(way, loss):
        assert type(ended) is NexusConnectionError, ended
        assert (calls, relay.forwarded, relay.read) == (4, [], [])
    elif loss == Loss("accept", "rst") and type(ended) is NexusConnectionError:
        assert relay.read == [], "the reset came before the connection was there"
    else:
        assert type(ended) is NexusAmbiguousWriteError, ended
        assert calls == 1 or loss == Loss("accept", "rst")


@on_every_way
def test_lost_once(way: Way, loss: Loss, certificate: Path, settings_for: SettingsFor) -> None:
    with lossy(way, [loss, None], certificate) as relay:
        ended, calls = send(settings_for(relay, loss))
    assert len(relay.forwarded) <= 1
    if leaves_nothing(way, loss):
        assert (ended, calls, len(relay.forwarded)) == ({"a": 1}, 2, 1)
    elif loss != Loss("accept", "rst"):
        assert calls == 1


@on_every_way
def test_lost_in_an_event_loop(way: Way, loss: Loss, certificate: Path, settings_for: SettingsFor) -> None:
    with lossy(way, [loss], certificate) as relay:
        ended = send_from_loop(settings_for(relay, loss))
    assert len(relay.forwarded) <= 1
    if loss.place == "after whole answer":
        assert ended == {"a": 1}
    elif leaves_nothing(way, loss):
        assert type(ended) is NexusConnectionError, ended
        assert relay.read == []
    elif loss == Loss("accept", "rst") and type(ended) is NexusConnectionError:
        assert relay.read == []
    else:
        assert type(ended) is NexusAmbiguousWriteError, ended


@pytest.mark.parametrize("status", [400, 403, 407, 500, 502, 503, 504])
def test_a_proxy_that_makes_no_tunnel(status: int, certificate: Path, settings_for: SettingsFor) -> None:
    with lossy("connect", [Loss("connect", "answer", status)], certificate) as relay:
        settings = settings_for(relay)
        ended, calls = send(settings)
        in_loop = send_from_loop(settings)
    assert (type(ended), type(in_loop), calls) == (NexusConnectionError, NexusConnectionError, 4)
    assert relay.connects == ["nexus.test:443"] * 5
    assert relay.read == []


def test_what_happens_right_before_the_first_byte(certificate: Path, settings_for: SettingsFor) -> None:
    """Whoever notes that a call is about to leave is called once for each attempt that can, and can keep it here."""
    seen: list[tuple[int, int]] = []
    with lossy("connect", [Loss("connect", "fin"), Loss("handshake", "rst"), None], certificate) as relay:
        session = NexusSession(settings_for(relay), policy=QUICK)
        session.send(POST, envelope.unwrap, before=lambda: seen.append((session.calls, len(relay.read))))
        assert seen == [(3, 0)]

        def refuse() -> None:
            raise BrokenPipeError("the one that urllib3 would swallow")

        with pytest.raises(BrokenPipeError, match="swallow"):
            session.send(POST, envelope.unwrap, before=refuse)
        session.close()
    assert len(relay.read) == 1
