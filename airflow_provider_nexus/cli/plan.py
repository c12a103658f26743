"""`airflow nexus plan`: shows how a backfill would be cut into windows."""

from __future__ import annotations

from argparse import Namespace

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.output import following, print_json, print_table, print_text
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.extract.plan import plan
from airflow_provider_nexus.extract.request import SETTLE_LAG
from airflow_provider_nexus.extract.window import choose_window


@running.command
def run(arguments: Namespace) -> int:
    """Show the windows."""
    resource, wanted = get_resource(arguments.resource), choose_window(arguments=(arguments.window_start, arguments.window_end))
    with running.nexus(arguments.nexus_conn_id) as hook, following("planning", "counts") as follow:
        windows = plan(hook.client, resource, wanted, arguments.max_windows, settle_lag=SETTLE_LAG, follow=follow)
        calls = hook.client.session.calls
    found = [(to_wire(window.start), to_wire(window.end), window.records) for window in windows]
    if arguments.output != "table":
        windowed = [{"window_start": start, "window_end": end, "records": records} for start, end, records in found]
        print_json(windowed)
        return 0
    rows = [(start, end, "?" if records is None else f"{records:,}") for start, end, records in found]
    print_table(f"Windows of {resource.name}", ("start", "end", "records"), rows, right=("records",))
    print_text(f"{number_of(len(windows), 'window')}, planned in {number_of(calls, 'call')}")
    return 0
