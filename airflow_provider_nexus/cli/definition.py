"""What Airflow reads to offer `airflow nexus ...` (3.2 on). Imported for every Airflow command, so it stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_nexus.cli.commands import COMMANDS, Argument

if TYPE_CHECKING:
    from airflow.cli.cli_config import Arg, CLICommand


def get_nexus_cli_commands() -> list[CLICommand]:
    """The group `nexus` with its commands."""
    from airflow.cli.cli_config import ActionCommand, GroupCommand, lazy_load_command

    subcommands = [
        ActionCommand(
            name=command.name,
            help=command.help,
            func=lazy_load_command(command.function),
            args=[_arg(argument) for argument in command.arguments],
        )
        for command in COMMANDS
    ]
    return [GroupCommand(name="nexus", help="Work with Quantoz Nexus", subcommands=subcommands)]


def _arg(argument: Argument) -> Arg:
    from airflow.cli.cli_config import Arg

    return Arg((argument.flag,), help=argument.help, **argument.options)  # type: ignore[no-untyped-call]
