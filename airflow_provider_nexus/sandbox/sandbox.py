"""Sandbox: the imitation of Nexus as users and tests start it."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox.reads import truth
from airflow_provider_nexus.sandbox.settings import SandboxSettings, refuse_unknown
from airflow_provider_nexus.sandbox.stamps import to_micros
from airflow_provider_nexus.sandbox.state import RecordedCall, SandboxState

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.server import SandboxServer


_LAST_PORT = 65_535
_EXTRA = ("starlette", "uvicorn")
"""What the extra ``sandbox`` brings, if Airflow did not; imported when a sandbox starts."""


class Sandbox(SandboxState):
    """A Nexus of one's own on 127.0.0.1, for as long as the ``with`` block lasts.

    :param port: 0 for a free one
    :param settings: see :class:`~airflow_provider_nexus.sandbox.settings.SandboxSettings`
    :raises ValueError: for an unknown setting, naming the nearest, or a bad value
    :raises NexusConfigurationError: without the packages of the extra ``sandbox``
    """

    def __init__(self, *, port: int = 0, **settings: Any) -> None:
        refuse_unknown(settings)
        missing = next((name for name in _EXTRA if find_spec(name) is None), "")
        if missing:
            raise NexusConfigurationError(
                f"a sandbox needs {missing}, which is not installed: pip install 'airflow-provider-nexus[sandbox]'"
            )
        if not 0 <= port <= _LAST_PORT:
            raise ValueError(f"port is {port}: give one up to {_LAST_PORT}, or 0 for a free one")
        super().__init__(SandboxSettings(**settings))
        self._port = port
        self._server: SandboxServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Serve in a thread of this process; ``OSError`` when the port is taken."""
        from airflow_provider_nexus.sandbox.server import SandboxServer

        self._server = SandboxServer(self, self._port)
        self._port = self._server.port

    def close(self) -> None:
        """Stop serving; also when it never started."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def base_url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def connection_uri(self) -> str:
        """An Airflow connection to it, for ``AIRFLOW_CONN_NEXUS_DEFAULT``."""
        extra = quote('{"allow_writes": true}', safe="")  # as a parameter it is a text, which Airflow takes for a secret
        return f"nexus://:{quote(self.token, safe='')}@{quote(self.base_url, safe='')}/?__extra__={extra}"

    @property
    def calls(self) -> list[RecordedCall]:
        """The last calls, oldest first, at most ten thousand."""
        with self.lock:
            return list(self.journal.calls)

    @property
    def call_count(self) -> int:
        """All calls since the start or the last reset."""
        return self.journal.count

    @property
    def connection_count(self) -> int:
        """All connections opened since the start or the last reset."""
        return self.journal.connections

    @property
    def records_served(self) -> int:
        """Records in the list and single answers of all reads since the start or the last reset.

        One that was served twice counts twice; answers that did not arrive whole by a fault do not count.
        """
        return self.journal.records

    def truth(
        self,
        resource: str,
        start: datetime | None = None,
        end: datetime | None = None,
        parent: str = "",
        at: datetime | None = None,
    ) -> list[bytes]:
        """What there is: the JSON text of every record, oldest first, as sent with ``request_iso8601: true``.

        Records count whose displayed creation stamp lies in ``[start, end)`` and that can be seen at ``at``, now if left out.

        :param parent: code of the parent for a child's collection
        :raises LookupError: for an unknown resource or parent
        """
        with self.lock:
            moment = self.clock.now if at is None else to_micros(at)
            return truth(self.world, resource, start, end, parent, moment)
