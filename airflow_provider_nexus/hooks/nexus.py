"""Hook that calls Nexus with the token of an Airflow connection of type ``nexus``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_nexus.api.moments import Moment
from airflow_provider_nexus.api.records import as_plain
from airflow_provider_nexus.api.resources import find_by_path, get_resource
from airflow_provider_nexus.client.settings import RETRIES, TIMEOUT, ClientSettings, number, read_settings, record_address, whole
from airflow_provider_nexus.compat import get_hook_lineage_collector
from airflow_provider_nexus.exceptions import (
    NexusAuthenticationError,
    NexusConfigurationError,
    NexusConnectionError,
    NexusError,
    NexusNotFoundError,
    NexusPermissionError,
    NexusTimeoutError,
    without_secrets,
)
from airflow_provider_nexus.extract.request import SETTLE_LAG
from airflow_provider_nexus.extract.source import PAGE_SIZE
from airflow_provider_nexus.hooks._connections import Given, defined, store_of
from airflow_provider_nexus.hooks._files import FileCalls, sent_once

if TYPE_CHECKING:
    from airflow_provider_nexus.client.aio import AsyncNexusClient
    from airflow_provider_nexus.client.client import NexusClient
    from airflow_provider_nexus.extract.records import RecordsWanted
    from airflow_provider_nexus.load.frames import FrameType

TEST_TIMEOUT = 10.0
"""Seconds that the connection test waits at most, as a person waits for it."""


class NexusHook(FileCalls):
    """Calls Quantoz Nexus with the token of a connection.

    Nothing is read before the first call. One kept-alive session serves all calls of a hook. ``with NexusHook() as hook:``
    closes it at the end of the block; without, it is closed at the end of the process.

    .. seealso:: :doc:`calling`

    :param nexus_conn_id: the connection
    :param timeout: seconds without a byte after which an answer is given up, 1 to 600; by default the connection's
    :param retries: attempts after the first, 0 to 10; by default the connection's
    :raises NexusConfigurationError: when one of these is no number, or none that a connection could have
    """

    conn_name_attr = "nexus_conn_id"
    default_conn_name = "nexus_default"
    conn_type = "nexus"
    hook_name = "Quantoz Nexus"

    def __init__(
        self, nexus_conn_id: str = default_conn_name, *, timeout: float | None = None, retries: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.nexus_conn_id = nexus_conn_id
        self._overrides: dict[str, Any] = {}
        if timeout is not None:
            self._overrides["timeout"] = number(timeout, "timeout", *TIMEOUT)
        if retries is not None:
            self._overrides["retries"] = whole(retries, "retries", *RETRIES)

    @cached_property
    def settings(self) -> ClientSettings:
        """The connection, understood.

        :raises NexusConfigurationError: when there is none, or something in it is wrong
        """
        return self._read()

    def _read(self) -> ClientSettings:
        """The connection as it is at the moment."""
        with defined(self.nexus_conn_id, self.conn_type):
            settings = self._understood(Given(self.get_connection(self.nexus_conn_id)))
        if conn_id := settings.rate_limit_conn_id:
            with defined(conn_id, "redis"):
                store = Given(self.get_connection(conn_id))
            return dataclasses.replace(settings, rate_limit_store=store_of(conn_id, store))
        return settings

    async def _aread(self) -> ClientSettings:
        with defined(self.nexus_conn_id, self.conn_type):
            settings = self._understood(Given(await self.aget_connection(self.nexus_conn_id)))
        if conn_id := settings.rate_limit_conn_id:
            with defined(conn_id, "redis"):
                store = Given(await self.aget_connection(conn_id))
            return dataclasses.replace(settings, rate_limit_store=store_of(conn_id, store))
        return settings

    def _understood(self, given: Given) -> ClientSettings:
        if given.conn_type != self.conn_type:
            raise NexusConfigurationError(
                f"connection {self.nexus_conn_id!r} is of type {given.conn_type!r}, and its password is not sent to Nexus: "
                f"give a connection of type {self.conn_type!r}"
            )
        settings = read_settings(
            token=given.password,
            host=given.host,
            port=given.port,
            schema=given.schema,
            has_login=bool(given.login),
            extra=given.extra,
            conn_id=self.nexus_conn_id,
        )
        return dataclasses.replace(settings, **self._overrides)

    async def aclient(self) -> AsyncNexusClient:
        """A client for an event loop. The caller closes it. It goes on with a new token as :attr:`client` does.

        :raises NexusConfigurationError: when there is no such connection, or something in it is wrong
        """
        from airflow_provider_nexus.client.aio import AsyncNexusClient

        return AsyncNexusClient(await self._aread(), log=self.log, refresh=self._aread)

    @cached_property
    def client(self) -> NexusClient:
        """The client, its session opened at the first call.

        When its token is refused, it reads the connection again, and goes on if that has another token by now.
        """
        from airflow_provider_nexus.client.client import NexusClient
        from airflow_provider_nexus.client.session import NexusSession

        return NexusClient(NexusSession(self.settings, log=self.log, refresh=self._read))

    def get_conn(self) -> NexusClient:
        """The client."""
        return self.client

    def close(self) -> None:
        """Give back the connection to Nexus, if one was opened. The next call opens it again."""
        if "client" in self.__dict__:
            self.client.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def run(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        api_version: str | None = None,
        headers: Mapping[str, Any] | None = None,
        plain: bool = False,
    ) -> Any:
        """One authenticated call, sent again while that is safe.

        :param method: GET, HEAD, POST, PUT, PATCH or DELETE
        :param path: path from the root; codes in it percent-encoded
        :param params: query: texts, numbers, flags and moments; ``None`` is left out, the values of a list are sent one by one
        :param json: body, a dictionary or a list; moments in it are written as Nexus writes them, ``Decimal`` with its digits
        :param api_version: the header of that name; by default that of the path in the catalogue
        :param headers: further headers, such as ``customer_ip_address`` or ``x-Correlation-Id``: texts, numbers, flags and
            moments. None of those that the provider sets itself, ``Authorization`` least of all
        :param plain: whether money is given as text with all its digits and times as ISO 8601 text, as XCom needs it
        :return: the decoded ``values``, or the bare body where there is no envelope. Fractions are ``Decimal``; where the
            catalogue knows the path, all money is, and times are pendulum in UTC
        :raises NexusAmbiguousWriteError: when a change may or may not have happened; Airflow does not try the task again then
        :raises NexusApiError: one class per cause
        :raises NexusWriteRefusedError: when it would change something and the connection does not allow that
        """
        with sent_once():
            values = self.client.run(method, path, params=params, json=json, api_version=api_version, headers=headers)
        resource = find_by_path(path)
        if resource and method.strip().upper() == "GET":
            self._report_lineage(resource.name)
        return as_plain(values) if plain else values

    def get_record(self, resource: str, code: str, *, plain: bool = False) -> dict[str, Any]:
        """One record: times as pendulum in UTC, money as ``Decimal``.

        Nexus has no call for one transfer: it is looked for in the list of the last thirty days.

        :param resource: name in the catalogue, such as ``transactions``
        :param code: its code, as it is; it is percent-encoded here
        :param plain: whether money is given as text with all its digits and times as ISO 8601 text, as XCom needs it
        :raises NexusNotFoundError: when there is none
        """
        from airflow_provider_nexus.extract.find import get_record

        record = get_record(self.client, resource, code)
        self._report_lineage(resource)
        return as_plain(record) if plain else record

    def portal_link(self, resource: str, code: str) -> str | None:
        """The address of a record in the Nexus portal; ``None`` when the connection has no ``portal_url``.

        :param resource: name in the catalogue, such as ``transactions``
        :param code: its code, as it is; it is percent-encoded here
        """
        template = self.settings.portal_url
        return record_address(template, resource, code) if template else None

    def iter_records(
        self,
        resource: str,
        *,
        start: Moment = None,
        end: Moment = None,
        filters: Mapping[str, Any] | None = None,
        limit: int | None = None,
        page_size: int = PAGE_SIZE,
        settle_lag: timedelta | float = SETTLE_LAG,
        parent: str = "",
        plain: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """The records of a collection, lazily, each once, oldest first, with one page in memory.

        All records are given that were there when the walk began, still are when their page is read, and whose creation
        stamp lies in ``[start, end)``, both cut to whole seconds. What is asked for is checked at once, and the reading begins
        with the first record.

        :param start: ISO 8601 text, a ``datetime`` or a date, pendulum's among them; by default the beginning
        :param end: likewise; by default now. One that is open or in the future is cut to the server's clock minus the lag; one
            that has just passed is waited for until the lag is over
        :param filters: other query parameters, as Nexus names them; each has one value
        :param limit: records to give at most. Where that ends the walk, it is not proved complete
        :param page_size: records asked for in one call
        :param settle_lag: ``timedelta`` or seconds after which a record that was created can surely be seen: how long that
            takes is not documented, so loads that go on where the last one ended leave five minutes out by default, and bring
            them the next time. ``0`` reads up to now
        :param parent: code of the parent's record, for a child such as ``customer_persons``
        :param plain: whether money is given as text with all its digits and times as ISO 8601 text, as XCom needs it
        :raises NexusConfigurationError: for what the resource can't give
        :raises NexusWindowError: when a moment can't be read, or the end is not after the start
        :raises NexusUnprovedError: at the end, when the count does not agree with the server's
        """
        asked = {"filters": filters, "limit": limit, "page_size": page_size, "settle_lag": settle_lag, "parent": parent}
        wanted = self._wanted(resource, start=start, end=end, **asked)
        found = wanted.records(self.client, self.log)
        return (as_plain(record) for record in found) if plain else found

    def get_df(
        self,
        resource: str,
        *,
        df_type: FrameType = "pandas",
        start: Moment = None,
        end: Moment = None,
        filters: Mapping[str, Any] | None = None,
        limit: int | None = None,
        page_size: int = PAGE_SIZE,
        settle_lag: timedelta | float = SETTLE_LAG,
        parent: str = "",
    ) -> Any:
        """The records of a collection as a data frame, with the columns of the typed tables, all in memory.

        Amounts are ``Decimal`` in pandas and ``Decimal`` columns in polars, times are in UTC. What the catalogue does not know
        is in ``_raw_extra``.

        :param df_type: ``pandas`` or ``polars``; needs the extra of that name. Further arguments: :meth:`iter_records`
        :raises NexusDataError: when a record does not fit the columns
        :raises NexusConfigurationError: for what the resource can't give, or when the library is missing
        :raises NexusWindowError: when a moment can't be read, or the end is not after the start
        :raises NexusUnprovedError: when the count does not agree with the server's
        """
        from airflow_provider_nexus.extract.records import warn_once
        from airflow_provider_nexus.load.frames import data_frame, load_frames

        load_frames(df_type)
        asked = {"filters": filters, "limit": limit, "page_size": page_size, "settle_lag": settle_lag, "parent": parent}
        wanted = self._wanted(resource, start=start, end=end, **asked)
        rows, on_untyped = wanted.rows(self.client, self.log), warn_once(wanted.resource, self.log)
        return data_frame(wanted.resource, rows, df_type, on_untyped)

    def _wanted(self, resource: str, **asked: Any) -> RecordsWanted:
        """What is asked for, checked, and reported to Airflow's lineage."""
        from airflow_provider_nexus.extract.records import RecordsWanted

        wanted = RecordsWanted(resource=get_resource(resource), **asked)
        self._report_lineage(resource)
        return wanted

    def _report_lineage(self, resource: str) -> None:
        """Report to Airflow's lineage what a task has read."""
        uri = f"nexus://{self.settings.environment.name}/{resource}"
        get_hook_lineage_collector().add_input_asset(context=self, scheme="nexus", uri=uri)

    def test_connection(self) -> tuple[bool, str]:
        """Whether Nexus can be reached and takes the token, in words for a person. Asks for the tenant once, no retries.

        A token that is near its end is still a success, with a warning in the words.
        """
        from airflow_provider_nexus.client.client import NexusClient
        from airflow_provider_nexus.client.retry import RetryPolicy
        from airflow_provider_nexus.client.session import NexusSession

        try:
            settings = dataclasses.replace(self.settings, timeout=min(TEST_TIMEOUT, self.settings.timeout))
        except NexusError as error:
            return False, str(error)
        session = NexusSession(settings, policy=RetryPolicy(retries=0), log=self.log)
        try:
            values = NexusClient(session).run("GET", "/labelpartner")
            code = (values or {}).get("labelPartnerCode") or "without a code"
            works, words = True, f"Nexus {settings.environment} answers as tenant {without_secrets(str(code))}"
        except NexusError as error:
            works, words = _explain(str(settings.environment), error)
        finally:
            session.close()
        now = session.server_now or datetime.now(UTC)
        ending = settings.expiry.warning(now) if works and settings.expiry else ""
        return works, f"{words}. {ending}" if ending else words


def _explain(where: str, error: NexusError) -> tuple[bool, str]:
    if isinstance(error, NexusPermissionError):
        if not (error.codes or error.detail):  # how Nexus itself words a 403 is not known
            words = "its roles do not let it read the tenant, or a gateway before Nexus refuses the call"
            return True, f"Nexus {where} takes the token, as far as can be seen; {words} (HTTP 403)"
        return True, f"Nexus {where} takes the token; its roles do not let it read the tenant (HTTP 403)"
    if isinstance(error, NexusAuthenticationError):
        return False, f"Nexus {where} does not take the token (HTTP 401). {error.situation} {error.advice}"
    if isinstance(error, NexusNotFoundError):
        return False, f"{where} answers, but not as Nexus does (HTTP 404): check the base URL"
    if isinstance(error, NexusConnectionError | NexusTimeoutError):
        return False, f"Nexus {where} can't be reached: {error.detail}. {error.advice}"
    return False, f"Nexus {where}: {error}"
