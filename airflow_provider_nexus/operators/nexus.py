"""Operator that makes any call of the Nexus API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api.records import as_plain
from airflow_provider_nexus.api.resources import find_by_path
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.values import method_of
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered
from airflow_provider_nexus.operators._once import send_once

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


class NexusOperator(NexusBaseOperator):
    """Makes one call of the Nexus API and returns what came back.

    In ``response_filter`` fractions are ``Decimal``, and where the catalogue knows the path all money is and times are
    pendulum in UTC. XCom gets amounts as text with every digit and times as ISO 8601, since Airflow's own XCom
    serialisation turns a ``Decimal`` into a float.

    A call that may have reached Nexus is sent again only where that is safe, in this try and in the next:
    where it is not known what became of it, or where a try made it and was lost before Airflow heard of its success, the task
    fails at once with ``NexusAmbiguousWriteError``. A task that is cleared after a success makes its call anew. A call that
    changes something is refused unless the connection allows writes.

    .. seealso:: :doc:`calling`

    :param endpoint: path from the root, such as ``/customer/C1`` (templated)
    :param method: GET, HEAD, POST, PUT, PATCH or DELETE (templated)
    :param query: query (templated): texts, numbers, flags and moments; one without a value is refused. (``params`` are Airflow's
        own)
    :param json: body (templated), a dictionary or a list: where a template makes it, the DAG has to render templates as native
        objects; moments in it are written as Nexus writes them, ``Decimal`` with its digits
    :param headers: further headers, such as ``customer_ip_address`` or ``x-Correlation-Id`` (templated); none of those that
        the provider sets itself. Airflow shows rendered templates, so personal data in them is seen there
    :param response_filter: function of the values; what it returns is returned
    :param api_version: the header of that name; by default that of the path in the catalogue
    :param nexus_conn_id: the connection (templated)
    """

    template_fields: Sequence[str] = ("endpoint", "method", "query", "json", "headers", "nexus_conn_id")
    text_fields = ("endpoint", "method", "headers", "nexus_conn_id")
    template_fields_renderers = {"query": "json", "json": "json", "headers": "json"}  # noqa: RUF012 - as BaseOperator declares it

    def __init__(
        self,
        *,
        endpoint: str | XComArg,
        method: str | XComArg = "GET",
        query: Mapping[str, Any] | XComArg | None = None,
        json: Any = None,
        headers: Mapping[str, Any] | XComArg | None = None,
        response_filter: Callable[[Any], Any] | None = None,
        api_version: str | None = None,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint = rendered(endpoint)
        self.method = rendered(method)
        self.query = rendered(query)
        self.json = rendered(json)
        self.headers = rendered(headers)
        self.response_filter = response_filter
        self.api_version = api_version
        self.nexus_conn_id = rendered(nexus_conn_id)
        self.check(NexusOperator)

    def execute(self, context: Context) -> Any:
        """Make the call.

        :raises NexusAmbiguousWriteError: when it may have changed something, now or in an earlier try
        :raises NexusApiError: one class per cause otherwise
        """
        self.refuse_missing(query="the query's", headers="the header")
        call = Call(method_of(self.method), self.endpoint, self.query, self.json, self.api_version, self.headers)
        client = NexusHook(self.nexus_conn_id).client
        if call.is_repeatable:
            return self._finish(context, client.send(call))
        return send_once(context, call, partial(client.send, call), partial(self._finish, context))

    def _finish(self, context: Context, values: Any) -> Any:
        resource = find_by_path(self.endpoint)
        code = values.get(resource.key[0]) if resource and isinstance(values, dict) else None
        if resource and isinstance(code, str):
            self.remember(context, resource.name, code)
        return as_plain(self.response_filter(values) if self.response_filter else values)
