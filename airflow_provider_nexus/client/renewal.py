"""A key that is exchanged while it is in use: after a 401 the connection is read again, and another key in it is gone on with.

A 401 is the server's own word that it did not do what it was asked, so the call may go out once more, a change included.
"""

from __future__ import annotations

from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import NexusError


def renewed(used: ClientSettings, found: ClientSettings, log: Log) -> ClientSettings | None:
    """The settings to go on with; ``None`` when the connection as it is by now brings no other key for the same place.

    :param used: those whose token was refused
    :param found: what the connection says now
    """
    settings = used.renewed_by(found)
    if settings:
        log.info("%s refused the API key, and the connection holds another one by now: going on with that", _where(used))
    elif found.environment != used.environment:
        log.warning(
            "%s refused the API key; the connection leads to %s by now, which is not gone on with", _where(used), _where(found)
        )
    return settings


def not_read(error: Exception, log: Log) -> None:
    """Tell that the connection could not be read again. Of what is not ours only its class: its text may hold what was read."""
    why = str(error) if isinstance(error, NexusError) else type(error).__name__
    log.warning("the API key was refused, and the connection could not be read again: %s", why)


def _where(settings: ClientSettings) -> str:
    return f"{settings.environment.name} ({settings.environment.base_url})"
