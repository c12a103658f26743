"""Operator that cuts a long window into several, for tasks that are mapped over them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api.moments import Moment, span_of_time
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.compat import AirflowSkipException
from airflow_provider_nexus.extract.plan import plan, refuse_unwindowed
from airflow_provider_nexus.extract.request import LONGEST_LAG, SETTLE_LAG
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._arguments import check_windows, known_part, refuse_backwards
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered, requested_window

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


class NexusPlanWindowsOperator(NexusBaseOperator):
    """Cuts a window into several that lie end to end, with about as many records each, to be read side by side.

    What it returns fits ``NexusToObjectStorageOperator.partial(...).expand_kwargs(plan.output)``. Only totals are asked for.

    The window is ``window_start`` and ``window_end`` if given, else the run's params of these names, else the data interval if
    it is not empty. An end that is left out or in the future is cut to the server's clock minus ``settle_lag``.

    There are fewer windows than allowed when there are few records: each has at least a page of them, unless it is the only
    one. A plan that is made again may have its ends elsewhere, while windows of the first one are published already: to
    repeat a failed window, clear the task that reads it and not the plan.

    .. seealso:: :doc:`scale`

    :param resource: name in the catalogue, such as ``transactions`` (templated)
    :param window_start: start of the whole window, included (templated)
    :param window_end: end of the whole window, excluded (templated)
    :param max_windows: number of windows (templated)
    :param settle_lag: ``timedelta`` or seconds after which a record that was created can surely be seen
    :param nexus_conn_id: connection of Nexus (templated)
    """

    template_fields: Sequence[str] = ("resource", "window_start", "window_end", "max_windows", "nexus_conn_id")
    text_fields = ("resource", "nexus_conn_id")
    operator_extra_links = ()  # a window is no one record

    def __init__(
        self,
        *,
        resource: str | XComArg,
        window_start: Moment | XComArg = None,
        window_end: Moment | XComArg = None,
        max_windows: int | str | XComArg = 8,
        settle_lag: timedelta | float = SETTLE_LAG,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = rendered(resource)
        self.window_start = rendered(window_start)
        self.window_end = rendered(window_end)
        self.max_windows = rendered(max_windows)
        self.settle_lag = span_of_time(settle_lag, "settle_lag", longest=LONGEST_LAG)
        self.nexus_conn_id = rendered(nexus_conn_id)
        self.check(NexusPlanWindowsOperator)
        refuse_backwards(window_start, window_end)
        if isinstance(known := known_part(resource), str):
            refuse_unwindowed(get_resource(known))

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Plan.

        :return: ``window_start`` and ``window_end`` of each window as ISO 8601 text, oldest first
        :raises NexusConfigurationError: when the resource has no windows or ``max_windows`` is no number of windows
        :raises NexusWindowError: when there is no window
        :raises AirflowSkipException: when nothing is old enough to be read
        """
        max_windows = check_windows("max_windows", self.max_windows)
        resource, wanted = get_resource(self.resource), requested_window(context, self.window_start, self.window_end)
        with NexusHook(self.nexus_conn_id) as hook:
            windows = plan(hook.client, resource, wanted, max_windows, settle_lag=self.settle_lag)
        if not windows:
            raise AirflowSkipException(f"nothing of {self.resource} is settled yet; the next run will plan it")
        for window in windows:
            records = "records not counted" if window.records is None else f"about {number_of(window.records, 'record')}"
            self.log.info("%s: %s to %s, %s", self.resource, to_wire(window.start), to_wire(window.end), records)
        return [{"window_start": to_wire(window.start), "window_end": to_wire(window.end)} for window in windows]
