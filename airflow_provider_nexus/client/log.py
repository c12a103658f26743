"""Interface of a logger, which Python's own and Airflow's both have, and a number as its lines have it."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """Takes lines with lazy ``%s`` arguments."""

    def debug(self, msg: str, /, *args: object) -> object:
        """For whoever looks into a problem."""

    def info(self, msg: str, /, *args: object) -> object:
        """For whoever reads the task's log."""

    def warning(self, msg: str, /, *args: object) -> object:
        """For whoever should look."""


def number_of(number: int, noun: str) -> str:
    """A number with its noun: ``1 record``, ``2,000 records``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
