"""`airflow nexus reconcile`: compares what Nexus states at a moment with what the records of copies add up to."""

from __future__ import annotations

from argparse import Namespace
from contextlib import ExitStack

from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.output import following, print_json, print_table, print_text
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import NexusConfigurationError, printable
from airflow_provider_nexus.reconcile.copied import CopiedRecords, copied_files, copied_table
from airflow_provider_nexus.reconcile.judge import Outcome, digits
from airflow_provider_nexus.reconcile.reconciliation import Reconciliation
from airflow_provider_nexus.reconcile.request import Tolerance, check_copies
from airflow_provider_nexus.report.page import put_page
from airflow_provider_nexus.report.reconciliation import write_reconciliation

_SHOWN = 10


@running.command
def run(arguments: Namespace) -> int:
    """Reconcile; 1 when something differs or moved each time it was read."""
    tolerance, page = _tolerance(arguments.tolerance), running.page_at(arguments.out) if arguments.out else None
    with ExitStack() as stack:
        copies = _copies(arguments, stack)
        hook = stack.enter_context(running.nexus(arguments.nexus_conn_id))
        follow = stack.enter_context(following("comparing", "customers"))
        found = Reconciliation(
            client=hook.client,
            copies=copies,
            start=arguments.start,
            moment=arguments.moment,
            tolerance=tolerance,
            customers=not arguments.totals_only,
            log=running.log_to_stderr(),
            follow=follow,
        ).run()
    if page is not None:
        put_page(lambda: write_reconciliation(found), page)
    if arguments.output == "json":
        print_json(found.dump())
        return 0 if found.is_fine else running.PROBLEMS
    if lines := [line for line in found.lines if line.outcome is not Outcome.AGREES]:
        rows = [(f"{line.book}, {line.place}", line.code, digits(line.difference, "+"), str(line.outcome)) for line in lines]
        names = ("where", "code", "difference", "outcome")
        print_table("Differences", names, rows, right=("difference",))
    for line in found.differences:
        for each in line.explanations[:_SHOWN]:
            print_text(printable(f"{line.place} {line.code}: {each.record}, {each.why}"), "  ")
    for note in found.notes:
        print_text(printable(note))
    print_text(f"{found.text[0].upper()}{found.text[1:].partition(': ')[0]}, {number_of(found.calls, 'call')}")
    return 0 if found.is_fine else running.PROBLEMS


def _copies(arguments: Namespace, stack: ExitStack) -> dict[str, CopiedRecords]:
    pairs = [each.partition("=") for each in arguments.copies]
    if wrong := ["".join(each) for each in pairs if not all(each)]:
        raise NexusConfigurationError(f"{wrong[0]!r} is no copy: give RESOURCE=TARGET, such as transactions=data")
    targets = {name: target for name, _, target in pairs}
    if len(targets) < len(pairs):
        raise NexusConfigurationError("a resource is given twice: give one copy of each")
    check_copies(targets)
    if arguments.sql_conn_id:
        engine = stack.enter_context(running.database(arguments.sql_conn_id))
        return {name: copied_table(engine, table, name) for name, table in targets.items()}
    return {name: copied_files(running.place(path), name, running.delta_table) for name, path in targets.items()}


def _tolerance(given: list[str]) -> Tolerance:
    """An amount for all, or amounts by code."""
    pairs = [each.partition("=") for each in given]
    if not given:
        return Tolerance()
    if len(given) == 1 and not pairs[0][1]:
        return Tolerance(given[0], "--tolerance")
    each = {code.upper(): amount for code, _, amount in pairs}
    if not all(mark for _, mark, _ in pairs) or len(each) < len(pairs):
        raise NexusConfigurationError("--tolerance is one amount for all, or CODE=AMOUNT once for each code: give one of the two")
    return Tolerance(each, "--tolerance")
