from __future__ import annotations

import pytest

from airflow_provider_nexus.api import lifecycles
from airflow_provider_nexus.api.lifecycles import Lifecycle, Phase
from airflow_provider_nexus.api.resources import RESOURCES

ALL = [value for value in vars(lifecycles).values() if isinstance(value, Lifecycle)]

EXPECTED = {
    (lifecycles.TRANSACTION.name, "Confirming"): Phase.IN_FLIGHT,
    (lifecycles.TRANSACTION.name, "ToCancel"): Phase.IN_FLIGHT,
    (lifecycles.TRANSACTION.name, "Blocked"): Phase.HELD,
    (lifecycles.TRANSACTION.name, "Completed"): Phase.SUCCEEDED,
    (lifecycles.TRANSACTION.name, "Cancelled"): Phase.FAILED,
    (lifecycles.BROKER_TRANSACTION.name, "PAYOUTONHOLD"): Phase.HELD,
    (lifecycles.BROKER_TRANSACTION.name, "SELLTOBERETURNED"): Phase.IN_FLIGHT,
    (lifecycles.BROKER_TRANSACTION.name, "SellReturned"): Phase.FAILED,
    (lifecycles.ORDER.name, "Filled"): Phase.SUCCEEDED,
    (lifecycles.ORDER.name, "Expired"): Phase.FAILED,
    (lifecycles.TRANSFER.name, "Rejected"): Phase.FAILED,
    (lifecycles.MAIL.name, "READYTOSEND"): Phase.IN_FLIGHT,
    (lifecycles.CUSTOMER.name, "UNDERREVIEW"): Phase.HELD,
    (lifecycles.ACCOUNT.name, "VALID"): Phase.IN_FLIGHT,
}


def _by_name(name: str) -> Lifecycle:
    return next(lifecycle for lifecycle in ALL if lifecycle.name == name)


@pytest.mark.parametrize(("name", "status", "phase"), [(*key, phase) for key, phase in EXPECTED.items()])
def test_a_status_has_its_phase_in_any_case(name: str, status: str, phase: Phase) -> None:
    assert {_by_name(name).phase(text) for text in (status, status.upper(), status.lower(), f" {status} ")} == {phase}


@pytest.mark.parametrize("lifecycle", ALL, ids=lambda lifecycle: lifecycle.name)
@pytest.mark.parametrize("status", [None, "", " ", "Completedd", "Comple", "succeeded", "unknown", "0"])
def test_an_unknown_status_is_never_success(lifecycle: Lifecycle, status: str | None) -> None:
    assert lifecycle.phase(status) is Phase.UNKNOWN
    assert not lifecycle.phase(status).is_settled


@pytest.mark.parametrize("lifecycle", ALL, ids=lambda lifecycle: lifecycle.name)
def test_every_status_stands_in_one_phase(lifecycle: Lifecycle) -> None:
    folded = [status.casefold() for status in lifecycle.statuses]
    assert len(folded) == len(set(folded))
    for phase in Phase:
        assert {lifecycle.phase(status) for status in lifecycle.of(phase)} <= {phase}
    assert lifecycle.of(Phase.UNKNOWN) == ()


@pytest.mark.parametrize("lifecycle", ALL, ids=lambda lifecycle: lifecycle.name)
def test_every_lifecycle_can_end_well_and_badly(lifecycle: Lifecycle) -> None:
    assert lifecycle.in_flight
    assert lifecycle.succeeded
    assert lifecycle.failed


def test_only_the_ends_are_settled() -> None:
    assert {phase for phase in Phase if phase.is_settled} == {Phase.SUCCEEDED, Phase.FAILED}


def test_every_lifecycle_belongs_to_a_resource_that_has_its_field() -> None:
    used = [resource for resource in RESOURCES.values() if resource.lifecycle]
    assert {resource.lifecycle for resource in used} == set(ALL)
    for resource in used:
        assert resource.lifecycle is not None
        assert resource.lifecycle.status_field.lower() in resource.schema.by_folded_name, resource.name
        assert resource.mutable, resource.name
