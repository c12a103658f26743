"""What a server or a manifest says can't take over the terminal that shows it."""

from __future__ import annotations

import json
import logging
from argparse import Namespace

import pytest

from airflow_provider_nexus.cli import output, running
from airflow_provider_nexus.exceptions import NexusDataError, NexusValidationError, printable

ORDERS = {
    "a colour": "\x1b[31m",
    "a title": "\x1b]0;owned\x07",
    "the older form": "\x9b2J",
    "a return": "fine\rnot fine",
    "a line of its own": "x\nAll is well",
    "backspaces": "bad\b\b\bok",
    "another direction": "\u202egnp.exe",
    "a zero": "\x00",
    "half a sign": "\udc9b",
}


def obeyed(text: str) -> list[str]:
    return [sign for sign in text.replace("\n", "") if not sign.isprintable()]


@pytest.mark.parametrize("order", ORDERS.values(), ids=list(ORDERS))
def test_nothing_that_is_printed_is_obeyed(order: str, capsys: pytest.CaptureFixture[str]) -> None:
    @running.command
    def failing(_: Namespace) -> int:
        raise NexusValidationError("GET", "/x", status=400, codes=(order,), detail=order)

    output.print_table(order, ("what", "value"), [(order, order)])
    output.print_json([{order: order}])
    log = running.log_to_stderr()
    log.info("server says %s", order)
    with pytest.raises(SystemExit):
        failing(Namespace())
    said = capsys.readouterr()
    assert obeyed(said.out + said.err) == []
    assert said.err.count("\n") == 2, "one line of the log, and one of the error"


@pytest.mark.parametrize("order", ORDERS.values(), ids=list(ORDERS))
def test_json_is_still_the_same_text(order: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"a": order, "b": "Zoë 😀 \\u0041"})
    assert json.loads(capsys.readouterr().out) == {"a": order, "b": "Zoë 😀 \\u0041"}


@pytest.mark.parametrize("order", ORDERS.values(), ids=list(ORDERS))
def test_an_error_that_is_logged_is_not_obeyed(order: str, caplog: pytest.LogCaptureFixture) -> None:
    for error in (NexusValidationError("GET", "/x", detail=order), NexusDataError("orders", order, order, order, "a number")):
        logging.getLogger("tests").error("%s", error)
    assert obeyed(caplog.text) == []


def test_what_people_write_is_shown_as_it_is() -> None:
    text = "Zoë's café, 10 €, 日本, 😀, a\\b"
    assert printable(text) == text
