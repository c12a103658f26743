"""Sessions for servers of the tests, and what to look for in their errors."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.retry import RetryPolicy
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import ClientSettings, read_settings
from airflow_provider_nexus.exceptions import NexusError

QUICK = RetryPolicy(retries=3, base=0.01, cap=0.03, deadline=10)
CANARY = "canary-5b7e0d91c3"
IBAN = "NL91ABNA0417164300"
GET = Call("GET", f"/customer/{IBAN}", {"email": "jan@example.nl"})
STATE = Call("PUT", "/mail/M1/sent")
POST = Call("POST", "/transfers", {"note": IBAN}, {"amount": 1, "userName": "jan@example.nl"})


@contextmanager
def session_for(
    base_url: str,
    *,
    token: str = CANARY,
    timeout: float = 5.0,
    writes: bool = True,
    policy: RetryPolicy = QUICK,
    log: Log | None = None,
) -> Iterator[NexusSession]:
    """A session that is quick to try again, and may write."""
    settings = dataclasses.replace(read_settings(token=token, host=base_url), timeout=timeout, allow_writes=writes)
    session = NexusSession(settings, policy=policy, log=log)
    yield session
    session.close()


def jwt(payload: object) -> str:
    """A key that is a JWT.

    :param payload: its claims, or the text that stands where they belong
    """
    parts = ("{}", payload if isinstance(payload, str) else json.dumps(payload), "signature")
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def chain(error: BaseException | None) -> list[BaseException]:
    """An error with all that led to it, shown or not."""
    if error is None:
        return []
    return [error, *chain(error.__cause__), *chain(error.__context__)]


def all_that_it_says(error: BaseException) -> str:
    """Every text that somebody could print of an error and of what led to it."""
    said: list[Any] = traceback.format_exception(error)
    for each in chain(error):
        said += [str(each), repr(each), each.args, each.__dict__, getattr(each, "__notes__", "")]
        said += [(getattr(held, "__dict__", ""), getattr(held, "headers", "")) for held in each.__dict__.values()]
    return "\n".join(str(piece) for piece in said)


Client = Callable[[ClientSettings, Call], Any]


def blocking(settings: ClientSettings, call: Call) -> Any:
    """What a call ends in, by the client of tasks: a value or an error."""
    session = NexusSession(settings, policy=dataclasses.replace(QUICK, retries=settings.retries))
    try:
        return session.send(call, envelope.unwrap).value
    except NexusError as error:
        return error
    finally:
        session.close()


def in_a_loop(settings: ClientSettings, call: Call) -> Any:
    """The same by the client of the triggerer, which tries once."""

    async def main() -> Any:
        client = AsyncNexusClient(settings)
        try:
            return (await client.send(call, envelope.unwrap)).value
        except NexusError as error:
            return error
        finally:
            await client.aclose()

    return asyncio.run(main())


in_both_clients = pytest.mark.parametrize("client", [blocking, in_a_loop])
