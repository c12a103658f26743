"""All routes together."""

from __future__ import annotations

from airflow_provider_nexus.sandbox import extras, history
from airflow_provider_nexus.sandbox.reads import catalogue_routes
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.writes import (
    accounts,
    banks,
    broker,
    compliance,
    custodian,
    customers,
    documents,
    exchange,
    mails,
    partner,
    people,
    settlement,
)

_WRITES = (
    accounts,
    banks,
    broker,
    compliance,
    custodian,
    customers,
    documents,
    exchange,
    mails,
    partner,
    people,
    settlement,
)


def all_routes() -> tuple[Route, ...]:
    """Every endpoint of the sandbox."""
    written = [route for module in _WRITES for route in module.ROUTES]
    return (*catalogue_routes(), *extras.ROUTES, *history.ROUTES, *written)
