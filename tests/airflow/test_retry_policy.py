"""Which errors are worth another try, as a real Airflow sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseSensorOperator

from airflow_provider_nexus.compat import HAS_RETRY_POLICIES
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousWriteError,
    NexusApiError,
    NexusAuthenticationError,
    NexusConfigurationError,
    NexusConflictError,
    NexusConnectionError,
    NexusDataError,
    NexusError,
    NexusInterruptedError,
    NexusNotFoundError,
    NexusPermissionError,
    NexusRateLimitError,
    NexusResponseError,
    NexusServerError,
    NexusTimeoutError,
    NexusUnknownResourceError,
    NexusUnprovedError,
    NexusValidationError,
    NexusWindowError,
    NexusWriteRefusedError,
    fails_at_once,
)
from airflow_provider_nexus.operators._base import NexusBaseOperator
from tests.airflow.running import run_dag, state_of

since_3_3 = pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow has retry policies from 3.3 on")

PERMANENT: list[NexusError] = [
    NexusConfigurationError("x"),
    NexusUnknownResourceError("x"),
    NexusWriteRefusedError("x"),
    NexusWindowError("x"),
    NexusDataError("orders", "O1", "amount", "x", "a number"),
    NexusAuthenticationError("GET", "/x", status=401),
    NexusPermissionError("GET", "/x", status=403),
    NexusNotFoundError("GET", "/x", status=404),
    NexusConflictError("GET", "/x", status=409),
    NexusValidationError("GET", "/x", status=400),
]
PASSING: list[Exception] = [
    NexusUnprovedError("x"),
    NexusConnectionError("GET", "/x"),
    NexusTimeoutError("GET", "/x"),
    NexusInterruptedError("GET", "/x"),
    NexusServerError("GET", "/x", status=500),
    NexusResponseError("GET", "/x", status=200),
    NexusRateLimitError("GET", "/x", status=429),
    ValueError("x"),
]
AMBIGUOUS = NexusAmbiguousWriteError("POST", "/x")


def named(error: object) -> str:
    return type(error).__name__


class Failing(NexusBaseOperator):
    """Fails with an error, every time."""

    def __init__(self, *, error: Exception, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error, self.tries = error, [0]

    def execute(self, context: Any) -> None:
        self.tries[0] += 1
        raise self.error


class LookingUp(Failing):
    looks_up_first = True


class Poking(NexusBaseOperator, BaseSensorOperator):
    """A sensor whose look fails with an error."""

    def __init__(self, *, error: Exception, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error, self.tries = error, [0]

    def poke(self, context: Any) -> bool:
        self.tries[0] += 1
        raise self.error


class Resuming(Poking):
    """A sensor that fails when it goes on after a wait."""

    def execute(self, context: Any) -> None:
        self.defer(trigger=TimeDeltaTrigger(timedelta(0)), method_name="go_on")

    def go_on(self, context: Any, event: Any = None) -> None:
        self.tries[0] += 1
        raise self.error


def outcome(kind: type[Failing] | type[Poking], error: Exception, **options: Any) -> tuple[str, int]:
    """The state that a task of two retries ends in, and how often it was tried."""
    with DAG("manners", schedule=None) as dag:
        task = kind(task_id="t", error=error, retries=2, retry_delay=timedelta(0), **options)
    return state_of(run_dag(dag), "t"), task.tries[0]


@pytest.mark.parametrize("error", PERMANENT, ids=named)
def test_permanent_errors(error: NexusError) -> None:
    assert fails_at_once(error)
    assert fails_at_once(error, looks_up_first=True)


@pytest.mark.parametrize("error", PASSING, ids=named)
def test_passing_errors(error: Exception) -> None:
    assert not fails_at_once(error)


def test_who_looks_up_first_may_try_an_ambiguous_call_again() -> None:
    assert fails_at_once(AMBIGUOUS)
    assert not fails_at_once(AMBIGUOUS, looks_up_first=True)


@since_3_3
@pytest.mark.parametrize("error", PERMANENT, ids=named)
def test_the_policy_fails_with_the_errors_text(error: NexusError) -> None:
    from airflow.sdk import RetryAction

    from airflow_provider_nexus.retry_policy import NexusRetryPolicy

    decision = NexusRetryPolicy().evaluate(error, 1, 3)
    assert (decision.action, decision.reason) == (RetryAction.FAIL, str(error))


@since_3_3
@pytest.mark.parametrize("error", PASSING, ids=named)
def test_the_policy_leaves_the_rest_to_the_task(error: Exception) -> None:
    from airflow.sdk import RetryDecision

    from airflow_provider_nexus.retry_policy import NexusRetryPolicy

    assert NexusRetryPolicy().evaluate(error, 1, 3) == RetryDecision.default()


@since_3_3
@pytest.mark.parametrize(("asked", "kept"), [(90, 90), (600, 600), (31_536_000, 600), (timedelta.max.total_seconds(), 600)])
@pytest.mark.parametrize("kind", [NexusRateLimitError, NexusServerError, NexusTimeoutError, NexusAmbiguousWriteError])
def test_the_policy_waits_as_long_as_it_was_told(kind: type[NexusApiError], asked: float, kept: float) -> None:
    from airflow.sdk import RetryAction

    from airflow_provider_nexus.retry_policy import NexusRetryPolicy

    error = kind("GET", "/x", status=503, retry_after=asked)
    decision = NexusRetryPolicy(looks_up_first=True).evaluate(error, 1, 3)
    assert (decision.action, decision.retry_delay, decision.reason) == (RetryAction.RETRY, timedelta(seconds=kept), str(error))


@since_3_3
def test_a_task_does_not_come_back_at_once_because_no_time_was_named() -> None:
    from airflow.sdk import RetryDecision

    from airflow_provider_nexus.retry_policy import NexusRetryPolicy

    error = NexusRateLimitError("GET", "/x", status=429, retry_after=0)
    assert NexusRetryPolicy().evaluate(error, 1, 3) == RetryDecision.default()


@pytest.mark.parametrize(
    ("kind", "error", "tries"),
    [
        (Failing, PERMANENT[-1], 1),
        (Failing, PASSING[0], 3),
        (Failing, AMBIGUOUS, 1),
        (LookingUp, AMBIGUOUS, 3),
        (Poking, PERMANENT[-1], 1),
        (Poking, PASSING[0], 3),
        (Resuming, PERMANENT[-1], 1),
        (Resuming, PASSING[0], 3),
    ],
)
def test_a_task_is_tried_as_often_as_it_helps(kind: type[Failing], error: Exception, tries: int) -> None:
    assert outcome(kind, error) == ("failed", tries)


@since_3_3
def test_the_wait_that_nexus_asks_for_is_kept_over_the_tasks_own() -> None:
    with DAG("told", schedule=None) as dag:
        task = Failing(
            task_id="t",
            error=NexusRateLimitError("GET", "/x", status=429, retry_after=0.001),
            retries=1,
            retry_delay=timedelta(hours=1),
        )
    assert state_of(run_dag(dag), "t") == "failed"
    assert task.tries[0] == 2


@since_3_3
@pytest.mark.parametrize("where", ["argument", "default_args"])
def test_a_policy_of_ones_own_wins(where: str) -> None:
    from airflow.sdk import ExceptionRetryPolicy

    own = ExceptionRetryPolicy(rules=[])
    options = {"retry_policy": own} if where == "argument" else {"default_args": {"retry_policy": own}}
    assert outcome(Failing, PERMANENT[0], **options) == ("failed", 3)


@pytest.mark.parametrize("kind", [Poking, Resuming])
@pytest.mark.parametrize("switch", ["soft_fail", "never_fail"])
def test_a_sensor_that_may_not_fail_skips(kind: type[Poking], switch: str) -> None:
    assert outcome(kind, PERMANENT[-1], **{switch: True}) == ("skipped", 1)


def test_a_soft_sensor_still_tries_again_what_passes() -> None:
    assert outcome(Poking, PASSING[0], soft_fail=True) == ("failed", 3)


def test_a_mapped_task_has_it_too() -> None:
    tries: list[int] = []

    class Counting(NexusBaseOperator):
        def __init__(self, *, number: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.number = number

        def execute(self, context: Any) -> None:
            tries.append(self.number)
            raise PERMANENT[0]

    with DAG("mapped_manners", schedule=None) as dag:
        Counting.partial(task_id="t", retries=2, retry_delay=timedelta(0)).expand(number=[1, 2])
    run_dag(dag)
    assert sorted(tries) == [1, 2]
