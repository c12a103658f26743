"""Checks of arguments where a DAG is parsed: one for each name, as an argument means the same wherever it is taken.

Each raises ``NexusConfigurationError`` with the name of the argument, those of moments ``NexusWindowError``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any, get_args

from airflow_provider_nexus.api.codes import IN_QUOTES, a_kind, codes_of, path_segment, texts_of
from airflow_provider_nexus.api.environments import split_link
from airflow_provider_nexus.api.moments import is_missing, moment
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.download import refuse_size
from airflow_provider_nexus.client.values import in_body, in_headers, in_query, method_of, refuse_bare
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.protect import Treatment
from airflow_provider_nexus.extract.records import whole_number
from airflow_provider_nexus.extract.request import CONTRACTS, MOST_PARALLEL
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.forms import FORMS
from airflow_provider_nexus.load.paths import place_of
from airflow_provider_nexus.load.sql.name import LONGEST_ROUND, split_name
from airflow_provider_nexus.reconcile.request import Tolerance
from airflow_provider_nexus.writes.amounts import amount

Check = Callable[[str, Any], object]
"""Name of the argument and value -> an error where the value can't be that argument."""

_UNKNOWN = object()
_LONGEST_REVIEW = 3650
_TEMPLATE = re.compile(r"\{[{%#]")


def refuse_wrong(given: Mapping[str, object], templated: Collection[str] = ()) -> None:
    """Refuse literals that can't be what their argument must be.

    What a template or another task makes is known in the task alone, and checked there. In a list or a dictionary that goes for
    each part.

    :param given: by name of the argument, without those that were left out
    :param templated: names of those that Airflow renders
    """
    for name, value in given.items():
        if name not in templated and isinstance(value, str) and _TEMPLATE.search(value):
            raise NexusConfigurationError(f"{name} is {value!r}, and Airflow renders no template in it: give the value itself")
        known = known_part(value) if name in templated else value
        if known is not _UNKNOWN:
            CHECKS[name](name, known)


def known_part(value: Any) -> Any:
    """The part of a value that is known where the DAG is parsed, which may be nothing that compares equal to anything."""
    if hasattr(value, "iter_references") or (isinstance(value, str) and _TEMPLATE.search(value)):
        return _UNKNOWN
    if isinstance(value, Mapping):
        return {name: part for name, item in value.items() if (part := known_part(item)) is not _UNKNOWN}
    if isinstance(value, list | tuple | set | frozenset):
        parts = [part for item in value if (part := known_part(item)) is not _UNKNOWN]
        return parts if parts or not value else _UNKNOWN
    return value


def refuse_backwards(start: object, end: object) -> None:
    """Refuse a window that ends before it starts, where both are known."""
    first, last = (None if known_part(each) is _UNKNOWN else moment_of("window", each) for each in (start, end))
    RequestedWindow(first, last, "arguments")


def moment_of(name: str, given: object) -> datetime | None:
    """A moment as it is given; ``None`` where it is missing."""
    return None if is_missing(given) else moment(given, name)


def check_text(name: str, given: object) -> None:
    """Refuse what is no text, and what a template or another task makes of a missing value."""
    if is_missing(given):
        raise NexusConfigurationError(
            f"{name} is {given!r}, which is what a template or another task makes of a missing value: nothing was sent"
        )
    if not isinstance(given, str):
        raise NexusConfigurationError(f"{name} is {given!r}, {a_kind(given)}, and has to be text: {IN_QUOTES}; nothing was sent")
    if given != given.strip():
        raise NexusConfigurationError(f"{name} is {given!r}, with blanks around it: nothing was sent")


def check_mapping(name: str, given: object) -> None:
    """Refuse what is no dictionary of names and values."""
    if not isinstance(given, Mapping):
        raise NexusConfigurationError(
            f"{name} is {given!r}, {a_kind(given)}: give a dictionary of names and values; where a template makes it, set "
            "render_template_as_native_obj=True in the DAG; nothing was sent"
        )
    if odd := [each for each in given if not isinstance(each, str)]:
        raise NexusConfigurationError(f"{name} has the name {odd[0]!r}, {a_kind(odd[0])}, and a name is text: nothing was sent")


def refuse_missing_parts(what: str, given: object) -> None:
    """Refuse a dictionary in which a name has no value; ``what`` is how its parts are called."""
    for part, value in given.items() if isinstance(given, Mapping) else ():
        if is_missing(value):
            raise NexusConfigurationError(
                f"{what} {part} is {value!r}, which is what a template or another task makes of a missing value: "
                "leave it out, or give a value; nothing was sent"
            )


def check_reference(name: str, given: object) -> None:
    """Refuse a reference that many writes would have, or that Nexus would return as another text."""
    if not isinstance(given, str):
        raise NexusConfigurationError(
            f"{name} is {given!r}, {a_kind(given)}, and a reference is text: {IN_QUOTES}; nothing was sent"
        )
    if given in ("", "None") or given != given.strip() or not given.isprintable():
        raise NexusConfigurationError(
            f"{name} is {given!r}: give a text that no other write has, without blanks around it; an empty "
            "one, or 'None', is what a template makes of a missing value. Nothing was sent"
        )


def check_address(name: str, given: str) -> None:
    """Refuse what is no http or https address of a page, or contains credentials, before anything is read."""
    check_text(name, given)
    split_link(name, given, "https://reports.example.com/transactions.html", ("http", "https"))


def check_windows(name: str, given: object) -> int:
    """A number of windows, which a template renders as text."""
    text = given.strip() if isinstance(given, str) else ""
    number = int(text) if text.isascii() and text.isdigit() else given
    whole_number(name, number, least=1)
    return number  # type: ignore[return-value]


def _fitting(fits: Callable[[Any], bool], what: str) -> Check:
    def check(name: str, given: object) -> None:
        if not fits(given):
            raise NexusConfigurationError(f"{name} is {given!r}: give {what}")

    return check


def _one_of(*known: str) -> Check:
    return _fitting(lambda given: given in known, f"one of {', '.join(known)}")


def _one_in_any_case(*known: str) -> Check:
    words = [word.casefold() for word in known]
    return _fitting(lambda given: isinstance(given, str) and given.casefold() in words, f"one of {', '.join(known)}")


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _some(read: Callable[[object, str], Collection[str]], what: str) -> Check:
    def check(name: str, given: object) -> None:
        if not read(given, what):
            raise NexusConfigurationError(f"{name} is {given!r}, which names none: give one at least")

    return check


def _mail_types(name: str, given: object) -> None:
    for each in texts_of(given, "mail type"):
        check_text(name, each)


def _short_round(name: str, given: str) -> None:
    if len(given) > LONGEST_ROUND:
        raise NexusConfigurationError(f"{name} has {len(given)} characters: give {LONGEST_ROUND} at most")


def _are_review_days(given: object) -> bool:
    every = list(given.values()) if isinstance(given, Mapping) else [given]
    return bool(every) and all(isinstance(each, int) and _is_number(each) and 0 <= each <= _LONGEST_REVIEW for each in every)


def _all(*checks: Check) -> Check:
    def check(name: str, given: object) -> None:
        for each in checks:
            each(name, given)

    return check


def _named(names: str, check: Check) -> dict[str, Check]:
    return dict.fromkeys(names.split(), check)


_FLAG = _fitting(lambda given: isinstance(given, bool), "True or False")
_SECONDS = _fitting(lambda given: _is_number(given) and 0 < given < math.inf, "seconds, a number above zero")
_REVIEW_DAYS = f"whole days from 0 to {_LONGEST_REVIEW}, one number or one for each risk qualification"
CHECKS: Mapping[str, Check] = {
    **_named("nexus_conn_id smtp_conn_id sql_conn_id results_conn_id storage_conn_id from_email api_version", check_text),
    **_named("kind trust_level crypto_code currency_code exchange_code file_field finding lists", check_text),
    **_named("source_exchange_code sink_exchange_code address bank_account_id payment_reference", check_text),
    **_named("customer_code transaction_code", _all(check_text, lambda name, given: path_segment(given, name))),
    **_named("target source path report_path staging_path results_path relative_to output_path", place_of),
    **_named("amount limit_price", amount),
    **_named("strict history overwrite simulate customers fail_on_difference fuzzy", _FLAG),
    **_named("wait_for_completion cancel_on_kill deferrable fire_on_held", _FLAG),
    **_named("poll_interval max_interval wait_timeout", _SECONDS),
    **_named("page_size readings limit max_consecutive_failures", partial(whole_number, least=1)),
    **_named("max_rejected rereads", partial(whole_number, least=0)),
    "parallel": partial(whole_number, least=1, most=MOST_PARALLEL),
    **_named(
        "response_filter on_held_callback deliver hits_of", _fitting(callable, "a function, or another object that can be called")
    ),
    **_named("source_type sink_type", _one_in_any_case("Exchange", "HotWallet", "Coldstore", "Other")),
    **_named("window_start window_end moment start changed_since", moment_of),
    **_named("answer copies protect values", check_mapping),
    "action": _one_in_any_case("Buy", "Sell"),
    "capture": _one_of("window", "changes"),
    "code": _some(codes_of, "code"),
    "codes": _all(check_mapping, lambda name, given: texts_of(list(given.values()), f"stamp in {name}")),
    "contract": _one_of(*CONTRACTS),
    "endpoint": _all(check_text, lambda _, given: Call("GET", given)),
    "expiring": _all(check_text, lambda name, given: moment(given, name)),
    "fields": _all(check_mapping, lambda _, given: refuse_missing_parts("the field", given)),
    "fields_to_clear": lambda _, given: texts_of(given, "field to clear"),
    "file_format": _one_of("jsonl", "parquet", "delta"),
    "form": _one_of(*FORMS),
    "headers": lambda _, given: in_headers(given),
    "json": _all(lambda _, given: refuse_bare(given), lambda name, given: in_body(given, name)),
    "mail_types": _mail_types,
    "max_mb": lambda _, given: refuse_size(given),
    "max_windows": check_windows,
    "method": lambda _, given: method_of(given),
    "on_held": _one_of("wait", "fail"),
    "order_type": _one_in_any_case("Market", "Limit"),
    "partition_by": _one_of("month", "day"),
    "parent": lambda _, given: codes_of(given, "code in parent"),
    "personal": _one_of(*get_args(Treatment)),
    "query": _all(lambda _, given: in_query(given), lambda _, given: refuse_missing_parts("the query's", given)),
    "reference": check_reference,
    "report_url": check_address,
    "review_days": _fitting(_are_review_days, _REVIEW_DAYS),
    "round_id": _all(check_text, _short_round),
    "resource": _all(check_text, lambda _, given: get_resource(given)),
    "step": _one_of("payout", "confirming"),
    **_named("table results_table", lambda name, given: split_name(given, name)),
    "target_statuses": _some(texts_of, "status in target_statuses"),
    "tolerance": lambda _, given: Tolerance(given),
}
"""The check of each argument."""
