from __future__ import annotations

import pytest

from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.watch.statuses import Verdict, aim_at


@pytest.mark.parametrize(
    ("resource", "targets", "status", "ended", "verdict"),
    [
        ("transactions", (), "completed", False, Verdict.REACHED),
        ("transactions", (), "CANCELLED", False, Verdict.MISSED),
        ("transactions", (), "Blocked", False, Verdict.HELD),
        ("transactions", (), "Sending", False, Verdict.PENDING),
        ("transactions", (), "Invented", False, Verdict.PENDING),
        ("transactions", (), "Invented", True, Verdict.MISSED),
        ("transactions", (), None, False, Verdict.PENDING),
        ("transactions", ("topayout",), "ToPayout", False, Verdict.REACHED),
        ("transactions", ("ToPayout",), "COMPLETED", False, Verdict.MISSED),
        ("transactions", ("CANCELLED",), "cancelled", False, Verdict.REACHED),
        ("transactions", ("BLOCKED",), "BLOCKED", False, Verdict.REACHED),
        ("customers", ("Blocked",), "ACTIVE", False, Verdict.PENDING),
        ("broker_transactions", (), "BuyCancelled", True, Verdict.MISSED),
    ],
)
def test_what_a_status_means(resource: str, targets: tuple[str, ...], status: str | None, ended: bool, verdict: Verdict) -> None:
    assert aim_at(get_resource(resource), targets).judge(status, ended=ended) is verdict


def test_no_status_that_is_not_known_is_success() -> None:
    for resource in RESOURCES.values():
        if resource.lifecycle is not None:
            for status in ("", "Done", "success", "COMPLETED?", "null"):
                assert aim_at(resource).judge(status) is not Verdict.REACHED


def test_a_target_that_is_no_status_is_refused_with_the_nearest() -> None:
    with pytest.raises(NexusConfigurationError, match="did you mean 'COMPLETED'"):
        aim_at(get_resource("transactions"), ("COMPLETE",))
    with pytest.raises(NexusConfigurationError, match="known are Initiated"):
        aim_at(get_resource("transactions"), ("xyz",))
    with pytest.raises(NexusConfigurationError, match="no status"):
        aim_at(get_resource("prices"))
    assert aim_at(get_resource("broker_transactions"), ("BuyUnheardOf",)).targets == ("BuyUnheardOf",)
