"""Checks of arguments where a DAG is parsed: one for each name, as an argument means the same wherever it is taken."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
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
_EXAMPLE = "https://reports.example.com/transactions.html"


def refuse_wrong(given: Mapping[str, object], templated: Collection[str] = ()) -> None:
    """Refuse literals that can't be what their argument must be.

    What a template or another task makes is known in the task alone, and checked there. In a list or a dictionary that goes for
    each part.

    :param given: by name of the argument, without those that were left out
    :param templated: names of those that Airflow renders
    :raises NexusConfigurationError: names the argument
    :raises NexusWindowError: for a moment that is none
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
    """Refuse a window that ends before it starts, where both are known.

    :raises NexusWindowError: when so
    """
    first, last = (None if is_missing(each) or known_part(each) is _UNKNOWN else moment(each, "window") for each in (start, end))
    RequestedWindow(first, last, "arguments")


def check_text(name: str, given: object) -> None:
    """Refuse what is no text, and what a template or another task makes of a missing value.

    :raises NexusConfigurationError: names the argument
    """
    if is_missing(given):
        raise NexusConfigurationError(
            f"{name} is {given!r}, which is what a template or another task makes of a missing value: nothing was sent"
        )
    if not isinstance(given, str):
        raise NexusConfigurationError(f"{name} is {given!r}, {a_kind(given)}, and has to be text: {IN_QUOTES}; nothing was sent")
    if given != given.strip():
        raise NexusConfigurationError(f"{name} is {given!r}, with blanks around it: nothing was sent")


def check_mapping(name: str, given: object) -> None:
    """Refuse what is no dictionary of names and values.

    :raises NexusConfigurationError: names the argument
    """
    if not isinstance(given, Mapping):
        raise NexusConfigurationError(
            f"{name} is {given!r}, {a_kind(given)}: give a dictionary of names and values; where a template makes it, set "
            "render_template_as_native_obj=True in the DAG; nothing was sent"
        )
    if odd := [each for each in given if not isinstance(each, str)]:
        raise NexusConfigurationError(f"{name} has the name {odd[0]!r}, {a_kind(odd[0])}, and a name is text: nothing was sent")


def refuse_missing_parts(what: str, given: object) -> None:
    """Refuse a dictionary in which a name has no value.

    :param what: how its parts are called
    :raises NexusConfigurationError: names the part
    """
    for part, value in given.items() if isinstance(given, Mapping) else ():
        if is_missing(value):
            raise NexusConfigurationError(
                f"{what} {part} is {value!r}, which is what a template or another task makes of a missing value: "
                "leave it out, or give a value; nothing was sent"
            )


def check_reference(name: str, given: object) -> None:
    """Refuse a reference that many writes would have, or that Nexus would return as another text.

    :raises NexusConfigurationError: names the argument
    """
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
    """Refuse what can't be the address of a page, before anything is read.

    :raises NexusConfigurationError: when it is no http or https address, or contains credentials
    """
    check_text(name, given)
    split_link(name, given, _EXAMPLE, ("http", "https"))


def check_windows(name: str, given: object) -> int:
    """A number of windows, which a template renders as text.

    :raises NexusConfigurationError: names the argument
    """
    text = given.strip() if isinstance(given, str) else ""
    number = int(text) if text.isascii() and text.isdigit() else given
    whole_number(name, number, least=1)
    return number  # type: ignore[return-value]


def _flag(name: str, given: object) -> None:
    if not isinstance(given, bool):
        raise NexusConfigurationError(f"{name} is {given!r}: give True or False")


def _seconds(name: str, given: object) -> None:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < math.inf:
        raise NexusConfigurationError(f"{name} is {given!r}: give seconds, a number above zero")


def _function(name: str, given: object) -> None:
    if not callable(given):
        raise NexusConfigurationError(f"{name} is {given!r}: give a function, or another object that can be called")


def _one_of(*known: str, with_case: bool = True) -> Check:
    def check(name: str, given: object) -> None:
        words = known if with_case else map(str.casefold, known)
        if (given if with_case or not isinstance(given, str) else given.casefold()) not in words:
            raise NexusConfigurationError(f"{name} is {given!r}: give one of {', '.join(known)}")

    return check


def _code(name: str, given: object) -> None:
    check_text(name, given)
    path_segment(given, name)


def _some(read: Callable[[object, str], Collection[str]], what: str) -> Check:
    def check(name: str, given: object) -> None:
        if not read(given, what):
            raise NexusConfigurationError(f"{name} is {given!r}, which names none: give one at least")

    return check


def _mail_types(name: str, given: object) -> None:
    for each in texts_of(given, "mail type"):
        check_text(name, each)


def _moment(name: str, given: object) -> None:
    if not is_missing(given):
        moment(given, name)


def _no_longer(name: str, given: str, most: int) -> None:
    if len(given) > most:
        raise NexusConfigurationError(f"{name} has {len(given)} characters: give {most} at most")


def _review_days(name: str, given: object) -> None:
    for days in given.values() or (None,) if isinstance(given, Mapping) else (given,):
        if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= _LONGEST_REVIEW:
            raise NexusConfigurationError(
                f"{name} is {given!r}: give whole days from 0 to {_LONGEST_REVIEW}, one number or one for each risk qualification"
            )


def _all(*checks: Check) -> Check:
    def check(name: str, given: object) -> None:
        for each in checks:
            each(name, given)

    return check


def _named(names: Iterable[str], check: Check) -> dict[str, Check]:
    return dict.fromkeys(names, check)


_PLACES = _one_of("Exchange", "HotWallet", "Coldstore", "Other", with_case=False)
CHECKS: Mapping[str, Check] = {
    **_named(
        ("nexus_conn_id", "smtp_conn_id", "sql_conn_id", "results_conn_id", "storage_conn_id", "from_email", "api_version"),
        check_text,
    ),
    **_named(("kind", "trust_level", "crypto_code", "currency_code", "exchange_code", "file_field"), check_text),
    **_named(("source_exchange_code", "sink_exchange_code", "address", "bank_account_id", "payment_reference"), check_text),
    **_named(("customer_code", "transaction_code"), _code),
    **_named(("finding", "lists"), check_text),
    **_named(("target", "source", "path", "report_path", "staging_path", "results_path", "relative_to", "output_path"), place_of),
    **_named(("amount", "limit_price"), amount),
    **_named(("strict", "history", "overwrite", "simulate", "customers", "fail_on_difference", "fuzzy"), _flag),
    **_named(("wait_for_completion", "cancel_on_kill", "deferrable", "fire_on_held"), _flag),
    **_named(("poll_interval", "max_interval", "wait_timeout"), _seconds),
    **_named(("page_size", "readings", "limit", "max_consecutive_failures"), partial(whole_number, least=1)),
    **_named(("max_rejected", "rereads"), partial(whole_number, least=0)),
    "parallel": partial(whole_number, least=1, most=MOST_PARALLEL),
    **_named(("response_filter", "on_held_callback", "deliver", "hits_of"), _function),
    **_named(("source_type", "sink_type"), _PLACES),
    **_named(("window_start", "window_end", "moment", "start", "changed_since"), _moment),
    "answer": check_mapping,
    "action": _one_of("Buy", "Sell", with_case=False),
    "capture": _one_of("window", "changes"),
    "code": _some(codes_of, "code"),
    "codes": _all(check_mapping, lambda name, given: texts_of(list(given.values()), f"stamp in {name}")),
    "contract": _one_of(*CONTRACTS),
    "copies": check_mapping,
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
    "order_type": _one_of("Market", "Limit", with_case=False),
    "partition_by": _one_of("month", "day"),
    "parent": lambda _, given: codes_of(given, "code in parent"),
    "personal": _one_of(*get_args(Treatment)),
    "protect": check_mapping,
    "query": _all(lambda _, given: in_query(given), lambda _, given: refuse_missing_parts("the query's", given)),
    "reference": check_reference,
    "report_url": check_address,
    "review_days": _review_days,
    "round_id": _all(check_text, lambda name, given: _no_longer(name, given, LONGEST_ROUND)),
    "resource": _all(check_text, lambda _, given: get_resource(given)),
    "step": _one_of("payout", "confirming"),
    **_named(("table", "results_table"), lambda name, given: split_name(given, name)),
    "target_statuses": _some(texts_of, "status in target_statuses"),
    "tolerance": lambda _, given: Tolerance(given),
    "values": check_mapping,
}
"""The check of each argument."""
