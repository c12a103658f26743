"""A connection that Airflow does not know, told as what it is: nothing that another try could mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_nexus.compat import AirflowNotFoundException
from airflow_provider_nexus.exceptions import NexusConfigurationError


@contextmanager
def defined(conn_id: str, kind: str = "") -> Iterator[None]:
    """Look a connection up in the block.

    :param conn_id: the connection
    :param kind: the type that it has to be of, for the words
    :raises NexusConfigurationError: when there is no such connection
    """
    try:
        yield
    except AirflowNotFoundException:
        of_type = f"one of type {kind!r}" if kind else "it"
        raise NexusConfigurationError(
            f"there is no connection {conn_id!r}, or none that can be read: make {of_type} in Airflow under Admin, Connections, "
            f"or set the environment variable AIRFLOW_CONN_{str(conn_id).upper()}"
        ) from None
