"""What each example says of itself in Airflow's user interface."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_nexus.cli.throwaway import example_dags
from tests.airflow.example_dags.loading import example

ROOT = Path(__file__).parents[3]
MOMENTS = ("window_start", "window_end", "since")
NAMES = sorted(path.stem for path in example_dags().glob("example_*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_is_needed_and_where_more_is(name: str) -> None:
    dag = example(name)
    said = dag.doc_md or ""
    assert [param for param in dag.params if f"`{param}`" not in said] == []
    assert "`nexus_default`" in said
    assert "sandbox" in said
    pages = re.findall(r"`(docs/\w+\.rst)`", said)
    assert pages
    assert [page for page in pages if not (ROOT / page).is_file()] == []
    assert len(said.splitlines()[0]) > 40
    assert re.search(r"\]\(https://\S+\)", said), "a name of a page that can't be clicked is all there would be"


@pytest.mark.parametrize("name", NAMES)
def test_its_form_has_titles_help_and_date_pickers(name: str) -> None:
    for key, param in example(name).params.items():  # type: ignore[no-untyped-call]
        schema = param.schema
        assert schema.get("title"), key
        assert param.description or schema.get("description_md"), key
        assert (schema.get("format") == "date-time") is (key in MOMENTS), key


@pytest.mark.parametrize("name", NAMES)
def test_it_writes_below_the_home_of_airflow(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A throw-away Airflow is gone when its folder is."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    places = [value for value in example(name).params.dump().values() if re.match(r"\w+://|/", str(value))]
    assert [place for place in places if not str(place).removeprefix("file://").startswith(f"{tmp_path}/nexus/")] == []
    assert places or name.removeprefix("example_nexus_") in ("compliance", "dbt", "wait"), "a database, or nothing"


@pytest.mark.parametrize("name", NAMES)
def test_its_lists_are_markdown(name: str) -> None:
    """A list needs an empty line before it, and its further lines are indented."""
    blocks = (example(name).doc_md or "").split("\n\n")
    for block in blocks:
        lines = block.splitlines()
        if any(line.startswith("- ") for line in lines):
            assert all(line.startswith(("- ", "  ")) for line in lines), block
