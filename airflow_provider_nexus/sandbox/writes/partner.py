"""Make buckets and portfolios. See docs/api_facts.rst, Partner calls."""

from __future__ import annotations

from airflow_provider_nexus.sandbox.call import Answer, Call, Refusal, success
from airflow_provider_nexus.sandbox.collection import Entry, Listed
from airflow_provider_nexus.sandbox.data import configuration
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.writes import checks


def _append(world: World, name: str, entry: Entry, call: Call) -> Answer:
    """An array with the new record comes back."""
    listed = world.collections[name]
    if not isinstance(listed, Listed):
        raise TypeError(f"{name} is no short list")
    if listed.find(entry.code, call.at) is not None:
        raise Refusal(world.settings.duplicate_status, f"{name.title()[:-1]}Exists", f"{entry.code!r} exists already")
    listed.entries.append(entry)
    return success([listed.record(len(listed.entries) - 1, call.at, call.form(name))])


def _bucket(world: World, call: Call) -> Answer:
    body = call.json()
    checks.require(body, "code", "name")
    customer = checks.text(body, "customerCode")
    if customer is not None:
        checks.active_customer(world, customer, call)
    code, name = str(body["code"]), str(body["name"])
    return _append(world, "buckets", configuration.bucket(code, name, customer, call.at), call)


def _portfolio(world: World, call: Call) -> Answer:
    body = call.json()
    checks.require(body, "code")
    code = str(body["code"])
    mails = body.get("mailsenabled")
    record = {"code": code, "name": checks.text(body, "name") or code, "mailsEnabled": True if mails is None else bool(mails)}
    return _append(world, "portfolios", configuration.plain(code, record, call.at), call)


ROUTES = (
    Route("POST", "/buckets", _bucket, "B", writes=True),
    Route("POST", "/portfolios", _portfolio, "B", writes=True),
)
"""Buckets and portfolios."""
