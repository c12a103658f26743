from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.reply import ServerClock, retry_after, server_time
from airflow_provider_nexus.client.retry import RetryPolicy, is_unknown, may_repeat, run, settle
from airflow_provider_nexus.exceptions import (
    LONGEST_PAUSE,
    NexusAmbiguousWriteError,
    NexusApiError,
    NexusAuthenticationError,
    NexusConflictError,
    NexusConnectionError,
    NexusInterruptedError,
    NexusNotFoundError,
    NexusPermissionError,
    NexusRateLimitError,
    NexusResponseError,
    NexusServerError,
    NexusTimeoutError,
    NexusValidationError,
)

LOG = logging.getLogger("tests.client.retry")
IBAN = "NL91ABNA0417164300"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GET = Call("GET", f"/customer/{IBAN}", {"email": "a@b.nl"})


def failing(error: NexusApiError, times: int = 99) -> Callable[[], str]:
    left = [error] * times

    def attempt() -> str:
        if left:
            raise left.pop()
        return "done"

    return attempt


def waits(policy: RetryPolicy, error: NexusApiError | None = None) -> list[float]:
    """What a call that always fails waits for, without the waiting."""
    found: list[float] = []
    error = error or NexusServerError("GET", "/customer", status=503)
    with pytest.raises(NexusApiError):
        run(policy, GET, failing(error), LOG, found.append)
    return found


class TestBackoff:
    def test_is_a_doubling_wait_and_up_to_as_much_again(self) -> None:
        random.seed(4)
        rounds = [waits(RetryPolicy(retries=6, base=0.5, cap=4.0, deadline=1e9)) for _ in range(300)]
        for place, bound in enumerate((0.5, 1.0, 2.0, 4.0, 4.0, 4.0)):
            drawn = [each[place] for each in rounds]
            assert min(drawn) >= bound
            assert max(drawn) <= 2 * bound
            assert min(drawn) < 1.1 * bound
            assert max(drawn) > 1.9 * bound

    @pytest.mark.parametrize("asked", [None, 0, 0.0, 0.001])
    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            (NexusRateLimitError, 429),
            (NexusServerError, 503),
            (NexusServerError, 500),
            (NexusConnectionError, None),
            (NexusInterruptedError, None),
            (NexusTimeoutError, None),
        ],
    )
    def test_none_is_zero(self, kind: type[NexusApiError], status: int | None, asked: float | None) -> None:
        error = kind("GET", "/customer", status=status, retry_after=asked)
        for _ in range(50):
            for place, wait in enumerate(waits(RetryPolicy(retries=6, base=0.5, cap=4.0, deadline=1e9), error)):
                assert wait >= min(4.0, 0.5 * 2**place)

    @pytest.mark.parametrize("retries", [0, 1, 5])
    def test_number_of_attempts(self, retries: int) -> None:
        assert len(waits(RetryPolicy(retries=retries, deadline=1e9))) == retries

    @pytest.mark.parametrize("asked", [7.0, 90.0])
    def test_a_longer_wait_that_the_server_asks_for_wins(self, asked: float) -> None:
        error = NexusRateLimitError("GET", "/customer", status=429, retry_after=asked)
        assert waits(RetryPolicy(retries=3, base=0.5, cap=5.0, deadline=1e9), error) == [asked] * 3

    def test_a_shorter_one_does_not(self) -> None:
        random.seed(4)
        error = NexusRateLimitError("GET", "/customer", status=429, retry_after=0.01)
        found = waits(RetryPolicy(retries=6, base=2.0, cap=60.0, deadline=1e9), error)
        assert min(found) >= 0.01
        assert max(found) > 1.0

    @pytest.mark.parametrize("asked", [601, 86_400.0, 31_536_000, timedelta.max.total_seconds()])
    def test_the_longest_that_is_kept(self, asked: float, caplog: pytest.LogCaptureFixture) -> None:
        error = NexusRateLimitError("GET", "/customer", status=429, retry_after=asked)
        assert waits(RetryPolicy(retries=2, deadline=1e9), error) == [LONGEST_PAUSE] * 2
        assert f"it asks for {asked:.0f} s without a call, of which 600 s are waited" in str(error)
        assert caplog.messages[0].endswith(f"next in 600.0 s; it asks for {asked:.0f} s")

    def test_no_wait_beyond_the_deadline(self) -> None:
        error = NexusRateLimitError("GET", "/customer", status=429, retry_after=86400.0)
        assert waits(RetryPolicy(retries=5, deadline=600), error) == []

    @pytest.mark.parametrize(("work", "wait", "attempts"), [(40, 0, 5), (0, 40, 5), (20, 20, 5), (60, 60, 2), (200, 0, 1)])
    def test_deadline_counts_from_the_first_attempt(
        self, work: float, wait: float, attempts: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two hundred seconds by a clock that only attempts and waits move."""
        error, clock, made = NexusRateLimitError("GET", "/customer", status=429, retry_after=wait), [1000.0], 0

        def attempt() -> None:
            nonlocal made
            made += 1
            clock[0] += work
            raise error

        def sleep(seconds: float) -> None:
            clock[0] += seconds

        with monkeypatch.context() as patched:
            patched.setattr(time, "monotonic", lambda: clock[0])
            with pytest.raises(NexusRateLimitError):
                run(RetryPolicy(retries=99, base=0, cap=0, deadline=200), GET, attempt, LOG, sleep)
        assert made == attempts


NONSENSE = (
    *("  ", "-5", "+5", "1.5", "1e999", "1_000", "0x10", "²", "inf", "nan", "5 s", "5,5", "null", "\x00", "é", "-"),
    *("Fri, 31 Dec 9999 23:59:59 -1200", "Fri, 31 Dec 9999 23:59:59 GMT"),
    *("Fri, 02 Jan 2026 03:04:05 +9999", "Fri, 32 Jan 2026 03:04:05 GMT", "Fri, 02 Jan 99999 03:04:05 GMT", "Fri, 02 Jan"),
    *("Fri, 02 Jan 2026 25:61:61 GMT", "Fri, 02 Jan 20260000000000000000000000 03:04:05 GMT", "Fri,,, ::: GMT", "," * 9000),
)
"""What is neither seconds nor a date that anything can be reckoned from."""


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("3", 3.0),
            (" 120 ", 120.0),
            ("0", 0.0),
            ("", None),
            (None, None),
            ("soon", None),
            ("31536000", 31_536_000.0),
            ("9" * 400, timedelta.max.total_seconds()),
            ("9" * 5000, timedelta.max.total_seconds()),
            *((nonsense, None) for nonsense in NONSENSE),
        ],
    )
    def test_seconds(self, header: str | None, seconds: float | None) -> None:
        assert retry_after(header, NOW) == seconds

    @pytest.mark.parametrize("ahead", [0, 3, 90])
    @pytest.mark.parametrize("clock_is_off_by", [timedelta(0), timedelta(days=400), timedelta(days=-400)])
    def test_date_by_the_clock_of_the_server(self, ahead: int, clock_is_off_by: timedelta) -> None:
        date = NOW + clock_is_off_by
        assert retry_after(format_datetime(date + timedelta(seconds=ahead), usegmt=True), date) == ahead

    def test_date_in_the_past(self) -> None:
        assert retry_after(format_datetime(NOW - timedelta(hours=1)), NOW) == 0.0

    @pytest.mark.parametrize(
        ("zone", "ahead"), [("GMT", 60), ("UT", 60), ("-0000", 60), ("", 60), ("+0100", -3540), ("-0100", 3660), ("XYZ", 60)]
    )
    def test_zone_of_a_date(self, zone: str, ahead: int) -> None:
        header = f"Fri, 02 Jan 2026 03:05:05 {zone}".strip()
        assert retry_after(header, NOW) == max(0, ahead)
        assert server_time({"Date": header}) == NOW + timedelta(seconds=ahead)

    @pytest.mark.parametrize("header", [*NONSENSE, "31536000", ""])
    def test_nonsense_as_the_time_of_the_server(self, header: str) -> None:
        clock = ServerClock()
        clock.set_by({"Date": header})
        assert (server_time({"Date": header}), clock.now) == (None, None)

    def test_date_without_one_of_the_server(self) -> None:
        wait = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=60)), None)
        assert wait is not None
        assert 50 < wait <= 60


READ, SIMULATION = Call("GET", "/orders/O1"), Call("POST", "/buy/custodian/simulate")
STATE, DELETION = Call("PUT", "/mail/M1/sent"), Call("DELETE", "/accounts/A1")
ORDER, PAYOUT = Call("POST", "/orders"), Call("PUT", "/transactions/custodian/T1/payout")
ACTIVATION, CANCEL = Call("GET", "/accounts/activate/A1"), Call("POST", "/transactions/custodian/T1/cancel")
CALLS = {
    "read": (READ, SIMULATION),
    "state": (STATE, DELETION),
    "once": (ORDER, PAYOUT, ACTIVATION, CANCEL),
}
"""What may always be sent again; what changes something but may be sent again; and what may be sent once only."""


def error(kind: type[NexusApiError], status: int | None = None) -> NexusApiError:
    return kind("X", "/x", status=status)


TABLE = [
    # error, sent again: read, state, once; fate unknown: read, state, once
    (error(NexusConnectionError), "yes yes yes", "no no no"),
    (error(NexusTimeoutError), "yes yes no", "no yes yes"),
    (error(NexusTimeoutError, 408), "yes yes no", "no yes yes"),
    (error(NexusInterruptedError), "yes yes no", "no yes yes"),
    (error(NexusRateLimitError, 429), "yes yes no", "no no no"),
    (error(NexusServerError, 500), "yes yes no", "no yes yes"),
    (error(NexusServerError, 502), "yes yes no", "no yes yes"),
    (error(NexusServerError, 503), "yes yes no", "no yes yes"),
    (error(NexusServerError, 504), "yes yes no", "no yes yes"),
    (error(NexusServerError, 501), "no no no", "no yes yes"),
    (error(NexusServerError, 505), "no no no", "no yes yes"),
    (error(NexusResponseError, 200), "yes yes no", "no yes yes"),
    (error(NexusResponseError, 302), "no no no", "no yes yes"),
    (error(NexusAuthenticationError, 401), "no no no", "no no no"),
    (error(NexusPermissionError, 403), "no no no", "no no no"),
    (error(NexusNotFoundError, 404), "no no no", "no no no"),
    (error(NexusConflictError, 409), "no no no", "no no yes"),
    (error(NexusValidationError, 200), "no no no", "no no yes"),
    (error(NexusValidationError, 499), "no no no", "no no yes"),
    (error(NexusValidationError, 400), "no no no", "no no no"),
    (error(NexusValidationError, 422), "no no no", "no no no"),
]
ROWS = [
    pytest.param(
        each, call, again == "yes", unknown == "yes", id=f"{type(each).__name__} {each.status} {call.method} {call.path}"
    )
    for each, agains, unknowns in TABLE
    for calls, again, unknown in zip(CALLS.values(), agains.split(), unknowns.split(), strict=True)
    for call in calls
]


@pytest.mark.parametrize(("each", "call", "again", "unknown"), ROWS)
def test_classification(each: NexusApiError, call: Call, again: bool, unknown: bool) -> None:
    assert (may_repeat(each, call), is_unknown(each, call)) == (again, unknown)
    slept: list[float] = []
    with pytest.raises(NexusApiError) as caught:
        run(RetryPolicy(retries=2, deadline=1e9), call, failing(each), LOG, slept.append)
    assert len(slept) == (2 if again else 0)
    assert type(caught.value) is (NexusAmbiguousWriteError if unknown else type(each))
    assert caught.value.status == each.status


@pytest.mark.parametrize(("each", "call", "again", "unknown"), ROWS)
def test_a_passing_error(each: NexusApiError, call: Call, again: bool, unknown: bool) -> None:
    attempt = failing(each, times=1)
    if again:
        assert run(RetryPolicy(), call, attempt, LOG, lambda _: None) == "done"
    else:
        with pytest.raises(NexusApiError):
            run(RetryPolicy(), call, attempt, LOG, lambda _: None)


def test_other_errors_pass_through_at_once() -> None:
    slept: list[float] = []
    with pytest.raises(ZeroDivisionError):
        run(RetryPolicy(), READ, lambda: 1 / 0, LOG, slept.append)
    assert slept == []


def test_ambiguous_error_carries_what_is_known() -> None:
    cause = NexusServerError("POST", "/orders", status=503, codes=("Busy",), detail="later", request_id="r-1", excerpt="busy")
    with pytest.raises(NexusAmbiguousWriteError) as caught:
        run(RetryPolicy(), ORDER, failing(cause), LOG, lambda _: None)
    found = caught.value
    assert (found.status, found.codes, found.detail, found.request_id, found.excerpt) == (503, ("Busy",), "later", "r-1", "busy")
    assert found.__cause__ is cause
    assert "Look up by hand whether Nexus carried it out" in str(found)


def test_one_warning_per_retry_with_nothing_but_the_facts(caplog: pytest.LogCaptureFixture) -> None:
    cause = NexusServerError("GET", GET.label, status=503, codes=("C",), detail=f"for {IBAN}", request_id="r", excerpt=IBAN)
    slept: list[float] = []
    with caplog.at_level(logging.DEBUG):
        assert run(RetryPolicy(retries=3), GET, failing(cause, times=2), LOG, slept.append) == "done"
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert caplog.messages == [
        f"GET /customer/{{code}}: 503, attempt 1, next in {slept[0]:.1f} s",
        f"GET /customer/{{code}}: 503, attempt 2, next in {slept[1]:.1f} s",
    ]


def test_warning_names_the_kind_where_there_is_no_status(caplog: pytest.LogCaptureFixture) -> None:
    run(RetryPolicy(), GET, failing(NexusConnectionError("GET", GET.label), times=1), LOG, lambda _: None)
    assert caplog.messages[0].startswith("GET /customer/{code}: NexusConnectionError, attempt 1, next in ")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_the_time_that_a_server_names_outlives_the_doubt_about_a_change(status: int) -> None:
    call = Call("POST", "/transfers", json={"a": "1"})
    settled = settle(NexusServerError("POST", "/transfers", status=status, retry_after=90.0), call)
    assert (type(settled), settled.pause) == (NexusAmbiguousWriteError, 90.0)
