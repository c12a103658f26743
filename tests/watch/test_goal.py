from __future__ import annotations

import pytest

from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.watch.statuses import WaitState, goal_of


@pytest.mark.parametrize(
    ("resource", "targets", "status", "ended", "verdict"),
    [
        ("transactions", (), "completed", False, WaitState.REACHED),
        ("transactions", (), "CANCELLED", False, WaitState.MISSED),
        ("transactions", (), "Blocked", False, WaitState.HELD),
        ("transactions", (), "Sending", False, WaitState.PENDING),
        ("transactions", (), "Invented", False, WaitState.PENDING),
        ("transactions", (), "Invented", True, WaitState.MISSED),
        ("transactions", (), None, False, WaitState.PENDING),
        ("transactions", ("topayout",), "ToPayout", False, WaitState.REACHED),
        ("transactions", ("ToPayout",), "COMPLETED", False, WaitState.MISSED),
        ("transactions", ("CANCELLED",), "cancelled", False, WaitState.REACHED),
        ("transactions", ("BLOCKED",), "BLOCKED", False, WaitState.REACHED),
        ("customers", ("Blocked",), "ACTIVE", False, WaitState.PENDING),
        ("broker_transactions", (), "BuyCancelled", True, WaitState.MISSED),
    ],
)
def test_what_a_status_means(
    resource: str, targets: tuple[str, ...], status: str | None, ended: bool, verdict: WaitState
) -> None:
    assert goal_of(get_resource(resource), targets).judge(status, ended=ended) is verdict


def test_no_status_that_is_not_known_is_success() -> None:
    for resource in RESOURCES.values():
        if resource.lifecycle is not None:
            for status in ("", "Done", "success", "COMPLETED?", "null"):
                assert goal_of(resource).judge(status) is not WaitState.REACHED


def test_a_target_that_is_no_status_is_refused_with_the_nearest() -> None:
    with pytest.raises(NexusConfigurationError, match="did you mean 'COMPLETED'"):
        goal_of(get_resource("transactions"), ("COMPLETE",))
    with pytest.raises(NexusConfigurationError, match="known are Initiated"):
        goal_of(get_resource("transactions"), ("xyz",))
    with pytest.raises(NexusConfigurationError, match="no status"):
        goal_of(get_resource("prices"))
    assert goal_of(get_resource("broker_transactions"), ("BuyUnheardOf",)).targets == ("BuyUnheardOf",)
