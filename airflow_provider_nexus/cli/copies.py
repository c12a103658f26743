"""`airflow nexus verify`, `replay`, `report` and `files`: copies checked, brought up to date, shown as a page, and listed."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.output import following, print_json, print_table, print_text, short
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import printable
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.collection import tables_below
from airflow_provider_nexus.load.forms import in_form, refuse_inside, to_text
from airflow_provider_nexus.load.listing import Wanted, listing

if TYPE_CHECKING:
    from airflow_provider_nexus.verify.findings import Report


@running.command
def verify(arguments: Namespace) -> int:
    """Check a copy; 1 when there are problems."""
    report = _verify_table(arguments) if arguments.sql_conn_id else _verify_files(arguments)
    if arguments.output == "table":
        for title, lines in (("Problems", report.problems), ("Notes", report.notes)):
            if lines:
                print_table(title, ("where", "what"), [(short(line.where), line.what) for line in lines], whole=("where",))
        of_it = {"row": report.records} if arguments.sql_conn_id else {"record": report.records, "byte": report.bytes}
        seen = {"manifest": report.windows, **of_it, "call": report.calls}
        counts = (number_of(number, noun) for noun, number in seen.items() if number or noun != "call")
        print_text(f"{report.verdict}: {', '.join(counts)}")
    else:
        print_json(report.dump())
    return 0 if report.is_fine else running.PROBLEMS


def _verify_files(arguments: Namespace) -> Report:
    from airflow_provider_nexus.verify.files import verify as verify_files

    root = running.place(arguments.target)
    with following("checking", "folders") as follow:
        report = verify_files(root, follow)
    if tables_below(root):
        from airflow_provider_nexus.verify.lake import verify_tables

        with following("checking", "rows") as follow:
            report = report.plus(verify_tables(root, running.delta_table, follow))
    if not arguments.against_nexus:
        return report
    from airflow_provider_nexus.verify.against_nexus import files_against_nexus

    with running.nexus(arguments.nexus_conn_id) as hook, following("asking Nexus", "windows") as follow:
        return report.plus(files_against_nexus(root, hook.client, follow, running.delta_table))


def _verify_table(arguments: Namespace) -> Report:
    with running.database(arguments.sql_conn_id) as engine:
        from airflow_provider_nexus.verify.tables import open_table, verify_table

        stored = open_table(engine, arguments.target, "TARGET")
        with following("checking", "rows") as follow:
            report = verify_table(stored, follow)
        if not arguments.against_nexus:
            return report
        from airflow_provider_nexus.verify.against_nexus import table_against_nexus

        with running.nexus(arguments.nexus_conn_id) as hook, following("asking Nexus", "windows") as follow:
            return report.plus(table_against_nexus(stored, hook.client, follow))


@running.command
def replay(arguments: Namespace) -> int:
    """Try again; 1 when some records still do not fit."""
    if arguments.sql_conn_id:
        with running.database(arguments.sql_conn_id) as engine, following("replaying", "readings") as follow:
            from airflow_provider_nexus.replay.rejected import replay_table
            from airflow_provider_nexus.verify.tables import open_table

            done = replay_table(open_table(engine, arguments.target, "TARGET"), follow)
    else:
        from airflow_provider_nexus.replay.rejected import replay as replay_files

        with following("replaying", "folders") as follow:
            done = replay_files(running.place(arguments.target), follow)
    if arguments.output == "table":
        if done:
            rows = [(short(each.where), f"{each.fitted:,}", f"{each.left:,}", each.reasons) for each in done]
            print_table("Replayed", ("where", "fit now", "left", "why"), rows, right=("fit now", "left"), whole=("where",))
        fitted, left = sum(each.fitted for each in done), sum(each.left for each in done)
        print_text(f"Fit now: {number_of(fitted, 'record')}. Still do not: {left:,}")
    else:
        print_json([asdict(each) for each in done])
    return running.PROBLEMS if any(each.left for each in done) else 0


@running.command
def report(arguments: Namespace) -> int:
    """Write the page."""
    page = running.page_at(arguments.out)
    if arguments.sql_conn_id:
        with running.database(arguments.sql_conn_id) as engine:
            from airflow_provider_nexus.report.table import put_table_report
            from airflow_provider_nexus.verify.tables import open_table

            size = put_table_report(open_table(engine, arguments.target, "TARGET"), page)
    else:
        from airflow_provider_nexus.report import put_report

        size = put_report(running.place(arguments.target), page, opened=running.delta_table)
    print(printable(f"{arguments.out}: {number_of(size, 'byte')}"))
    return 0


@running.command
def files(arguments: Namespace) -> int:
    """List them on standard output or into a file; what else is to be known goes to standard error."""
    span = RequestedWindow(arguments.window_start, arguments.window_end, "arguments")
    wanted = Wanted(arguments.resource, span, arguments.changed_since, strict=not arguments.allow_unproved)
    base = running.place(arguments.relative_to, "--relative-to") if arguments.relative_to else None
    target = running.place(arguments.out, "-o") if arguments.out else None
    with following("checking", "windows") as follow:
        found = listing(running.place(arguments.target), wanted, follow)
    text = to_text(in_form(found, arguments.form, base), arguments.form)
    for line in (*found.notes, found.text):
        print(printable(line), file=sys.stderr)
    if target is None:
        print(text, end="")
    else:
        refuse_inside(found, target)
        store.put(target, io.BytesIO(text.encode()))
    return 0
