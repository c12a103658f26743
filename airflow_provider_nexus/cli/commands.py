"""The commands of the command line, declared once for `airflow nexus` and for `python -m airflow_provider_nexus`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Argument:
    """One argument, in argparse's words."""

    flag: str
    help: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """One command.

    :param function: dotted path of what carries it out; it takes the parsed arguments
    """

    name: str
    help: str
    function: str
    arguments: tuple[Argument, ...] = ()


def _whole(flag: str, default: int | None, text: str) -> Argument:
    return Argument(flag, text, {"type": int, "default": default})


COMMANDS = (
    Command(
        "sandbox",
        "Run a Nexus of your own on this machine until it is stopped",
        "airflow_provider_nexus.cli.sandbox.run",
        (
            _whole("--port", 8585, "port on 127.0.0.1 (default: 8585)"),
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
        (Argument("--home", "folder for the throw-away Airflow and the data (default: .demo)", {"default": ".demo"}),),
    ),
    Command(
        "ui",
        "Start Airflow's user interface with a sandbox, its connection and the example DAGs in place",
        "airflow_provider_nexus.cli.ui.run",
        (
            Argument("--home", "folder for the throw-away Airflow and the data (default: .demo)", {"default": ".demo"}),
            _whole("--port", 8080, "port of the user interface on 127.0.0.1 (default: 8080)"),
        ),
    ),
)
