"""A month of the sandbox in each kind of copy: what dbt's models say is what Nexus says, to the last digit."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.api.lifecycles import BROKER_TRANSACTION, TRANSACTION, Phase
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.extract.totals import Totals, sum_of, totals_of
from airflow_provider_nexus.sandbox import Sandbox
from tests.dbt.building import Store, command, in_another_zone
from tests.dbt.worlds import at, load_month, month, records_of
from tests.extract.serving import client_of
from tests.load.sql.databases import Databases
from tests.repeated import times

pytestmark = pytest.mark.databases
AS_OF = datetime(2026, 2, 1)


class Built:
    """A month that was loaded, and what dbt said to all models and tests on it."""

    def __init__(self, sandbox: Sandbox, store: Store, said: str) -> None:
        self.sandbox, self.store, self.said = sandbox, store, said


def day_of(record: dict[str, Any]) -> date:
    return date.fromisoformat(record["created"][:10])


def upper(text: str | None) -> str | None:
    return text.upper() if text else text


def sums_by(
    records: Iterable[dict[str, Any]], key: Callable[[dict[str, Any]], tuple[Any, ...]], amounts: tuple[str, ...]
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Number of records and exact sums of each group; null where no amount is known."""
    groups = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return {
        group: (len(mine), *(sum_known(at(each, path) for each in mine) for path in amounts)) for group, mine in groups.items()
    }


def sum_known(values: Iterable[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum_of(known) if known else None


def by_key(rows: Iterable[tuple[Any, ...]], width: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {row[:width]: row[width:] for row in rows}


def check_each_test_of_the_package_passes_and_none_is_left_out(built: Built) -> None:
    assert "WARN=0 ERROR=0 SKIP=0" in built.said
    assert "builds nothing" not in built.said
    assert built.said.count("equals_manifests") >= 2 * 15


def check_each_column_of_each_model_is_described(built: Built) -> None:
    nodes = json.loads((built.store.folder / "target" / "manifest.json").read_bytes())["nodes"].values()
    described = {
        (node["name"], name)
        for node in nodes
        if node["resource_type"] == "model" and node["description"]
        for name, column in node["columns"].items()
        if column["description"]
    }
    schema = built.store.profile().get("schema", "main")
    found = built.store.rows(f"SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '{schema}'")
    assert {pair for pair in found if "nexus" in pair[0]} == described
    assert len({name for name, _ in described}) == 15 + 12


def check_transactions_by_day(built: Built) -> None:
    names = ("status", "type", "direction", "currencyCode", "cryptoCode", "paymentMethodCode")
    amounts = ("executedAmounts.fiatValue", "executedAmounts.cryptoAmount", "fees.partnerFeeFiat", "fees.actualNetworkFeeFiat")
    expected = sums_by(
        records_of(built.sandbox, "transactions"),
        lambda each: (day_of(each), *(upper(each[name]) if name in names[:3] else each[name] for name in names)),
        (*amounts, "swapMarginAmountCrypto"),
    )
    rows = built.store.rows(
        "SELECT day, status, type, direction, currency_code, crypto_code, payment_method_code, transactions, executed_fiat_value,"
        " executed_crypto_amount, partner_fee_fiat, actual_network_fee_fiat, swap_margin_crypto FROM nexus_transactions_by_day"
    )
    assert by_key(rows, 7) == expected
    assert len({key[0] for key in expected}) > 25


def check_the_margin_is_of_those_whose_fees_are_known(built: Built) -> None:
    expected = defaultdict(list)
    for each in records_of(built.sandbox, "transactions"):
        charged, paid = at(each, "fees.networkFeeFiat"), at(each, "fees.actualNetworkFeeFiat")
        if charged is not None and paid is not None:
            expected[each["currencyCode"]].append(charged - paid)
    rows = built.store.rows("SELECT currency_code, sum(network_fee_margin_fiat) FROM nexus_transactions_by_day GROUP BY 1")
    assert {code: total for code, total in rows if total is not None} == {code: sum_of(each) for code, each in expected.items()}


def check_broker_transactions_are_those_of_the_totals(built: Built) -> None:
    fields = get_resource("broker_transactions").totals_fields
    client = client_of(built.sandbox)
    stated = totals_of(client.run("GET", "/transaction/totals")["totals"], fields)
    client.session.close()
    found = Totals()
    names = ("payout", "tradeValue", "bankCommission", "partnerCommission", "networkCommission")
    rows = built.store.rows(
        "SELECT status, currency_code, sum(transactions), sum(payout), sum(trade_value), sum(bank_commission),"
        " sum(partner_commission), sum(network_commission) FROM nexus_broker_transactions_by_day GROUP BY 1, 2"
    )
    for status, currency, count, *sums in rows:
        found.add((status, currency, None), int(count), dict(zip(names, sums, strict=True)))
    assert found.same_as(stated)
    assert sum(found.counts.values()) > 200
    without_one = found.less(Totals({next(iter(found.counts)): 1}))
    assert not without_one.same_as(stated)


def check_orders_by_day(built: Built) -> None:
    expected = sums_by(
        records_of(built.sandbox, "orders"),
        lambda each: (day_of(each), upper(each["status"]), at(each, "tradePair.currencyCode"), at(each, "tradePair.cryptoCode")),
        ("amount", "executed.value", "executed.fee"),
    )
    rows = built.store.rows(
        "SELECT day, status, currency_code, crypto_code, sum(orders), sum(amount), sum(executed_value), sum(executed_fee)"
        " FROM nexus_orders_by_day GROUP BY 1, 2, 3, 4"
    )
    assert by_key(rows, 4) == expected


def check_a_table_whose_last_load_is_of_open_records_is_among_them(built: Built) -> None:
    """Its manifest states the sums of a few records, which are no window and no snapshot."""
    if built.store.url:
        last = sa.text("SELECT feed FROM nexus_manifest WHERE resource = 'orders' ORDER BY number DESC LIMIT 1")
        with built.store.engine.connect() as connection:
            assert connection.execute(last).scalar_one() == "open"


def completed(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """All that succeeded, by code."""
    both = {}
    for name, lifecycle in (("broker_transactions", BROKER_TRANSACTION), ("transactions", TRANSACTION)):
        mine = [each for each in records_of(sandbox, name) if lifecycle.phase(each["status"]) is Phase.SUCCEEDED]
        both.update({each["transactionCode"]: each for each in mine})
    return both


def check_a_trade_that_both_generations_have_is_counted_once(built: Built) -> None:
    expected: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for each in completed(built.sandbox).values():
        value = each["tradeValue"] if "tradeValue" in each else at(each, "executedAmounts.fiatValue")
        expected[day_of(each), each["currencyCode"], each["paymentMethodCode"]].append(value)
    rows = built.store.rows("SELECT day, currency_code, payment_method_code, transactions, volume_fiat FROM nexus_volumes_by_day")
    assert by_key(rows, 3) == {key: (len(values), sum_known(values)) for key, values in expected.items()}


def check_balances_are_those_of_nexus(built: Built) -> None:
    client = client_of(built.sandbox)
    stated = {each["code"]: each["total"] for each in client.run("GET", "/balances")["cryptoBalances"]}
    client.session.close()
    rows = built.store.rows(
        "SELECT code, balance FROM nexus_balances_by_day"
        " WHERE kind = 'crypto' AND day = (SELECT max(day) FROM nexus_balances_by_day)"
    )
    assert {code: balance for code, balance in rows if balance} == {code: total for code, total in stated.items() if total}
    assert len(stated) > 3


def check_a_balance_lasts_until_the_next_change(built: Built) -> None:
    (code,), *_ = built.store.rows(
        "SELECT code FROM nexus_balance_changes WHERE kind = 'crypto' ORDER BY transactions DESC, code"
    )
    day = AS_OF.date() - timedelta(days=15)
    mine = [each for each in records_of(built.sandbox, "transactions") if each["cryptoCode"] == code and day_of(each) <= day]
    done = [each for each in mine if each["status"].upper() == "COMPLETED"]
    expected = sum_of(at(each, "balanceMutation.crypto") for each in done)
    lasting = f"kind = 'crypto' AND code = '{code}' AND day <= '{day}' AND (until_day IS NULL OR until_day > '{day}')"
    assert built.store.rows(f"SELECT sum(balance) FROM nexus_balance_changes WHERE {lasting}") == [(expected,)]
    exactly = f"kind = 'crypto' AND code = '{code}' AND day = '{day}'"
    assert built.store.rows(f"SELECT balance FROM nexus_balances_by_day WHERE {exactly}") == [(expected,)]


def check_open_payouts_by_age(built: Built) -> None:
    expected = {}
    for each in records_of(built.sandbox, "broker_transactions"):
        status = each["status"].upper()
        if status in ("TOPAYOUT", "PAYOUTCONFIRMING", "PAYOUTONHOLD") or (status, each["type"]) == ("BLOCKED", "SELL"):
            age = AS_OF - datetime.fromisoformat(each["created"][:19])
            expected[each["transactionCode"]] = (each["payout"], age.days)
    rows = built.store.rows(
        "SELECT transaction_code, fiat_amount, age_days FROM nexus_open_payouts WHERE resource = 'broker_transactions'"
    )
    assert by_key(rows, 1) == {(code,): values for code, values in expected.items()}
    assert expected
    counted = built.store.rows("SELECT sum(payouts) FROM nexus_open_payouts_by_age")
    assert counted == built.store.rows("SELECT count(*) FROM nexus_open_payouts")


def check_each_movement_is_in_the_extract_with_the_country_of_its_customer(built: Built) -> None:
    countries = {each["customerCode"]: each["countryCode"] for each in records_of(built.sandbox, "customers")}
    expected = {
        (code,): (countries[each["customerCode"]],)
        for code, each in completed(built.sandbox).items()
        if each["type"].upper() != "SENDTOBUCKET"
    }
    rows = built.store.rows("SELECT transaction_code, country_code FROM nexus_reportable_movements")
    assert by_key(rows, 1) == expected
    kinds = built.store.rows("SELECT DISTINCT movement, in_or_out FROM nexus_reportable_movements")
    assert ("ACQUISITION FOR FIAT", "IN") in kinds
    assert ("TRANSFER OUT", "OUT") in kinds


def check_customers_by_status_at_the_end_of_a_day(built: Built) -> None:
    few = [code for (code,) in built.store.rows("SELECT DISTINCT customer_code FROM nexus_customer_states")]
    history = records_of(built.sandbox, "customer_compliance_history", few)
    day = AS_OF.date() - timedelta(days=10)
    last = {each["customerCode"]: each for each in sorted(history, key=lambda each: each["created"]) if day_of(each) <= day}
    expected: dict[tuple[Any, ...], int] = defaultdict(int)
    for each in last.values():
        expected[upper(each["status"]), upper(each["riskQualification"])] += 1
    query = f"SELECT status, risk_qualification, customers FROM nexus_customers_by_day WHERE day = '{day}' AND customers > 0"
    assert by_key(built.store.rows(query), 2) == {key: (count,) for key, count in expected.items()}
    assert expected


CHECKS = [check for name, check in globals().items() if name.startswith("check_")]


@pytest.mark.parametrize("kind", ["postgresql+psycopg2", "parquet", *["sqlite"] * times(0, 1)])
def test_a_month(kind: str, databases: Databases, tmp_path: Path, subtests: pytest.Subtests) -> None:
    """One test for each kind, as the worker that has the models must have them all."""
    command()
    url = "" if kind == "parquet" else databases.url(kind, tmp_path)
    with month() as sandbox, in_another_zone(url, tmp_path) as store:
        load_month(sandbox, store)
        built = Built(sandbox, store, store.dbt("build", nexus_as_of=AS_OF.isoformat(" ")))
        for check in CHECKS:
            with subtests.test(check.__name__):
                check(built)
