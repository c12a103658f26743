"""`python -m airflow_provider_nexus`: the commands of `airflow nexus` on every version of Airflow."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import NoReturn

from airflow_provider_nexus.api.codes import did_you_mean
from airflow_provider_nexus.cli.definition import COMMANDS
from airflow_provider_nexus.exceptions import NexusError, printable

_PROGRAM = "python -m airflow_provider_nexus"


def main(arguments: list[str] | None = None) -> int:
    """Carry out a command.

    :return: the exit status
    """
    parser = _parser()
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        command = next(each for each in COMMANDS if each.function == parsed.function)
        options = [each.flag for each in command.arguments if each.flag.startswith("-")]
        hint = did_you_mean(unknown[0].partition("=")[0], options, f"its options are {', '.join(options)}")
        parser.prog = f"{_PROGRAM} {command.name}"
        parser.error(f"unrecognized arguments: {' '.join(unknown)}: {hint}")
    module, _, function = parsed.function.rpartition(".")
    try:
        return int(getattr(import_module(module), function)(parsed) or 0)
    except (NexusError, OSError) as error:
        print(printable(f"{parser.prog}: {error}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


class _Parser(argparse.ArgumentParser):
    """Refuses arguments in one line, as commands end: the usage would stand before what was wrong."""

    def error(self, message: str) -> NoReturn:
        """Print what was wrong, and exit with 2."""
        command = self.prog.removeprefix(_PROGRAM).strip() or "nexus"
        self.exit(2, printable(f"{command}: {message}") + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=_PROGRAM, description="Work with Quantoz Nexus")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        added = commands.add_parser(command.name, help=command.help, description=command.help)
        added.set_defaults(function=command.function)
        for argument in command.arguments:
            added.add_argument(argument.flag, help=argument.help, **argument.options)
    return parser


if __name__ == "__main__":
    sys.exit(main())
