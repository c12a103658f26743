"""Commands of `airflow nexus` and `python -m airflow_provider_nexus`. Every Airflow command imports it, so it stays light."""

from __future__ import annotations

from argparse import ArgumentTypeError
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.exceptions import NexusWindowError

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand


@dataclass(frozen=True)
class Argument:
    """One argument, as argparse names its parts."""

    flag: str
    help: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """One command; its function is the dotted path of what carries it out, and takes the parsed arguments."""

    name: str
    help: str
    function: str
    arguments: tuple[Argument, ...] = ()


def _whole(flag: str, default: int | None, text: str, *, least: int = 0, most: int | None = None) -> Argument:
    def read(given: str) -> int:
        with suppress(ValueError):
            if least <= (number := int(given)) <= (number if most is None else most):
                return number
        raise ArgumentTypeError(
            f"{given!r}: give a whole number{f', {least} or more' if most is None else f' from {least} to {most}'}"
        )

    return Argument(flag, text, {"type": read, "default": default})


_TREATMENTS = ("keep", "hash", "mask", "drop")
_LAST_PORT, _MOST_WARNING_DAYS, _MOST_PARALLEL = 65_535, 3_650, 16
_SETTLED = "default: five minutes ago, as younger records may not be seen yet"
_SWITCH = {"action": "store_true"}
_FILE = {"dest": "out", "metavar": "FILE"}
_HOME = Argument("--home", "folder for the throw-away Airflow and the data (default: .demo)", {"default": ".demo"})
_OUTPUT = Argument(
    "--output", "table for a person, json for a program (default: table)", {"choices": ("table", "json"), "default": "table"}
)
_CONN_ID = Argument("--nexus-conn-id", "connection of Nexus (default: nexus_default)", {"default": "nexus_default"})
_SQL_CONN_ID = Argument("--sql-conn-id", "connection of a database: TARGET is then the name of a table")
_FORMS = ("list", "json", "redshift", "snowflake", "databricks", "bigquery")
_TARGET = Argument("target", "path or URL that a sync writes under, or any folder below it", {"metavar": "TARGET"})
_RESOURCE = Argument("resource", "name in the catalogue, such as transactions", {"metavar": "RESOURCE"})


def _moment(flag: str, text: str, *, required: bool = False) -> Argument:
    return Argument(flag, text, {"required": required, "metavar": "MOMENT", "type": _read_moment})


def _read_moment(text: str) -> datetime:
    try:
        return moment(text, "MOMENT")
    except NexusWindowError as error:
        raise ArgumentTypeError(str(error)) from None


def _read_protection(text: str) -> tuple[str, str]:
    name, _, treatment = text.rpartition("=")
    if not name or treatment not in _TREATMENTS:
        raise ArgumentTypeError(f"{text!r}: give the name of a field, = and one of {', '.join(_TREATMENTS)}")
    if "=" in name or "," in name:
        raise ArgumentTypeError(f"{text!r} names several fields: give --protect once for each of them")
    return name, treatment


COMMANDS = (
    Command(
        "sandbox",
        "Run a Nexus of your own on this machine until it is stopped",
        "airflow_provider_nexus.cli.sandbox.run",
        (
            _whole("--port", 8585, "port on 127.0.0.1 (default: 8585)", most=_LAST_PORT),
            _whole("--seed", 7, "the same seed gives the same data (default: 7)"),
            _whole("--customers", 3_000, "number of customers (default: 3,000)"),
            _whole("--transactions", 30_000, "number of transactions (default: 30,000)"),
            _whole("--days", 30, "days that the data spans, up to now (default: 30)"),
            Argument(
                "--set",
                "any other setting of the sandbox, such as sort=ignored or max_limit=37; may be repeated",
                {"action": "append", "default": [], "metavar": "NAME=VALUE"},
            ),
        ),
    ),
    Command(
        "demo",
        "Sync a month of a sandbox through real Airflow and show the proof",
        "airflow_provider_nexus.cli.demo.run",
        (_HOME,),
    ),
    Command(
        "ui",
        "Start Airflow's user interface with a sandbox, its connections and the example DAGs in place",
        "airflow_provider_nexus.cli.ui.run",
        (
            _HOME,
            # the three ports from 713 above it on are taken, too
            _whole("--port", 8080, "port of the user interface on 127.0.0.1 (default: 8080)", least=1, most=_LAST_PORT - 715),
        ),
    ),
    Command(
        "verify",
        "Check that a copy is still what a sync has stored, file by file and record by record",
        "airflow_provider_nexus.cli.copies.verify",
        (
            _TARGET,
            _SQL_CONN_ID,
            Argument("--against-nexus", "compare counts and totals with those of Nexus now as well", _SWITCH),
            _CONN_ID,
            _OUTPUT,
        ),
    ),
    Command(
        "reconcile",
        "Compare balances and reserves that Nexus states at a moment with what the records of a copy add up to",
        "airflow_provider_nexus.cli.reconcile.run",
        (
            Argument(
                "copies",
                "a resource and its copy, such as transactions=data; with --sql-conn-id transactions=nexus_transactions",
                {"metavar": "RESOURCE=TARGET", "nargs": "+"},
            ),
            _SQL_CONN_ID,
            _moment("--moment", "what is compared (default: the latest moment up to which all copies are proved)"),
            _moment("--start", "from when on records are added up (default: where all that is proved without a gap begins)"),
            Argument(
                "--tolerance",
                "how much may differ, such as 0.01 for all or EUR=0.01 for a code; may be repeated (default: nothing)",
                {"action": "append", "default": [], "metavar": "AMOUNT"},
            ),
            Argument(
                "--totals-only",
                "compare single customers only where a total differs; by default each is, by a call of its own",
                _SWITCH,
            ),
            Argument("-o", "path or URL of an HTML file to write as well", _FILE),
            _CONN_ID,
            _OUTPUT,
        ),
    ),
    Command(
        "replay",
        "Try rejected records again, with the catalogue as it is now",
        "airflow_provider_nexus.cli.copies.replay",
        (_TARGET, _SQL_CONN_ID, _OUTPUT),
    ),
    Command(
        "files",
        "List the data files of proved windows, in the form that the loader of a warehouse takes",
        "airflow_provider_nexus.cli.copies.files",
        (
            _TARGET,
            Argument("--form", f"{', '.join(_FORMS)} (default: list)", {"choices": _FORMS, "default": "list"}),
            Argument("--resource", "name in the catalogue, where TARGET has several", {"default": "", "metavar": "RESOURCE"}),
            _moment("--window-start", "windows that begin then or later (default: all)"),
            _moment("--window-end", "windows that end then or earlier (default: all)"),
            _moment("--changed-since", "windows that were written then or later, by the clock of the store (default: all)"),
            Argument(
                "--relative-to", "what the stage leads to, for snowflake and databricks (default: TARGET)", {"metavar": "PLACE"}
            ),
            Argument("--allow-unproved", "take windows that were never proved, too", _SWITCH),
            Argument("-o", "path or URL of a file to write (default: standard output)", _FILE),
        ),
    ),
    Command(
        "plan",
        "Show the windows that a backfill would be cut into",
        "airflow_provider_nexus.cli.sync.plan",
        (
            _RESOURCE,
            _moment("--window-start", "start of the span, included", required=True),
            _moment("--window-end", f"end of the span, excluded ({_SETTLED})"),
            _whole("--max-windows", 8, "windows at most (default: 8)", least=1),
            _CONN_ID,
            _OUTPUT,
        ),
    ),
    Command(
        "sync",
        "Sync one window, or one snapshot, into files without a DAG",
        "airflow_provider_nexus.cli.sync.run",
        (
            _RESOURCE,
            Argument("path", "path or URL to write under", {"metavar": "PATH"}),
            _moment("--window-start", "start of the window, included (default: where the last sync ended)"),
            _moment("--window-end", f"end of the window, excluded ({_SETTLED})"),
            Argument(
                "--file-format",
                "jsonl, parquet or delta (default: jsonl)",
                {"choices": ("jsonl", "parquet", "delta"), "default": "jsonl"},
            ),
            Argument(
                "--personal",
                "what is done with personal data: keep, hash, mask or drop (default: keep)",
                {"choices": _TREATMENTS, "default": "keep"},
            ),
            Argument(
                "--protect",
                "what is done with one field, such as email=drop, which wins over --personal; may be repeated",
                {"action": "append", "default": [], "metavar": "NAME=TREATMENT", "type": _read_protection},
            ),
            _whole(
                "--parallel",
                None,
                "parts of a large window that are read at once (default: four from 5,000 records on)",
                least=1,
                most=_MOST_PARALLEL,
            ),
            _whole("--readings", 1, "readings in a row that have to bring the same records and contents (default: 1)", least=1),
            _whole("--max-rejected", 0, "records that may be put aside because they don't fit (default: 0)"),
            _CONN_ID,
            _OUTPUT,
        ),
    ),
    Command(
        "check",
        "Look at a connection: token, roles, clock, and what the server honours; nothing is changed",
        "airflow_provider_nexus.cli.check.run",
        (
            _CONN_ID,
            _whole(
                "--key-warning-days",
                None,
                "days before a token's end from which on it is a warning (default: the connection's)",
                most=_MOST_WARNING_DAYS,
            ),
            Argument("--strict", "let warnings count as failures", _SWITCH),
            _OUTPUT,
        ),
    ),
    Command(
        "resources",
        "List what can be read",
        "airflow_provider_nexus.cli.resources.run",
        (Argument("--filter", "only those whose name, path or meaning contains this", {"default": ""}), _OUTPUT),
    ),
    Command(
        "describe",
        "Show the fields of a resource: kinds, columns, digits, personal data, statuses",
        "airflow_provider_nexus.cli.resources.describe",
        (_RESOURCE, _OUTPUT),
    ),
    Command(
        "report",
        "Show what the manifests of a copy prove, as one page to be opened in a browser",
        "airflow_provider_nexus.cli.copies.report",
        (
            _TARGET,
            _SQL_CONN_ID,
            Argument("-o", "path or URL of the file to write (default: report.html)", _FILE | {"default": "report.html"}),
        ),
    ),
)


def get_nexus_cli_commands() -> list[CLICommand]:
    """The group `nexus` with its commands."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

    subcommands = [
        ActionCommand(
            name=command.name,
            help=command.help,
            func=lazy_load_command(command.function),
            args=[Arg((each.flag,), help=each.help, **each.options) for each in command.arguments],  # type: ignore[no-untyped-call]
        )
        for command in COMMANDS
    ]
    return [GroupCommand(name="nexus", help="Work with Quantoz Nexus", subcommands=subcommands)]
