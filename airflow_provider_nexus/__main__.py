"""`python -m airflow_provider_nexus`: the commands of `airflow nexus` on every version of Airflow."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from airflow_provider_nexus.api.codes import did_you_mean
from airflow_provider_nexus.cli.definition import COMMANDS
from airflow_provider_nexus.exceptions import NexusError, printable


def main(arguments: list[str] | None = None) -> int:
    """Carry out a command.

    :return: the exit status
    """
    parser = _parser()
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        flags = [each.flag for command in COMMANDS if command.function == parsed.function for each in command.arguments]
        options = [flag for flag in flags if flag.startswith("--")]
        hint = did_you_mean(unknown[0].partition("=")[0], options, f"its options are {', '.join(options)}")
        parser.error(f"unrecognized arguments: {' '.join(unknown)}: {hint}")
    module, _, function = parsed.function.rpartition(".")
    try:
        return int(getattr(import_module(module), function)(parsed) or 0)
    except (NexusError, OSError) as error:
        print(printable(f"{parser.prog}: {error}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_nexus", description="Work with Quantoz Nexus")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        added = commands.add_parser(command.name, help=command.help, description=command.help)
        added.set_defaults(function=command.function)
        for argument in command.arguments:
            added.add_argument(argument.flag, help=argument.help, **argument.options)
    return parser


if __name__ == "__main__":
    sys.exit(main())
