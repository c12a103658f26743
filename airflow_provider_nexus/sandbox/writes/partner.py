"""Set-up of the tenant: buckets, portfolios, fees, interest schedules; alerts; screening; and the history of comments."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, not_found, success
from airflow_provider_nexus.sandbox.data.registers import bucket
from airflow_provider_nexus.sandbox.data.vocabulary import SANCTION_LISTS
from airflow_provider_nexus.sandbox.reads import Handler, Route
from airflow_provider_nexus.sandbox.rows import ListedRow, Record
from airflow_provider_nexus.sandbox.stamps import Stamp
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks, lists

_FEE_SCALE = 6
_PERIODS = ("payoutPeriod", "subIntervalPeriod")
_SCHEDULE = ("cryptoCode", "currencyCode", "bucketCode", "paymentMethodCode", "defaultRate", "startDate", *_PERIODS)
BUCKETS, PORTFOLIOS, SCHEDULES, COMMENTS = "buckets", "portfolios", "interest_schedules", "customer_comments"
UPLOADS = "sanction_list_uploads"


def _append(world: World, call: ApiCall, name: str, row: ListedRow) -> ApiAnswer:
    """An array with the new record comes back."""
    lists.refuse_known(world, call, name, row.code)
    world.lists[name].entries.append(row)
    return success([world.answered(call, name, row.record(call.at))])


def _owner(world: World, call: ApiCall) -> str | None:
    customer = checks.text(call.json(), "customerCode")
    if customer is not None:
        checks.active_customer(world, customer, call)
    return customer


def _bucket(world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    return _append(world, call, BUCKETS, bucket(str(body["code"]), str(body["name"]), _owner(world, call), call.at))


def _change_bucket(world: World, call: ApiCall) -> ApiAnswer:
    lists.row_of(world, call, BUCKETS)
    _owner(world, call)
    return lists.changed(world, call, BUCKETS, {**checks.given(call.json(), "name", "customerCode"), "updated": Stamp(call.at)})


def _portfolio(world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    code, mails = str(body["code"]), body.get("mailsenabled")
    record = {"code": code, "name": checks.text(body, "name") or code, "mailsEnabled": True if mails is None else bool(mails)}
    return _append(world, call, PORTFOLIOS, ListedRow(code, record, call.at))


def _set_fee(name: str, who: str) -> Handler:
    """Make or change the fee of a payment method for one customer, or for those with a tag."""

    def set_fee(world: World, call: ApiCall) -> ApiAnswer:
        body, fees = call.json(), lists.to_change(world, call, name)
        code, value = str(body[who.lower()]), Decimal(str(body["value"]))
        if not 0 <= value <= 1:
            raise checks.invalid("value lies from 0 to 1")
        if who == "customerCode":
            world.found("customers", code, call.at)
        record: Record = {who: code, "value": money.number(int(value.scaleb(_FEE_SCALE)), _FEE_SCALE)}
        fees.entries = [row for row in fees.entries if row.code != code]
        return success(fees.append(who, record))

    return set_fee


def _schedule_values(call: ApiCall) -> Record:
    given = checks.given(call.json(), *_SCHEDULE)
    periods = {name: {part: given[name].get(part) for part in ("amount", "unit")} for name in _PERIODS if name in given}
    return given | periods


def _schedule(world: World, call: ApiCall) -> ApiAnswer:
    guid = codes.guid(codes.WRITTEN + world.next_serial(), call.at)
    record: Record = {"id": guid, **dict.fromkeys(_SCHEDULE), **_schedule_values(call)}
    return success(world.answered(call, SCHEDULES, world.lists[SCHEDULES].append("id", record, call.at)))


def _change_schedule(world: World, call: ApiCall) -> ApiAnswer:
    return lists.changed(world, call, SCHEDULES, _schedule_values(call))


def _interval(noun: str, world: World, call: ApiCall) -> ApiAnswer:
    """The interval of a schedule, or the part of one, that the path names; as the call changes it."""
    known = [each for row in world.lists[SCHEDULES].entries for each in row.record(call.at).get("intervals", ())]
    if noun == "SubInterval":
        known = [part for each in known for part in each["subIntervals"]]
    found = next((each for each in known if each["id"] == call.parts["id"].lower()), None)
    if found is None:
        raise not_found(noun, call.parts["id"])
    if call.method == "PUT":
        found.update(checks.given(call.json(), "adjustedRate"))
    return success(found, 1, call.form(SCHEDULES))


def _latest_uploads(world: World, call: ApiCall) -> ApiAnswer:
    found = [each for each in world.snapshots[UPLOADS](call) if each["status"] == "Live"]
    return success(found, len(found), call.form(UPLOADS))


def _history(world: World, call: ApiCall) -> ApiAnswer:
    """What a comment has been: no call changes one, so it is the one that there is."""
    comments = world.children(COMMENTS, world.found("customers", call.parts["customer"], call.at), call.at)
    row = comments.find(call.parts["id"].lower(), call.at)
    if row is None:
        raise not_found("Comment", call.parts["id"])
    records = [world.answered(call, COMMENTS, comments.record(row, call.at))]
    return success({"page": 1, "total": 1, "totalPages": 1, "filteringParameters": {}, "records": records}, 1)


def _search(world: World, call: ApiCall) -> ApiAnswer:
    """A POST that changes nothing: entries by list. What an entry looks like is not known."""
    body = call.json()
    fuzzy = bool(body.get("fuzzysearch"))
    wanted = {_words(text, fuzzy=fuzzy) for name in ("name", "cryptoaddress") if (text := body.get(name))}
    asked = {word for word in re.split(r"\W+", checks.text(body, "lists") or "") if word}
    results: dict[str, list[Record]] = {code: [] for code, _ in SANCTION_LISTS if not asked or code in asked}
    for place, text in enumerate(world.settings.sanctioned):
        code = SANCTION_LISTS[place % len(SANCTION_LISTS)][0]
        if code in results and _words(text, fuzzy=fuzzy) in wanted:
            results[code].append({"name": text})
    return success({"listResults": results})


def _words(text: str, *, fuzzy: bool) -> tuple[str, ...]:
    words = text.casefold().split()
    return tuple(sorted(words) if fuzzy else words)


def _judge(world: World, call: ApiCall) -> ApiAnswer:
    """No body comes back: the API's documents declare none."""
    body = call.json()
    entity = checks.text(body, "entityCode") or ""
    for each in body.get("sanctionlists") or ():
        code = checks.text(each, "code") or ""
        entry: Record = {
            "sanctionListCode": code,
            "referenceCode": entity,
            "environmentCode": checks.text(body, "environmentCode"),
            "userName": checks.text(body, "userName"),
            "created": Stamp(call.at),
            "deleted": None,
            "allowedUpToNameId": 12_000,
            "allowedUpToAliasId": 31_000,
        }
        world.judged.setdefault((code, entity), []).append(entry)
    return ApiAnswer(media="")


def _judgements(world: World, call: ApiCall) -> list[Record]:
    wanted = call.query.get("environmentcode")
    found = world.judged.get((call.parts["list"], call.parts["entity"]), [])
    return [each for each in found if wanted is None or each["environmentCode"] == wanted]


def _judged(world: World, call: ApiCall) -> ApiAnswer:
    found = _judgements(world, call)
    return success(found, len(found), call.form("sanctions"))


def _forget(world: World, call: ApiCall) -> ApiAnswer:
    forgotten = _judgements(world, call)
    key = call.parts["list"], call.parts["entity"]
    world.judged[key] = [each for each in world.judged.get(key, []) if each not in forgotten]
    return ApiAnswer(media="")


_INTEREST, _FEES = "/interest/custodian", "/paymentmethod/{parent}/fees"
_CUSTOMER_FEES, _TAG_FEES = "payment_method_customer_fees", "payment_method_tag_fees"
ROUTES = (
    Route("POST", "/buckets", _bucket, "B", writes=True),
    Route("PUT", "/buckets/{code}", _change_bucket, "B", writes=True),
    Route("DELETE", "/buckets/{code}", lists.removal(BUCKETS), "B", writes=True),
    Route("POST", "/portfolios", _portfolio, "B", writes=True),
    Route("POST", "/notifications", lambda world, call: ApiAnswer(media=""), "B", writes=True),  # noqa: ARG005
    Route("POST", f"{_INTEREST}/schedules", _schedule, "B", writes=True),
    Route("PUT", f"{_INTEREST}/schedules/{{code}}", _change_schedule, "B", writes=True),
    Route("GET", f"{_INTEREST}/intervals/{{id}}", partial(_interval, "Interval"), "B"),
    Route("GET", f"{_INTEREST}/subintervals/{{id}}", partial(_interval, "SubInterval"), "B"),
    Route("PUT", f"{_INTEREST}/subintervals/{{id}}", partial(_interval, "SubInterval"), "B", writes=True),
    Route("PUT", f"{_FEES}/customer", _set_fee(_CUSTOMER_FEES, "customerCode"), "B", writes=True),
    Route("DELETE", f"{_FEES}/customer/{{code}}", lists.removal(_CUSTOMER_FEES, shows=True), "B", writes=True),
    Route("PUT", f"{_FEES}/tag", _set_fee(_TAG_FEES, "customerTag"), "B", writes=True),
    Route("DELETE", f"{_FEES}/tag/{{code}}", lists.removal(_TAG_FEES, shows=True), "B", writes=True),
    Route("GET", "/customer/{customer}/comments/{id}/history", _history, "B"),
    Route("GET", "/sanction/lists/uploads/latest", _latest_uploads, "B"),
    Route("POST", "/sanction/search", _search, "B"),
    Route("POST", "/sanction/validatedentry", _judge, "B", writes=True),
    Route("GET", "/sanction/validatedentry/{list}/{entity}", _judged, "B"),
    Route("DELETE", "/sanction/validatedentry/{list}/{entity}", _forget, "B", writes=True),
)
"""Buckets, portfolios, fees, schedules, alerts, screening, and the history of comments."""
