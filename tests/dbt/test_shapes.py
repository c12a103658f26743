"""Records as the facts say that they can come: nulls, missing codes, negative and tiny amounts, unknown words, deleted ones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.extract.window import RequestedWindow
from tests.dbt.building import Store, command, in_another_zone
from tests.dbt.worlds import Nexus, sync
from tests.load.sql.databases import Databases
from tests.repeated import times

pytestmark = pytest.mark.databases
JANUARY = RequestedWindow(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), "arguments")
VARIABLES: dict[str, Any] = {"nexus_as_of": "2026-02-05 12:00", "nexus_histories": ["customers"]}
TRANSACTIONS, BROKER, CUSTOMERS, ORDERS, MAILS = "/transactions/custodian", "/transaction", "/customer", "/orders", "/mail"


def transaction(code: str, created: str, kind: str = "BUY", status: str = "COMPLETED", **members: Any) -> dict[str, Any]:
    return {"transactionCode": code, "created": created, "type": kind, "status": status, **members}


def amounts(crypto: str, fiat: str) -> dict[str, Any]:
    return {"cryptoAmount": Decimal(crypto), "fiatValue": Decimal(fiat), "cryptoPrice": None}


EUR = {"currencyCode": "EUR", "cryptoCode": "BTC", "paymentMethodCode": "IDEAL", "customerCode": "C1"}
MINE = [
    transaction("T1", "2026-01-01T23:59:59.999999Z", executedAmounts=amounts("1E-8", "0.30000000000000004"), **EUR)
    | {"balanceMutation": {"crypto": Decimal("1E-8"), "fiat": None}},
    transaction("T2", "2026-01-02T00:00:00Z", executedAmounts=amounts("0.1", "99999999999999999.99"), **EUR)
    | {"fees": {"networkFeeFiat": Decimal("0.1"), "actualNetworkFeeFiat": None, "partnerFeeFiat": Decimal("-2.5")}},
    transaction("T3", "2026-01-02T00:30:00+01:00", "SELL", "Completed", executedAmounts=amounts("-0.5", "-10"), **EUR)
    | {"balanceMutation": {"crypto": Decimal("-0.5"), "fiat": Decimal(10)}},
    # whatever can be missing
    transaction("T4", "2026-01-03T12:00:00Z", "RECEIVEIN"),
    transaction("T5", "2026-01-03T12:00:00Z", "airdrop", "Completed", cryptoCode="BTC", customerCode="nobody"),
    transaction("T6", "2026-01-03T12:00:00Z", "SELL", "Reversed", currencyCode="EUR", executedAmounts=None, fees=None),
    transaction("T7", "2026-01-04T12:00:00Z", "SWAP", direction="source", executedAmounts=amounts("2", "20"), **EUR),
    transaction("T8", "2026-01-04T12:00:00Z", "SWAP", direction="Destination", linkedTransactionCode="T7", cryptoCode="ETH"),
    transaction("T9", "2026-01-05T12:00:00Z", "SENDTOBUCKET", executedAmounts=amounts("1", "1"), **EUR),
    transaction("B1", "2026-01-05T12:00:00Z", "BROKERSELL", "ToPayout", requestedAmounts=amounts("1", "7"), **EUR),
]
THEIRS = [
    transaction("B1", "2026-01-05T12:00:00Z", "SELL", "PayoutOnHold", tradeValue=Decimal(8), payout=Decimal("6.00000000000001")),
    transaction(
        "B2", "2026-01-06T12:00:00Z", "BUY", "BUYCOMPLETED", tradeValue=Decimal("1.1"), customerCode="C2", isSettled=None
    ),
    transaction("B3", "2026-01-06T12:00:00Z", "GIFT", "something new", payout=None, currencyCode=None),
]


def customer(code: str, status: str | None, risk: str | None, country: str | None) -> dict[str, Any]:
    members = {"customerCode": code, "created": f"2026-01-0{code[1]}T10:00:00Z", "status": status}
    return members | {"riskQualification": risk, "countryCode": country, "trustlevel": "Basic"}


def load(nexus: Nexus, store: Store) -> None:
    client = nexus.client()
    for name in ("transactions", "broker_transactions", "customers", "orders", "mails"):
        sync(client, store, name, JANUARY, history=name == "customers")
    client.session.close()


def check_each_digit_of_a_day_is_there(built: Store) -> None:
    rows = built.rows(
        "SELECT day, type, executed_fiat_value, executed_crypto_amount FROM nexus_transactions_by_day WHERE day < '2026-01-03'"
    )
    assert sorted(rows) == [
        (date(2026, 1, 1), "BUY", Decimal("0.30000000000000004"), Decimal("0.00000001")),
        (date(2026, 1, 1), "SELL", Decimal(-10), Decimal("-0.5")),
        (date(2026, 1, 2), "BUY", Decimal("99999999999999999.99"), Decimal("0.1")),
    ]
    (total,) = built.rows("SELECT volume_fiat FROM nexus_volumes_by_day WHERE day = '2026-01-01'")
    assert total == (Decimal("-9.69999999999999996"),)


def check_what_is_missing_is_null_and_counted(built: Store) -> None:
    rows = built.rows(
        "SELECT type, status, currency_code, crypto_code, transactions, executed_fiat_value FROM nexus_transactions_by_day"
        " WHERE day = '2026-01-03'"
    )
    assert sorted(rows, key=str) == [
        ("AIRDROP", "COMPLETED", None, "BTC", 1, None),
        ("RECEIVEIN", "COMPLETED", None, None, 1, None),
        ("SELL", "REVERSED", "EUR", None, 1, None),
    ]
    fees = built.rows(
        "SELECT partner_fee_fiat, network_fee_fiat, network_fee_margin_fiat FROM nexus_volumes_by_day WHERE day = '2026-01-02'"
    )
    assert fees == [(Decimal("-2.5"), Decimal("0.1"), None)]


def check_what_was_deleted_or_changed_later_is_as_it_is_now(built: Store) -> None:
    rows = built.rows("SELECT status, transactions FROM nexus_transactions_by_day WHERE day = '2026-01-09'")
    assert rows == [("CANCELLED", 1)]


def check_an_empty_table_has_no_days(built: Store) -> None:
    assert built.rows("SELECT count(*) FROM nexus_orders_by_day") == [(0,)]


def check_balances(built: Store) -> None:
    rows = built.rows("SELECT day, kind, code, balance FROM nexus_balances_by_day WHERE day < '2026-01-03'")
    assert sorted(rows) == [
        (date(2026, 1, 1), "crypto", "BTC", Decimal("-0.49999999")),
        (date(2026, 1, 1), "fiat", "EUR", Decimal(10)),
        (date(2026, 1, 2), "crypto", "BTC", Decimal("-0.49999999")),
        (date(2026, 1, 2), "fiat", "EUR", Decimal(10)),
    ]


def check_the_extract_says_what_is_not_known(built: Store) -> None:
    rows = built.rows(
        "SELECT transaction_code, movement, in_or_out, country_code, is_customer_known FROM nexus_reportable_movements"
    )
    assert sorted(rows) == [
        ("B2", "ACQUISITION FOR FIAT", "IN", None, True),
        ("T1", "ACQUISITION FOR FIAT", "IN", "NL", True),
        ("T2", "ACQUISITION FOR FIAT", "IN", "NL", True),
        ("T3", "DISPOSAL FOR FIAT", "OUT", "NL", True),
        ("T4", "TRANSFER IN", "IN", None, False),
        ("T5", "NOT CLASSIFIED", None, None, False),
        ("T7", "DISPOSAL FOR CRYPTO", "OUT", "NL", True),
        ("T8", "ACQUISITION FOR CRYPTO", "IN", None, False),
    ]
    sold = built.rows("SELECT crypto_amount, fiat_value FROM nexus_reportable_movements WHERE transaction_code = 'T3'")
    assert sold == [(Decimal("0.5"), Decimal(10))]


def check_a_payout_of_both_generations_is_one(built: Store) -> None:
    rows = built.rows("SELECT transaction_code, resource, is_held, fiat_amount, age_days, age FROM nexus_open_payouts")
    assert rows == [("B1", "broker_transactions", True, Decimal("6.00000000000001"), 31, "4 from 30 days")]


def check_customers_by_the_history_of_their_table(built: Store) -> None:
    """In Auckland both loads were a day later."""
    states = built.rows(
        "SELECT customer_code, status, risk_qualification, valid_from, valid_until, known_by FROM nexus_customer_states"
    )
    first, second = datetime(2026, 2, 1, 23, 30), datetime(2026, 2, 3, 0, 30)
    # a client's clock goes on while it reads
    found = [(*row[:3], *(at and at.replace(minute=30, second=0) for at in row[3:5]), row[5]) for row in states]
    assert sorted(found) == [
        ("C1", "ACTIVE", "LOW", first, second, "history of the table"),
        ("C1", "BLOCKED", "VERYHIGH", second, None, "history of the table"),
        ("C2", "ACTIVE", None, first, None, "history of the table"),
        ("C3", "NEW", "NONE", first, second, "history of the table"),
    ]
    rows = built.rows("SELECT day, status, risk_qualification, customers FROM nexus_customers_by_day WHERE customers > 0")
    before = [
        (date(2026, 2, day), *each) for day in (1, 2) for each in (("ACTIVE", "LOW", 1), ("ACTIVE", None, 1), ("NEW", "NONE", 1))
    ]
    after = [(date(2026, 2, day), *each) for day in (3, 4, 5) for each in (("ACTIVE", None, 1), ("BLOCKED", "VERYHIGH", 1))]
    assert sorted(rows, key=str) == sorted([*before, *after], key=str)


def change_a_digit(built: Store) -> None:
    """What somebody changes by hand is found."""
    with built.engine.begin() as connection:
        tiny = "'0.000000010000000000000001'"
        connection.execute(sa.text(f"UPDATE nexus_transactions SET executed_amounts_crypto_amount = {tiny} WHERE _key = 'T1'"))
    said = built.dbt("test", "--select", "stg_nexus__transactions", fails=True, **VARIABLES)
    assert "FAIL 1 dbt_nexus_equals_manifests_stg_nexus__transactions" in said
    assert "ERROR=1" in said


CHECKS = [check for name, check in globals().items() if name.startswith("check_")]


@pytest.mark.parametrize("kind", ["sqlite", *["postgresql+psycopg2"] * times(0, 1)])
def test_shapes(kind: str, databases: Databases, tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Loaded on the 1st of February, and again on the 3rd, when some had changed and some were gone."""
    command()
    people = [customer("C1", "ACTIVE", "Low", "NL"), customer("C2", "Active", None, None), customer("C3", "NEW", "None", "DE")]
    gone, changed = transaction("T0", "2026-01-09T12:00:00Z"), transaction("TX", "2026-01-09T12:00:00Z", status="Initiated")
    records = {TRANSACTIONS: [*MINE, gone, changed], BROKER: THEIRS, CUSTOMERS: people, ORDERS: [], MAILS: []}
    nexus = Nexus(records, datetime(2026, 2, 1, 23, 30, tzinfo=UTC))
    with nexus.server, in_another_zone(databases.url(kind, tmp_path), tmp_path) as store:
        load(nexus, store)
        records[TRANSACTIONS] = [*MINE, changed | {"status": "CANCELLED"}]
        records[CUSTOMERS] = [customer("C1", "Blocked", "VeryHigh", "NL"), people[1]]
        nexus.now = datetime(2026, 2, 3, 0, 30, tzinfo=UTC)
        load(nexus, store)
        store.dbt("build", **VARIABLES)
        store.dbt("run", "--select", "nexus_transactions_by_day", **VARIABLES)  # in place of the table that is there
        for check in CHECKS:
            with subtests.test(check.__name__):
                check(store)
        if store.kind == "sqlite":  # whose JSON DuckDB reads in a way of its own
            change_a_digit(store)
