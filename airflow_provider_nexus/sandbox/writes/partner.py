"""What the tenant sets up: buckets, portfolios, fee overrides, interest schedules; and alerts for its portal."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.call import Answer, Call, Refusal, not_found, success
from airflow_provider_nexus.sandbox.collection import Entry, Listed, Moment, Record, changed
from airflow_provider_nexus.sandbox.data import cabinet, configuration
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.writes import checks

_FEE_SCALE = 6
_PERIODS = ("payoutPeriod", "subIntervalPeriod")
_SCHEDULE = ("cryptoCode", "currencyCode", "bucketCode", "paymentMethodCode", "defaultRate", "startDate", *_PERIODS)
BUCKETS, SCHEDULES = "buckets", "interest_schedules"
_KINDS = {BUCKETS: "Bucket", "portfolios": "Portfolio", SCHEDULES: "InterestSchedule"}


def _append(world: World, name: str, entry: Entry, call: Call) -> Answer:
    """An array with the new record comes back."""
    listed = world.register(name)
    if listed.find(entry.code, call.at) is not None:
        raise Refusal(world.settings.duplicate_status, f"{_KINDS[name]}Exists", f"{entry.code!r} exists already")
    listed.entries.append(entry)
    return success([listed.record(len(listed.entries) - 1, call.at, call.form(name))])


def _place(world: World, name: str, call: Call) -> tuple[Listed, int]:
    listed = world.register(name)
    place = listed.find(call.parts["code"], call.at)
    if place is None:
        raise not_found(_KINDS[name], call.parts["code"])
    return listed, place


def _one(name: str) -> Callable[[World, Call], Answer]:
    def one(world: World, call: Call) -> Answer:
        listed, place = _place(world, name, call)
        return success(listed.record(place, call.at, call.form(name)), 1)

    return one


def _owner(world: World, call: Call) -> str | None:
    customer = checks.text(call.json(), "customerCode")
    if customer is not None:
        checks.active_customer(world, customer, call)
    return customer


def _bucket(world: World, call: Call) -> Answer:
    body = call.json()
    code, name = str(body["code"]), str(body["name"])
    return _append(world, BUCKETS, configuration.bucket(code, name, _owner(world, call), call.at), call)


def _change_bucket(world: World, call: Call) -> Answer:
    listed, place = _place(world, BUCKETS, call)
    values = {"name": checks.text(call.json(), "name"), "customerCode": _owner(world, call)}
    given = {name: value for name, value in values.items() if value is not None}
    listed.entries[place] = changed(listed.entries[place], {**given, "updated": Moment(call.at)})
    return success(listed.record(place, call.at, call.form(BUCKETS)), 1)


def _remove_bucket(world: World, call: Call) -> Answer:
    listed, place = _place(world, BUCKETS, call)
    del listed.entries[place]
    return success(None)


def _portfolio(world: World, call: Call) -> Answer:
    body = call.json()
    code = str(body["code"])
    mails = body.get("mailsenabled")
    record = {"code": code, "name": checks.text(body, "name") or code, "mailsEnabled": True if mails is None else bool(mails)}
    return _append(world, "portfolios", configuration.plain(code, record, call.at), call)


def _method(world: World, call: Call) -> int:
    row = world.collections["payment_methods"].find(call.parts["method"], call.at)
    if row is None:
        raise not_found("PaymentMethod", call.parts["method"])
    return row


def _set_fee(kind: str, who: str) -> Callable[[World, Call], Answer]:
    """Make or change the fee of a payment method for one customer, or for those with a tag."""

    def set_fee(world: World, call: Call) -> Answer:
        body, method, name = call.json(), _method(world, call), f"payment_method_{kind}_fees"
        code, value = str(body[who.lower()]), Decimal(str(body["value"]))
        if not 0 <= value <= 1:
            raise checks.refuse("ValidationError", "The request is not valid", "value lies from 0 to 1")
        if kind == "customer" and world.customers.find(code, call.at) is None:
            raise not_found("Customer", code)
        record: Record = {who: code, "value": money.number(int(value.scaleb(_FEE_SCALE)), _FEE_SCALE)}
        others = [entry for entry in world.offspring.open(name, method).entries if entry.code != code]
        world.offspring.keep(name, method, Listed([*others, cabinet.entry(who, record)]))
        return success(record, 1)

    return set_fee


def _remove_fee(kind: str) -> Callable[[World, Call], Answer]:
    def remove_fee(world: World, call: Call) -> Answer:
        """The fee that is gone comes back."""
        method, name, code = _method(world, call), f"payment_method_{kind}_fees", call.parts["code"]
        listed = world.offspring.open(name, method)
        place = listed.find(code, call.at)
        if place is None:
            raise not_found("Fee", code)
        world.offspring.keep(name, method, Listed([*listed.entries[:place], *listed.entries[place + 1 :]]))
        return success(listed.record(place, call.at, call.form(name)), 1)

    return remove_fee


def _notify(world: World, call: Call) -> Answer:  # noqa: ARG001
    """No body comes back: the API's documents declare none."""
    return Answer(media="")


def _schedule_values(call: Call) -> Record:
    body = call.json()
    given = {name: body[name.lower()] for name in _SCHEDULE if body.get(name.lower()) is not None}
    for name in _PERIODS:
        if name in given:
            given[name] = {part: given[name].get(part) for part in ("amount", "unit")}
    return given


def _schedule(world: World, call: Call) -> Answer:
    guid = codes.guid(codes.WRITTEN + world.next_serial(), call.at)
    blank: Record = dict.fromkeys(_SCHEDULE)
    entry = cabinet.entry("id", {"id": guid, **blank, **_schedule_values(call)}, call.at)
    world.register(SCHEDULES).entries.append(entry)
    return success(entry.make(call.at, call.form(SCHEDULES)), 1)


def _change_schedule(world: World, call: Call) -> Answer:
    listed, place = _place(world, SCHEDULES, call)
    listed.entries[place] = changed(listed.entries[place], _schedule_values(call))
    return success(listed.record(place, call.at, call.form(SCHEDULES)), 1)


_SCHEDULES, _FEES = "/interest/custodian/schedules", "/paymentmethod/{method}/fees"
ROUTES = (
    Route("POST", "/buckets", _bucket, "B", writes=True),
    Route("GET", "/buckets/{code}", _one(BUCKETS), "B"),
    Route("PUT", "/buckets/{code}", _change_bucket, "B", writes=True),
    Route("DELETE", "/buckets/{code}", _remove_bucket, "B", writes=True),
    Route("POST", "/portfolios", _portfolio, "B", writes=True),
    Route("GET", "/portfolios/{code}", _one("portfolios"), "B"),
    Route("POST", "/notifications", _notify, "B", writes=True),
    Route("POST", _SCHEDULES, _schedule, "B", writes=True),
    Route("PUT", f"{_SCHEDULES}/{{code}}", _change_schedule, "B", writes=True),
    Route("PUT", f"{_FEES}/customer", _set_fee("customer", "customerCode"), "B", writes=True),
    Route("DELETE", f"{_FEES}/customer/{{code}}", _remove_fee("customer"), "B", writes=True),
    Route("PUT", f"{_FEES}/tag", _set_fee("tag", "customerTag"), "B", writes=True),
    Route("DELETE", f"{_FEES}/tag/{{code}}", _remove_fee("tag"), "B", writes=True),
)
"""Buckets, portfolios, fees, schedules and alerts."""
