"""Which window a run asks for: arguments, else params, else its data interval, else the watermark."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_nexus.api.moments import Moment
from airflow_provider_nexus.extract.window import RequestedWindow, choose_window

if TYPE_CHECKING:
    from airflow.sdk import Context


def requested_window(
    context: Context, start: Moment, end: Moment, watermark: Callable[[], Moment] = lambda: None
) -> RequestedWindow:
    """What a run asks for.

    :param start: the operator's argument ``window_start``
    :param end: the operator's argument ``window_end``
    :param watermark: looks up where the last sync ended; called only when that is needed
    :raises NexusWindowError: when nothing names a start
    """
    params = context.get("params") or {}
    return choose_window(
        arguments=(start, end),
        params=(params.get("window_start"), params.get("window_end")),
        interval=(context.get("data_interval_start"), context.get("data_interval_end")),
        watermark=watermark,
    )
