"""A key that is exchanged while it is in use, against a server that takes the keys that a test says."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import ClientSettings, read_settings
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousWriteError,
    NexusAuthenticationError,
    NexusClaimLostError,
    NexusConfigurationError,
    NexusError,
    NexusServerError,
    NexusWriteRefusedError,
)
from airflow_provider_nexus.writes.ledger import LEDGER_KEY, OWNER_KEY, MemoryLedger
from airflow_provider_nexus.writes.once import Once, Write
from tests.client.serving import QUICK
from tests.client.socket_server import Asked, Reply, SocketServer, answer, drop

OK = answer(json.dumps({"message": "ok", "errors": None, "values": {"code": "T-1"}}).encode())
NO = answer(b"", 401)
OLD, NEW = "old-key", "new-key"
READ, WRITE = Call("GET", "/currencies"), Call("POST", "/transfers", json={"amount": 1})


def key_of(asked: Asked) -> str:
    return asked.headers["authorization"].removeprefix("Bearer ")


def taking(*keys: str, then: Reply = OK) -> Callable[[Asked], Reply]:
    return lambda asked: then if key_of(asked) in keys else NO


def settings_of(server: SocketServer, token: str, **extra: Any) -> ClientSettings:
    return read_settings(token=token, host=server.base_url, extra={"allow_writes": True, "retries": 2, **extra})


Refresh = Callable[[], ClientSettings]
Use = Callable[[ClientSettings, Refresh, list[Call]], list[Any]]


def by_session(settings: ClientSettings, refresh: Refresh, calls: list[Call]) -> list[Any]:
    session = NexusSession(settings, policy=QUICK, refresh=refresh)
    found: list[Any] = []
    for call in calls:
        try:
            found.append(session.send(call, envelope.unwrap).value)
        except NexusError as error:
            found.append(error)
    session.close()
    return found


def in_a_loop(settings: ClientSettings, refresh: Refresh, calls: list[Call]) -> list[Any]:
    async def again() -> ClientSettings:
        return refresh()

    async def main() -> list[Any]:
        client = AsyncNexusClient(settings, refresh=again)
        found: list[Any] = []
        for call in calls:
            try:
                found.append((await client.send(call, envelope.unwrap)).value)
            except NexusError as error:
                found.append(error)
        await client.aclose()
        return found

    return asyncio.run(main())


in_both = pytest.mark.parametrize("use", [by_session, in_a_loop])


@in_both
@pytest.mark.parametrize("call", [READ, WRITE, Call("PUT", "/mail/M1/sent"), Call("GET", "/accounts/activate/A")])
def test_a_call_that_is_refused_goes_out_once_more_with_the_new_key(use: Use, call: Call) -> None:
    read: list[str] = []
    with SocketServer(by=taking(NEW)) as server:

        def refresh() -> ClientSettings:
            read.append(NEW)
            return settings_of(server, NEW)

        found = use(settings_of(server, OLD), refresh, [call, READ, call])
    assert found == [{"code": "T-1"}] * 3
    assert [key_of(asked) for asked in server.asked] == [OLD, NEW, NEW, NEW]
    assert read == [NEW]
    assert {asked.body for asked in server.asked if asked.method == call.method} == {call.body or b""}


@in_both
def test_a_key_can_be_exchanged_again_and_again(use: Use) -> None:
    order, done = ["first", "second", "third"], list[Asked]()

    def by(asked: Asked) -> Reply:
        """Each key is taken once."""
        if key_of(asked) != order[len(done)]:
            return NO
        done.append(asked)
        return OK

    with SocketServer(by=by) as server:
        found = use(settings_of(server, "first"), lambda: settings_of(server, order[len(done)]), [READ] * 3)
    assert found == [{"code": "T-1"}] * 3
    assert [key_of(asked) for asked in server.asked] == ["first", "first", "second", "second", "third"]


@in_both
@pytest.mark.parametrize("found", ["same", "refused too"])
@pytest.mark.parametrize("call", [READ, WRITE])
def test_the_refusal_stands(use: Use, found: str, call: Call) -> None:
    with SocketServer(by=taking("none")) as server:
        (error,) = use(settings_of(server, OLD), lambda: settings_of(server, OLD if found == "same" else NEW), [call])
    assert isinstance(error, NexusAuthenticationError)
    assert [key_of(asked) for asked in server.asked] == ([OLD] if found == "same" else [OLD, NEW])


@in_both
@pytest.mark.parametrize("raised", [NexusConfigurationError("there is no connection"), RuntimeError("vault: s.hvs-canary")])
def test_a_connection_that_can_not_be_read_leaves_the_refusal(
    use: Use, raised: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def refresh() -> ClientSettings:
        raise raised

    with SocketServer(by=taking(NEW)) as server:
        (error,) = use(settings_of(server, OLD), refresh, [READ])
    assert isinstance(error, NexusAuthenticationError)
    assert "could not be read again" in caplog.text
    assert "canary" not in caplog.text
    assert error.__context__ is None


@in_both
def test_no_key_goes_to_another_place_than_the_call_was_for(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    with SocketServer(by=taking(NEW)) as server, SocketServer(OK) as other:
        (error,) = use(settings_of(server, OLD), lambda: settings_of(other, NEW), [READ])
    assert isinstance(error, NexusAuthenticationError)
    assert (len(server.asked), len(other.asked)) == (1, 0)
    assert "which is not used" in caplog.text
    assert NEW not in caplog.text


@in_both
def test_changes_that_are_forbidden_by_now_are_not_sent(use: Use) -> None:
    with SocketServer(by=taking(NEW)) as server:
        fresh = settings_of(server, NEW, allow_writes=False)
        error, value = use(settings_of(server, OLD), lambda: fresh, [WRITE, READ])
    assert isinstance(error, NexusWriteRefusedError)
    assert value == {"code": "T-1"}
    assert [(asked.method, key_of(asked)) for asked in server.asked] == [("POST", OLD), ("GET", NEW)]


@in_both
def test_changes_that_were_forbidden_stay_so(use: Use) -> None:
    with SocketServer(by=taking(NEW)) as server:
        value, error = use(settings_of(server, OLD, allow_writes=False), lambda: settings_of(server, NEW), [READ, WRITE])
    assert value == {"code": "T-1"}
    assert isinstance(error, NexusWriteRefusedError)


@in_both
@pytest.mark.parametrize("status", [403, 404, 407, 429, 500])
def test_no_other_refusal_reads_the_connection_again(use: Use, status: int, naps: list[float]) -> None:
    read: list[int] = []
    with SocketServer(answer(b"", status)) as server:

        def refresh() -> ClientSettings:
            read.append(1)
            return settings_of(server, NEW)

        (error,) = use(settings_of(server, OLD, retries=0), refresh, [WRITE])
    assert isinstance(error, NexusError)
    assert not read
    assert {key_of(asked) for asked in server.asked} == {OLD}


@in_both
@pytest.mark.parametrize(
    ("reply", "kind"),
    [(drop, NexusAmbiguousWriteError), (answer(b"", 500), NexusAmbiguousWriteError), (NO, NexusAuthenticationError)],
)
def test_a_change_with_the_new_key_is_as_unsure_as_any(use: Use, reply: Reply, kind: type[NexusError]) -> None:
    with SocketServer(by=taking(NEW, then=reply)) as server:
        (error,) = use(settings_of(server, OLD), lambda: settings_of(server, NEW), [WRITE])
    assert type(error) is kind
    assert [key_of(asked) for asked in server.asked] == [OLD, NEW]


@in_both
def test_a_401_that_names_a_record_is_no_refusal_of_the_change(use: Use) -> None:
    body = json.dumps({"message": "x", "errors": ["E"], "values": {"transactionCode": "T-9"}}).encode()
    with SocketServer(answer(body, 401)) as server:
        (error,) = use(settings_of(server, OLD), lambda: settings_of(server, NEW), [WRITE])
    assert isinstance(error, NexusAmbiguousWriteError)
    assert len(server.asked) == 1


def test_calls_at_once_read_the_connection_once() -> None:
    read: list[int] = []

    async def main(server: SocketServer) -> list[Any]:
        async def refresh() -> ClientSettings:
            read.append(1)
            await asyncio.sleep(0.05)
            return settings_of(server, NEW)

        client = AsyncNexusClient(settings_of(server, OLD), refresh=refresh)
        found = await asyncio.gather(*(client.send(READ, envelope.unwrap) for _ in range(4)))
        await client.aclose()
        return found

    with SocketServer(by=taking(NEW)) as server:
        assert len(asyncio.run(main(server))) == 4
    assert len(read) == 1


def test_retries_before_and_after_the_exchange_are_as_ever() -> None:
    script = iter([answer(b"", 503), NO, answer(b"", 503), OK])
    with SocketServer(by=lambda _: next(script)) as server:
        (value,) = by_session(settings_of(server, OLD), lambda: settings_of(server, NEW), [READ])
    assert value == {"code": "T-1"}
    assert [key_of(asked) for asked in server.asked] == [OLD, OLD, NEW, NEW]


def test_the_rate_limit_goes_on_with_the_new_key() -> None:
    with SocketServer(by=taking(NEW)) as server:
        found = by_session(
            settings_of(server, OLD, rate_limit=1000), lambda: settings_of(server, NEW, rate_limit=1000), [READ, READ]
        )
    assert found == [{"code": "T-1"}] * 2


def write(finds: list[dict[str, Any]]) -> Write:
    return Write(
        method="POST",
        path="/transfers",
        body={"amount": 1},
        find=lambda _: finds,
        read=lambda code: {"code": code},
        code_of=lambda answer: str(answer["code"]),
        record_of=lambda answer: dict(answer),
        reference="R-1",
    )


def once(server: SocketServer, ledger: MemoryLedger, refresh: Refresh) -> Once:
    dated = NexusSession(settings_of(server, OLD), policy=QUICK, refresh=refresh)
    dated._clock.set_by({"Date": "Wed, 31 Mar 2027 12:00:00 GMT"})
    return Once(NexusClient(dated), ledger, pauses=())


def test_the_ledger_of_a_write_is_not_confused() -> None:
    ledger, marks = MemoryLedger(), []

    def by(asked: Asked) -> Reply:
        marks.append((key_of(asked), bool(ledger.get(LEDGER_KEY)["sent"])))
        return taking(NEW)(asked)

    with SocketServer(by=by) as server:
        record = once(server, ledger, lambda: settings_of(server, NEW)).carry_out(write([]), datetime(2027, 3, 31, tzinfo=UTC))
    assert record == {"code": "T-1"}
    assert marks == [(OLD, True), (NEW, True)]
    assert ledger.get(LEDGER_KEY)["code"] == "T-1"


def test_a_write_that_is_refused_with_both_keys_was_not_carried_out() -> None:
    ledger = MemoryLedger()
    with SocketServer(NO) as server, pytest.raises(NexusAuthenticationError):
        once(server, ledger, lambda: settings_of(server, NEW)).carry_out(write([]), datetime(2027, 3, 31, tzinfo=UTC))
    assert ledger.get(LEDGER_KEY)["sent"] == ""
    assert len(server.asked) == 2


def test_a_write_that_another_try_took_over_meanwhile_is_not_sent_again() -> None:
    ledger = MemoryLedger()
    with SocketServer(by=taking(NEW)) as server:

        def refresh() -> ClientSettings:
            ledger.set(OWNER_KEY, "another try")
            return settings_of(server, NEW)

        with pytest.raises(NexusClaimLostError):
            once(server, ledger, refresh).carry_out(write([]), datetime(2027, 3, 31, tzinfo=UTC))
    assert [key_of(asked) for asked in server.asked] == [OLD]


@in_both
def test_a_key_near_its_end_is_told_once_and_by_the_servers_clock(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    reply = answer(b'{"values":1}', Date="Wed, 31 Mar 2027 12:00:00 GMT")
    with SocketServer(reply) as server:
        use(settings_of(server, OLD, key_expires="2027-04-05"), lambda: settings_of(server, OLD), [READ] * 3)
        use(settings_of(server, OLD, key_expires="2027-03-30"), lambda: settings_of(server, OLD), [READ] * 3)
        use(settings_of(server, OLD, key_expires="2027-06-30"), lambda: settings_of(server, OLD), [READ] * 3)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 2
    assert "sandbox: The API key expires on 2027-04-05, in 5 days" in warnings[0]
    assert "sandbox: The API key expired on 2027-03-30" in warnings[1]
    assert len(server.asked) == 9


@in_both
def test_a_key_near_its_end_is_told_though_the_call_fails(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    with SocketServer(answer(b"", 500)) as server:
        (error,) = use(settings_of(server, OLD, key_expires="2001-01-01", retries=0), lambda: settings_of(server, OLD), [READ])
    assert isinstance(error, NexusServerError)
    assert "expired on 2001-01-01" in caplog.text


def test_the_new_key_has_an_end_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with SocketServer(by=taking(NEW)) as server:
        fresh = settings_of(server, NEW, key_expires="2001-02-02")
        by_session(settings_of(server, OLD, key_expires="2001-01-01"), lambda: fresh, [READ])
    assert "expired on 2001-01-01" in caplog.text
    assert "expired on 2001-02-02" in caplog.text


def test_what_else_the_connection_says_by_now_does_not_count() -> None:
    """The hashes of one load have to be made with one secret."""
    with SocketServer() as server:
        used = settings_of(server, OLD, hash_secret="s" * 16, timeout=7)
        fresh = settings_of(server, NEW, hash_secret="t" * 16, timeout=9)
        found = used.renewed_by(fresh)
    assert found == dataclasses.replace(used, token=fresh.token)
