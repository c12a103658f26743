"""The sum that models use in DuckDB is exact, or an error."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from airflow_provider_nexus.extract.totals import sum_of
from tests.dbt.building import PACKAGE

SCALE = 24
ROOM = 10**14
AMOUNTS = st.decimals(min_value=-(ROOM - 1), max_value=ROOM - 1, places=SCALE, allow_nan=False)
MACROS = (PACKAGE / "macros" / "values.sql").read_text()


def added(amounts: list[Decimal | None]) -> Decimal | None:
    """What the SQL of the package's macro makes of a column of amounts."""
    text = f"{MACROS}{{{{ sum('amount', {SCALE}) }}}}"
    total = Environment(autoescape=False).from_string(text).render(target={"type": "duckdb"})
    values = ", ".join("(NULL)" if each is None else f"('{each:f}')" for each in amounts)
    column = f"SELECT CAST(v AS DECIMAL(38, {SCALE})) AS amount FROM (VALUES {values}) AS t(v)"
    with duckdb.connect() as connection:
        found: Decimal | None = connection.execute(f"SELECT {total} FROM ({column})").fetchall()[0][0]
    return found


@settings(max_examples=15)
@given(st.lists(st.none() | AMOUNTS, min_size=1, max_size=8))
def test_it_is_that_of_python_or_an_error(amounts: list[Decimal | None]) -> None:
    known = [each for each in amounts if each is not None]
    has_room = abs(sum(int(each) for each in known)) < ROOM - len(known)
    with nullcontext() if has_room else suppress(duckdb.Error):
        assert added(amounts) == (sum_of(known) if known else None)


def test_what_has_no_room_in_38_digits_is_an_error() -> None:
    """DuckDB's own sum would go on to 39 digits, and beyond."""
    with pytest.raises(duckdb.Error, match="out of range"):
        added([Decimal(ROOM - 1), Decimal(1)])
