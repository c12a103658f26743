"""Interface of a logger, which Python's own and Airflow's both have."""

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
