"""Assets of Nexus, ``nexus://<environment>/<resource>``, and what a DAG reads of their changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow.sdk import Asset

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.compat import HAS_TASK_STATE
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusUnknownResourceError

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.sdk import Context


REMEMBERED = 1000
"""Changes that are remembered as handled, for each DAG and asset."""
_ENVIRONMENT = re.compile(r"test|production|sandbox|[a-z0-9-]+(\.[a-z0-9-]+)+")


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """The address of an asset in its one spelling.

    :raises ValueError: when it names no environment or no resource, or has more than these
    """
    environment, resource = uri.netloc.lower(), uri.path.strip("/")
    if not _ENVIRONMENT.fullmatch(environment):
        # without the host as it came, which may contain a password
        raise ValueError(
            "a Nexus asset is nexus://<environment>/<resource>; environments are test, production, sandbox or a host"
        )
    if uri.query or uri.fragment:
        raise ValueError(f"a Nexus asset ends after the resource, as in nexus://{environment}/transactions")
    try:
        return uri._replace(netloc=environment, path=f"/{get_resource(resource).name}")
    except NexusUnknownResourceError as error:
        raise ValueError(str(error)) from None


def create_asset(*, environment: str, resource: str, extra: dict[str, Any] | None = None) -> Asset:
    """The asset that one resource of one environment is.

    :param environment: ``test``, ``production``, ``sandbox``, or an own host's name
    :raises ValueError: when one of them can't be
    """
    return Asset(uri=sanitize_uri(urlsplit(f"nexus://{environment}/{resource}")).geturl(), extra=extra)


def convert_asset_to_openlineage(asset: Asset, lineage_context: object) -> Dataset:  # noqa: ARG001 - Airflow gives it
    """The asset as OpenLineage's data set: the environment is its namespace, the resource its name."""
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset

    parts = urlsplit(asset.uri)
    return OpenLineageDataset(namespace=f"nexus://{parts.netloc}", name=parts.path.strip("/"))


def fresh_changes(context: Context, asset: Asset) -> list[dict[str, Any]]:
    """The changes that started a run, in the order of their events, without those that an earlier run of the same DAG was given.

    ``NexusChangeTrigger`` never misses a change but can report one twice. What a run was given is remembered with the run, so
    its retries are given the same. Airflow's memory has no compare-and-set: give the DAG ``max_active_runs=1``. Below
    Airflow 3.3 there is no such memory, and only repeats within the run are dropped.

    :param context: of the task, which names the asset among its ``inlets``
    :param asset: the watched asset
    :return: ``changes`` as reported by :class:`~airflow_provider_nexus.triggers.nexus.NexusChangeTrigger`
    :raises NexusConfigurationError: when the task does not name the asset
    """
    events = context["triggering_asset_events"].get(asset) or ()
    payloads = [event.extra.get("payload") for event in events if isinstance(event.extra, Mapping)]
    given = [change for payload in payloads if isinstance(payload, dict) for change in payload.get("changes") or ()]
    changes = {str(change["id"]): change for change in given}
    if not HAS_TASK_STATE:  # assets have no memory either then
        return list(changes.values())
    try:
        store: Any = context["asset_state_store"][asset]
    except KeyError:
        raise NexusConfigurationError(
            f"the task can't remember what it was given: put the asset {asset.uri} among its inlets, inlets=[asset]"
        ) from None
    key, run = f"nexus-handled.{context['dag'].dag_id}", context["run_id"]
    handled: dict[str, str] = dict(store.get(key) or {})
    fresh = {name: change for name, change in changes.items() if handled.get(name, run) == run}
    if fresh.keys() - handled.keys():
        store.set(key, dict([*handled.items(), *((name, run) for name in fresh if name not in handled)][-REMEMBERED:]))
    return list(fresh.values())
