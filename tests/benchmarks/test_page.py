"""`make bench` measures and writes its page; how fast anything is does not matter here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import page
from benchmarks.environments import ROOT, versions_of
from benchmarks.results import PEERS
from benchmarks.ways import BARE, OURS, WAYS

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.slow
def test_the_command_measures_and_writes_the_page(tmp_path: Path) -> None:
    ways = ["iter_records", "json", "parquet", "sqlite"]
    options = ["--runs", "1", "--portion", "0.01", "--ways", *ways, "--only", "speed", "floors", "--into", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "benchmarks", *options], check=True, capture_output=True, timeout=600, cwd=ROOT)
    text = (tmp_path / page.PAGE).read_text()
    for name in ways:
        row = re.search(rf"^   \* - {re.escape(WAYS[name].label)}\n((?:     .*\n)+)", text, re.MULTILINE)
        assert row, name
        ratios = re.findall(r"- \| ([\d.]+)\n +\| ([\d.]+) to ([\d.]+)\n", row[1])
        assert len(ratios) >= 3, text
        assert all(0 < float(low) <= float(middle) <= float(high) for middle, low, high in ratios)
        assert f"{WAYS[name].label} to the {WAYS[BARE].label}" in text
    plot = ElementTree.parse(tmp_path / page.PLOT)
    assert len(plot.findall(f"{_SVG}circle")) >= 12


def test_the_page_is_what_the_stored_results_make_of_its_template(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / page.RESULTS).write_text((ROOT / page.RESULTS).read_text())
    page.write(tmp_path)
    for name in (page.PAGE, page.PLOT):
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), "run `.venv/bin/python -m benchmarks.page`"


def test_all_versions_of_the_peers_are_pinned() -> None:
    environments = {way.environment for way in WAYS.values()} - {OURS}
    assert environments == PEERS.keys()
    for environment, name in PEERS.items():
        lines = (ROOT / "benchmarks" / "peers" / f"{environment}.txt").read_text().splitlines()
        assert name in versions_of(environment)
        assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+!]+", line)] == []
