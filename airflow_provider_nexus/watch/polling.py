"""Polling: how many failures in a row are allowed, how an outage is logged, and the pause between two polls."""

from __future__ import annotations

import random
from dataclasses import dataclass

from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusApiError, NexusError

_SHARE_OF_AGE = 0.1
_JITTER = 0.1


@dataclass
class FailureLimit:
    """Counts failures in a row, of which ``most`` are too many; any answer ends the row."""

    most: int = 5
    failures: int = 0

    def failed(self, error: NexusError) -> float:
        """Count a failure.

        :return: seconds to send nothing, as the server asked for; 0 when it named none
        :raises NexusError: the error itself, when it can't pass or was one too many
        """
        self.failures += 1
        if error.is_permanent or self.failures >= self.most:
            raise error
        return error.pause if isinstance(error, NexusApiError) else 0.0

    def answered(self) -> None:
        """Forget the failures."""
        self.failures = 0


class OutageLog:
    """Logs once when polls begin to fail, and once when they work again, however many they are.

    :param what: is polled
    :param failures: polls in a row that have failed before
    """

    def __init__(self, what: str, log: Log, failures: int = 0) -> None:
        self._what, self._log, self._failures = what, log, failures

    def failed(self, error: NexusError) -> None:
        """A poll has failed."""
        self._failures += 1
        if self._failures == 1:
            self._log.warning("looking at %s fails: %s", self._what, error)

    def answered(self) -> None:
        """A poll has worked."""
        if self._failures:
            self._log.info("looking at %s works again, after %d that failed", self._what, self._failures)
        self._failures = 0


def interval(age: float, shortest: float, longest: float) -> float:
    """Seconds until the next poll: a tenth of the time waited so far within two bounds, and up to a tenth more by chance.

    It depends on the time waited alone, so that a wait that moves to another process keeps its pace.
    """
    return min(max(age * _SHARE_OF_AGE, shortest), max(longest, shortest)) * (1 + random.random() * _JITTER)
