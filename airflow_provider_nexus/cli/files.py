"""`airflow nexus files`: the data files of proved windows, in the forms that loaders of warehouses take."""

from __future__ import annotations

import io
import sys
from argparse import Namespace

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.output import following
from airflow_provider_nexus.exceptions import printable
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.forms import in_form, refuse_inside, to_text
from airflow_provider_nexus.load.listing import Wanted, listing


@running.command
def run(arguments: Namespace) -> int:
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
