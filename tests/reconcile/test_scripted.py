"""Reconciliation with a Nexus that is scripted from its documentation, and keeps its books as no sandbox does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusDataError,
    NexusError,
    NexusNotFoundError,
    NexusPermissionError,
)
from airflow_provider_nexus.reconcile.judge import Line, Outcome
from airflow_provider_nexus.reconcile.reconciled import BALANCES, CUSTOMERS, HOT, PROOF, RESERVES, Reconciled
from airflow_provider_nexus.reconcile.request import Tolerance
from tests.reconcile import scripted
from tests.reconcile.scripted import LEDGER, MOMENT, ORDERS, START, TRANSACTIONS, TRANSFERS, Bench, balance, bench, day, values

ALL = scripted.RESERVES
KRAKEN, COLD, HOT_END = ("Exchange", "KRAKEN"), ("Coldstore", None), ("HotWallet", None)
SECOND = timedelta(seconds=1)


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        # more lies in reserve than customers own
        made.nexus.reserves.append((day(-100), {"type": "Yield"}, "BTC", Decimal(1000)))
        yield made


def outcomes(found: Reconciled, book: str) -> dict[tuple[str, str], Outcome]:
    return {line.at: line.outcome for line in found.lines if line.book == book}


def the(found: Reconciled, book: str) -> Line:
    (line,) = [line for line in found.differences if line.book == book]
    return line


def named(line: Line) -> set[str]:
    return {each.record for each in line.explanations}


def test_right_books_agree(at: Bench) -> None:
    at.nexus.trade("T1", "0.30000000000000000000001", day(1))
    at.nexus.trade("T2", "-1E-7", day(2))
    at.nexus.trade("T3", "5", day(3), "NL91 ABNA%2F1&x=é", balanceMutation={"crypto": "5.0", "fiat": "-1"})
    at.nexus.trade("T4", "9", day(4), status="ToSend", balanceMutation=None)
    at.nexus.trade("T5", "9", day(4), None, books="9")
    at.nexus.customers.discard("")
    at.nexus.balances.append((day(4), "C1", "BTC", Decimal(0)))
    at.copy("transactions")
    at.nexus.customers.add("")
    found = at.reconcile("transactions")
    assert found.is_fine
    assert outcomes(found, BALANCES) == {("all customers", "BTC"): Outcome.AGREES}
    assert outcomes(found, CUSTOMERS) == {
        ("C1", "BTC"): Outcome.AGREES,
        ("NL91 ABNA%2F1&x=é", "BTC"): Outcome.AGREES,
    }
    assert [line.stated for line in found.lines if line.place == "C1"] == [Decimal("0.30000000000000000000001") - Decimal("1E-7")]


@pytest.mark.parametrize("member", ["status", "balanceMutation", "customerCode"])
def test_members_can_be_missing_or_in_another_case(at: Bench, member: str) -> None:
    at.nexus.trade("T1", "1", day(1))
    at.nexus.trade("T2", "2", day(2))
    at.nexus.trade("T3", "2", day(3), status="Initiated", books="")
    record = at.nexus.records[TRANSACTIONS][2]
    del record[member]
    at.nexus.records[TRANSACTIONS][0] = {
        name[0].upper() + name[1:]: value for name, value in at.nexus.records[TRANSACTIONS][0].items()
    }
    at.nexus.balances[1] = (day(2), "C1", "BTC", Decimal(3))
    at.nexus.answers["/customer/C1"] = lambda _: values({"customerCode": "C1"})
    if member == "status":
        record["balanceMutation"] = None
    at.nexus.ignores.add("customerCode")  # as its records are spelt otherwise
    at.copy("transactions")
    found = at.reconcile("transactions")
    assert outcomes(found, CUSTOMERS) == {("C1", "BTC"): Outcome.DIFFERS}


def test_balances_come_in_any_case_and_in_several_rows(at: Bench) -> None:
    at.nexus.trade("T1", "3", day(1))
    rows = [{"Code": "BTC", "Name": "x", "Total": "1.5", "locked": None}, balance("BTC", Decimal("1.50")), balance("ETH", -0.0)]
    answer = values({"currencyBalances": [balance("EUR", 7)], "CryptoBalances": rows})
    empty = values({"cryptoBalances": []})
    at.nexus.answers["/balances"] = lambda query: answer if query["balanceDateTime"] > scripted.wire(START) else empty
    at.nexus.answers["/balances/customers/C1"] = at.nexus.answers["/balances"]
    at.copy("transactions")
    found = at.reconcile("transactions")
    assert found.is_fine
    assert set(outcomes(found, BALANCES)) == {("all customers", "BTC"), ("all customers", "ETH")}


@pytest.mark.parametrize("total", [None, "", "much", True, [], Decimal("1E+9999"), Decimal("1E-9999")])
def test_what_is_no_amount_is_refused(at: Bench, total: object) -> None:
    at.nexus.trade("T1", "3", day(1))
    at.copy("transactions")
    at.nexus.answers["/balances"] = lambda _: values({"cryptoBalances": [balance("BTC", total)]})
    with pytest.raises(NexusDataError, match="total"):
        at.reconcile("transactions")


def test_a_balance_without_a_code_or_an_amount_is_refused(at: Bench) -> None:
    at.nexus.trade("T1", "3", day(1))
    at.copy("transactions")
    for row in ({"code": None, "total": 1}, {"total": 1}, {"code": "BTC"}):
        at.nexus.answers["/balances"] = lambda _, row=row: values({"cryptoBalances": [row]})  # type: ignore[misc]
        with pytest.raises(NexusDataError):
            at.reconcile("transactions")


@pytest.mark.parametrize("customers", [True, False])
def test_a_lost_mutation_is_named(at: Bench, customers: bool) -> None:
    for number in range(1, 6):
        at.nexus.trade(f"T{number}", f"{number}.5", day(number), books="" if number == 3 else None)
    at.copy("transactions")
    found = at.reconcile("transactions", customers=customers)
    assert named(the(found, CUSTOMERS)) == {"T3"}
    assert named(the(found, BALANCES)) == {"T3"}
    assert "C1" not in f"{found.text} {found.summary()}"


@pytest.mark.parametrize("start", [None, day(4)])
@pytest.mark.parametrize(("first", "lost"), [("3", "-3"), ("3", "3"), ("-3", "3"), ("3", "-1"), ("3", "-6")])
def test_a_lost_mutation_is_never_taken_for_timing(at: Bench, first: str, lost: str, start: Any) -> None:
    """Such as a payout of all that the customer had at the start."""
    at.nexus.trade("T1", first, day(1))
    at.nexus.trade("T2", lost, day(6), books="")
    at.copy("transactions")
    found = at.reconcile("transactions", start=start)
    assert "T2" in named(the(found, CUSTOMERS))


def test_what_had_taken_effect_at_the_start_is_no_excuse_at_the_moment(at: Bench) -> None:
    """The book lacks as much as an old transaction for some days, and is put right after the moment."""
    at.nexus.trade("T1", "3", day(1))
    at.nexus.trade("T2", "5", day(6))
    at.nexus.balances += [(day(9), "C1", "BTC", Decimal(-3)), (day(12), "C1", "BTC", Decimal(3))]
    at.copy("transactions")
    found = at.reconcile("transactions", start=day(4))
    assert outcomes(found, CUSTOMERS) == {("C1", "BTC"): Outcome.DIFFERS}


def test_a_balance_that_was_brought_along_is_no_difference(at: Bench) -> None:
    at.nexus.balances.append((day(-50), "C1", "BTC", Decimal(7)))
    at.nexus.trade("T1", "2", day(1))
    at.nexus.trade("T2", "-4", day(6))
    at.nexus.balances[-1] = (day(12), "C1", "BTC", Decimal(-4))
    at.copy("transactions")
    found = at.reconcile("transactions")
    assert outcomes(found, CUSTOMERS) == {("C1", "BTC"): Outcome.TIMING}
    assert outcomes(found, BALANCES) == {("all customers", "BTC"): Outcome.TIMING}


@pytest.mark.parametrize("ignored", ["customerCode", "createdFrom", "sortBy"])
def test_filters_that_have_no_effect_change_nothing(at: Bench, ignored: str) -> None:
    for number in range(1, 8):
        at.nexus.trade(f"T{number}", f"{number}.5", day(number), f"C{number % 2}", books="" if number == 3 else None)
    at.copy("transactions")
    at.nexus.ignores.add(ignored)
    assert named(the(at.reconcile("transactions"), CUSTOMERS)) == {"T3"}


def test_a_server_that_ignores_the_moment_is_not_agreed_with(at: Bench) -> None:
    at.nexus.trade("T1", "1", day(1))
    at.nexus.trade("T2", "2", day(20))
    at.nexus.ignores.add("balanceDateTime")
    at.copy("transactions")
    assert not at.reconcile("transactions").is_fine


@pytest.mark.parametrize("takes_in", [True, False])
@pytest.mark.parametrize("start", [None, day(3)])
def test_the_very_second_is_no_difference(at: Bench, takes_in: bool, start: Any) -> None:
    at.nexus.takes_in = takes_in
    for number, moment in enumerate((day(1), day(3), day(5), MOMENT - SECOND, MOMENT, MOMENT + SECOND, day(15)), 1):
        at.nexus.trade(f"T{number}", f"{number}.5", moment)
        at.nexus.entry(f"H{number}", f"{number}.25", moment)
        at.nexus.order(f"O{number}", f"{number}.125", f"{number}.75", "0.01", moment)
        at.nexus.transfer(f"F{number}", f"{number}.0625", moment, KRAKEN, COLD)
    at.copy("transactions", *ALL)
    found = at.reconcile("transactions", *ALL, start=start)
    assert found.differences == []
    assert bool(found.count(Outcome.TIMING)) is takes_in
    assert {line.book for line in found.lines} == {BALANCES, CUSTOMERS, HOT, RESERVES, PROOF}


def test_a_record_that_the_copy_lacks_has_otherwise_or_has_alone_is_named(at: Bench) -> None:
    for number in range(1, 7):
        at.nexus.trade(f"T{number}", f"{number}.5", day(number), f"C{number % 3}")
    at.copy("transactions")
    mine = at.nexus.records[TRANSACTIONS]
    at.nexus.trade("LATE", "9", day(2), "C0")
    mine[0]["balanceMutation"] = {"crypto": Decimal("1.6"), "fiat": None}
    at.nexus.balances[0] = (day(1), "C1", "BTC", Decimal("1.6"))
    del mine[1]
    del at.nexus.balances[1]
    found = at.reconcile("transactions")
    by = {line.place: named(line) for line in found.differences if line.book == CUSTOMERS}
    assert by == {"C0": {"LATE"}, "C1": {"T1"}, "C2": {"T2"}}
    assert {each.why.partition(":")[0] for line in found.differences for each in line.explanations} == {
        "the copy lacks it",
        "it has another mutation in the copy",
        "Nexus does not have it any more",
    }
    assert named(the(found, BALANCES)) == {"LATE", "T1", "T2"}


def test_a_customer_that_nexus_does_not_know_any_more_differs(at: Bench) -> None:
    at.nexus.trade("T1", "1", day(1))
    at.nexus.trade("T2", "2", day(2), "C2")
    at.copy("transactions")
    at.nexus.customers.discard("C2")
    at.nexus.answers["/balances/customers/C2"] = lambda _: scripted.missing()
    del at.nexus.records[TRANSACTIONS][1]
    found = at.reconcile("transactions")
    assert {line.place: named(line) for line in found.differences} == {"all customers": {"T2"}, "C2": {"T2"}}


@pytest.mark.parametrize(("status", "kind"), [(404, NexusNotFoundError), (403, NexusPermissionError)])
def test_a_server_without_balances_of_customers_fails_the_reconciliation(at: Bench, status: int, kind: type[NexusError]) -> None:
    at.nexus.trade("T1", "1", day(1))
    at.copy("transactions")
    at.nexus.answers["/balances/customers/C1"] = lambda _: scripted.missing(status, "no")
    with pytest.raises(kind):
        at.reconcile("transactions")
    assert at.reconcile("transactions", customers=False).is_fine


def test_a_customer_may_have_any_code(at: Bench) -> None:
    for code in ("nobody", "all customers", "0", "C-1_x"):
        at.nexus.trade(f"T-{code}", "1", day(1), code, books="")
    at.copy("transactions")
    found = at.reconcile("transactions")
    places = {line.place for line in found.differences if line.book == CUSTOMERS}
    assert places == {"nobody", "all customers", "0", "C-1_x"}


@pytest.mark.parametrize("path", [TRANSACTIONS, TRANSFERS])
def test_a_status_that_no_source_knows_fails_the_reconciliation(at: Bench, path: str) -> None:
    at.nexus.trade("T1", "1", day(1))
    at.nexus.transfer("F1", "1", day(1), KRAKEN, COLD)
    at.nexus.records[path][0]["status"] = "Levitating"
    at.copy("transactions", *ALL)
    with pytest.raises(NexusDataError, match="Levitating"):
        at.reconcile("transactions", *ALL)


def test_reserves_of_any_kind_and_shape_are_added_up(at: Bench) -> None:
    nexus = at.nexus
    at.nexus.order("O1", "1.5", "100", "0.5", day(1))
    nexus.transfer("F1", "1", day(2), KRAKEN, COLD)
    nexus.transfer("F2", "1", day(3), ("EXCHANGE", "KRAKEN"), ("HOTWALLET", None))
    nexus.transfer("F3", "2", day(4), ("coldstore", None), ("Yield", None))
    nexus.transfer("F4", "2", day(5), ("Other", None), ("Exchange", None))
    nexus.transfer("F5", "2", day(5), KRAKEN, COLD, status="Rejected")
    nexus.transfer("F6", "2", day(5), KRAKEN, COLD, status="Sending", finished=None)
    for bucket in ("A", "B", None):
        nexus.reserves.append(
            (day(-3), {"type": "Exchange", "exchangeCode": "KRAKEN", "bucketCode": bucket}, "BTC", Decimal("1.1"))
        )
    nexus.reserves.append(
        (day(-3), {"type": "Coldstore", "code": None, "cryptoCode": "BTC", "tokenCode": "BTC"}, "BTC", Decimal(4))
    )
    nexus.reserves.append((day(-3), {"type": None}, "BTC", Decimal(4)))
    at.copy(*ALL)
    found = at.reconcile(*ALL)
    assert found.differences == []
    assert {f"{place} {code}" for place, code in outcomes(found, RESERVES)} == {
        *(" BTC", "Coldstore BTC", "Exchange BTC", "Exchange KRAKEN BTC", "Exchange KRAKEN EUR", "Yield BTC"),
    }


def test_a_wrong_reserve_is_found_with_its_second(at: Bench) -> None:
    for number in range(1, 9):
        at.nexus.order(f"O{number}", f"{number}.5", f"{number}00", f"0.0{number}", day(number))
    at.nexus.reserves.append((day(5), {"type": "Exchange", "exchangeCode": "KRAKEN"}, "EUR", Decimal("-0.05")))
    at.copy(*ALL)
    line = the(at.reconcile(*ALL), RESERVES)
    assert line.at == ("Exchange KRAKEN", "EUR")
    assert named(line) == {"O5"}


def test_finished_filters_that_have_no_effect_change_nothing(at: Bench) -> None:
    at.nexus.takes_in = True
    at.nexus.order("O1", "1", "100", "0.5", MOMENT)
    at.nexus.order("O2", "2", "200", "0.7", MOMENT + timedelta(days=1))
    at.nexus.order("O3", "3", "300", "0.9", day(1))
    at.copy(*ALL)
    at.nexus.ignores |= {"finishedFrom", "finishedTill"}
    try:
        found = at.reconcile(*ALL)
    except NexusError:
        return  # refused, as records outside of what was asked for void a reading
    assert found.differences == []


@pytest.mark.parametrize("is_booked", [True, False])
def test_the_hot_wallet_is_that_of_the_moment(at: Bench, is_booked: bool) -> None:
    at.nexus.entry("H1", "1.5", day(1))
    at.nexus.entry("H2", "-1E-8", day(2), is_booked=is_booked)
    at.nexus.entry("H3", "7", day(20))
    at.copy("hot_wallet_mutations")
    found = at.reconcile("hot_wallet_mutations")
    assert outcomes(found, HOT) == {("HotWallet", "BTC"): Outcome.AGREES if is_booked else Outcome.DIFFERS}
    assert is_booked or named(the(found, HOT)) == {"H2"}


def test_a_hot_wallet_that_moves_while_it_is_read_is_read_again(at: Bench) -> None:
    at.nexus.entry("H1", "1.5", day(1))
    at.nexus.entry("E1", "2", day(1), cryptoCode="ETH", is_booked=False)
    at.copy("hot_wallet_mutations")
    numbers = itertools.count(1)

    def moving(times: int) -> Any:
        def reply(_: Any) -> bytes:
            if (number := next(numbers)) <= times:
                at.nexus.entry(f"X{number}", "1", day(20) + number * SECOND)
            total = sum(each["cryptoAmount"] for each in at.nexus.records[LEDGER] if each["cryptoCode"] == "BTC")
            rows = (("BTC", total), ("ETH", 2))
            return scripted.plain([{"cryptoCode": code, "confirmedReserve": amount} for code, amount in rows])

        return reply

    at.nexus.answers["/balances/hotwallet"] = moving(2)
    assert set(outcomes(at.reconcile("hot_wallet_mutations"), HOT).values()) == {Outcome.AGREES}
    at.nexus.answers["/balances/hotwallet"] = moving(1000)
    found = at.reconcile("hot_wallet_mutations")
    assert outcomes(found, HOT) == {("HotWallet", "ETH"): Outcome.AGREES}
    assert [note for note in found.notes if "BTC" in note]
    assert (found.is_fine, found.differences) == (False, [])
    assert ", and 1 could not be compared" in found.text


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"BTC": 1}, ""),
        ({"btc": 1, "EUR": 1}, ""),
        ({"ETH": 1}, ""),
        ({"XBT": 1}, "XBT"),
        ({"BTC": 1, "USD": 0}, "USD"),
        ({}, ""),
        (1, ""),
    ],
)
def test_a_tolerance_of_what_nobody_has_is_refused(at: Bench, given: Any, refused: str) -> None:
    at.nexus.trade("T1", "3", day(1))
    at.nexus.entry("E1", "2", day(1), cryptoCode="ETH", is_booked=False)
    at.nexus.reserves = [(day(-1), {"type": "Coldstore"}, "BTC", Decimal(3)), (day(-1), {"type": "Coldstore"}, "EUR", Decimal(3))]
    at.copy("transactions")
    at.copy("hot_wallet_mutations")
    if not refused:
        at.reconcile("transactions", "hot_wallet_mutations", tolerance=Tolerance(given))
        return
    with pytest.raises(NexusConfigurationError, match=f"tolerance is given for {refused}, of which neither"):
        at.reconcile("transactions", "hot_wallet_mutations", tolerance=Tolerance(given))
    assert not [path for path in at.paths() if path.startswith("/customer")], "before customers are asked for"


@pytest.mark.parametrize(("there", "differs"), [("2.9999999999999999999999", True), ("3", False), ("1000", False)])
def test_less_in_reserve_than_is_owed_is_found(at: Bench, there: str, differs: bool) -> None:
    at.nexus.trade("T1", "3", day(1))
    at.nexus.reserves = [(day(-1), {"type": "Coldstore"}, "BTC", Decimal(there))]
    at.copy("transactions")
    found = at.reconcile("transactions")
    assert outcomes(found, PROOF) == {("all places", "BTC"): Outcome.DIFFERS if differs else Outcome.AGREES}
    assert len(found.differences) == differs


def test_questions_about_all_customers_are_asked_once(at: Bench) -> None:
    for number in range(20):
        at.nexus.trade(f"T{number}", "1", day(1), f"C{number}")
        at.nexus.order(f"O{number}", "1", "2", "3", day(2))
    at.copy("transactions", *ALL)
    before = len(at.server.asked)
    found = at.reconcile("transactions", *ALL)
    assert found.is_fine
    assert found.calls == len(at.server.asked) - before <= 20 + 2 + 2 + 4
    assert len(at.server.asked) == len(at.paths())
    assert ORDERS in at.paths()
