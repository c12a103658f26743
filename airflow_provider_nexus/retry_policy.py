"""Retry policy of tasks. Airflow has such policies from 3.3 on; below, this module can't be imported."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryDecision, RetryPolicy

from airflow_provider_nexus.exceptions import NexusApiError, fails_at_once

if TYPE_CHECKING:
    from airflow.sdk import Context


class NexusRetryPolicy(RetryPolicy):
    """Spends a task's retries only where another try can help. The operators of this provider have it by default.

    Errors that another try can't change, such as a refused token or body, fail the task at once. Where Nexus asks
    to be left alone for some time, with a 429, a 503 or another answer, the next try comes after that, ten minutes at most. All
    else follows the task's own ``retries`` and ``retry_delay``.

    .. seealso:: :doc:`errors`

    :param looks_up_first: whether the task looks up what became of its call before it sends it again. Without that, a
        change that may or may not have happened fails the task at once, so that nothing is done twice
    """

    def __init__(self, *, looks_up_first: bool = False) -> None:
        self.looks_up_first = looks_up_first

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """What to do after a failure, with the error's own text as the reason."""
        if fails_at_once(exception, looks_up_first=self.looks_up_first):
            return RetryDecision.fail(str(exception))
        if isinstance(exception, NexusApiError) and exception.pause:
            return RetryDecision.retry(timedelta(seconds=exception.pause), str(exception))
        return RetryDecision.default()
