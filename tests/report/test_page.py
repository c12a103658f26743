"""The page says what the manifests say, all of it, and nothing that they smuggle in."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.report import write_report
from airflow_provider_nexus.report.amounts import exact, label_of, rounded
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.verify.files import verify
from tests.extract.serving import client_of
from tests.load.storing import put
from tests.report.pages import Page
from tests.report.trees import DAYS, ENVIRONMENT, GAP, MADE_AT, edit, midnight, spread, windows

HOSTILE = "</style></svg><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


def page_of(root: Path, **arguments: Any) -> Page:
    return Page.of(write_report(root, made_at=MADE_AT, **arguments))


def test_a_tree_without_manifests_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NexusConfigurationError, match="no manifest under"):
        write_report(tmp_path)
    with pytest.raises(NexusConfigurationError):
        write_report(tmp_path / "nowhere")


def test_the_same_manifests_make_the_same_page(grown: Path) -> None:
    assert write_report(grown, made_at=MADE_AT) == write_report(grown, made_at=MADE_AT)


def test_all_links_lead_somewhere(grown: Path) -> None:
    page = page_of(grown)
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (grown / link).is_file(), link
    written = {str(path.relative_to(grown)) for path in grown.glob("*/*/2*/_manifest.json")}
    assert {link for link in page.links if not link.startswith("#")} == written


def test_links_can_start_elsewhere(grown: Path) -> None:
    links = [link for link in page_of(grown, links_from="../data/").links if not link.startswith("#")]
    assert links
    assert all(link.startswith(f"../data/{ENVIRONMENT}/") for link in links)


@pytest.mark.parametrize("under", ["", ENVIRONMENT, f"{ENVIRONMENT}/customers"])
def test_any_folder_of_the_tree_can_be_reported_on(grown: Path, under: str) -> None:
    page = page_of(grown / under)
    look = page.text.partition("To look into")[2]
    assert look.split()[0] == f"{midnight(GAP):%Y-%m-%d}" if under.endswith("customers") else look.split()[0] == "customers:"
    assert f"Nexus, {ENVIRONMENT}: " in page.text
    for link in page.links:
        assert link.startswith("#") or (grown / under / link).is_file()


def test_each_window_has_a_mark_that_leads_to_it(grown: Path) -> None:
    page = page_of(grown)
    details = {each for each in page.ids if re.fullmatch(r"r\d+-[wg]\d+", each)}
    marked = {link[1:] for link in page.links if link.startswith("#")}
    assert details
    assert details <= marked
    assert len([each for each in details if "-w" in each]) == len(list(grown.glob("*/*/2*/_manifest.json")))


def test_gaps_and_what_is_unproved_are_told_first(grown: Path) -> None:
    text = page_of(grown).text
    assert f"{midnight(GAP):%Y-%m-%d} to {midnight(GAP + 1):%Y-%m-%d} is in no window" in text
    assert text.count("is unproved") == 2
    assert "2 unproved windows and 1 gap. Read up to" in text


def test_a_shrunk_window_is_sound_but_marked(tree: Path) -> None:
    path = windows(tree, "broker_transactions")[-1]
    edit(path, lambda manifest: manifest["proof"].update(verdict="proved_shrunk", total_last=manifest["proof"]["unique"] - 1))
    page = page_of(tree / ENVIRONMENT / "broker_transactions")
    assert "All is well." in page.text
    assert f"{DAYS} of {DAYS} windows are proved complete, 1 of them though records vanished" in page.text
    shapes = [attributes.get("class") for tag, attributes in page.tags if tag == "rect"]
    assert shapes.count("S") == shapes.count("U") + 1 == shapes.count("G") + 1  # each is in the legend once


def test_a_sound_tree_says_so(grown: Path) -> None:
    text = page_of(grown / ENVIRONMENT / "broker_transactions").text
    assert "All is well. Read up to" in text
    assert f"{DAYS} of {DAYS} windows are proved complete." in text
    assert "To look into" not in text


def test_a_gap_has_words_of_its_own(grown: Path) -> None:
    text = page_of(grown / ENVIRONMENT / "customers").text
    assert "All that is stored is proved, with 1 gap between windows. Read up to" in text
    assert f"{DAYS - 1} of {DAYS - 1} windows are proved complete." in text


@pytest.mark.parametrize("under", ["", "customers", "orders", "transactions", "balances"])
def test_the_verdict_is_that_of_verify(tree: Path, under: str) -> None:
    root = tree / ENVIRONMENT / under
    found = verify(root).verdict
    assert f" UTC. {found}. Read up to" in page_of(root).text
    for folder in [path.parent for path in windows(tree, under)[3:5]]:
        shutil.rmtree(folder)
    assert under in ("", "balances") or verify(root).verdict != found
    assert verify(root).gaps == page_of(root).text.partition("Resources")[0].count("is in no window")


def test_amounts_are_exact(grown: Path) -> None:
    total: dict[str, Decimal] = {}
    for path in windows(grown, "broker_transactions"):
        for currency, digits in json.loads(path.read_text())["sums"].get("tradeValue", {}).items():
            total[currency] = total.get(currency, Decimal(0)) + Decimal(digits)
    html = write_report(grown / ENVIRONMENT / "broker_transactions", made_at=MADE_AT)
    shown, _, folded = Page.of(html).text.partition("All amounts, to the last digit")
    assert total
    for currency, value in total.items():
        assert f"Trade valuetradeValue{currency}{exact(value)}" in folded.replace(" ", "").replace("Tradevalue", "Trade value")
        assert f"{currency}{rounded(value)}" in shown.replace(" ", "")
        assert f'title="{exact(value)}">{rounded(value)}</data>' in html


@pytest.mark.parametrize(
    ("value", "unit", "shown", "whole"),
    [
        ("0", "fiat", "0.00", "0"),
        ("0E-20", "crypto", "0.00000000", "0.00"),
        ("1234567.891", "fiat", "1,234,567.89", "1,234,567.891"),
        ("-1234.5", "fiat", "-1,234.50", "-1,234.5"),
        ("0.001", "fiat", "0.0010", "0.001"),
        ("12.5", "fiat", "12.50", "12.5"),
        ("18.67322400000000000008", "crypto", "18.6732", "18.67322400000000000008"),
        ("2.50", "crypto", "2.50", "2.50"),
        ("0.00000012", "crypto", "0.00000012", "0.00000012"),
        ("1E-18", "crypto", "0.000000000000000001", "0.000000000000000001"),
        ("123456789012345678901234.5678", "crypto", "123,456,789,012,345,678,901,234.57", "123,456,789,012,345,678,901,234.5678"),
    ],
)
def test_amounts_are_rounded_for_the_eye(value: str, unit: str, shown: str, whole: str) -> None:
    assert rounded(Decimal(value), unit) == shown
    assert exact(Decimal(value)) == whole


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("executedAmounts.fiatValue", "Executed value"),
        ("tradeValue", "Trade value"),
        ("notification.merchant.expectedCryptoAmount", "Expected crypto amount"),
        ("USDAmount2", "Usd amount 2"),
        ("...", "..."),
        ("", ""),
    ],
)
def test_amounts_have_names_for_people(name: str, label: str) -> None:
    assert label_of(name) == label


def test_more_digits_than_a_float_has_are_kept(tree: Path) -> None:
    path = windows(tree, "customers")[0]
    edit(path, lambda manifest: manifest.update(sums={"tradeValue": {"EUR": "12345678901234567890.123456789012345678"}}))
    assert "12,345,678,901,234,567,890.123456789012345678" in page_of(tree).text


def test_patches_and_readings_are_told(grown: Path) -> None:
    patches = [patch for path in windows(grown, "transactions") for patch in json.loads(path.read_text()).get("patches", ())]
    text = page_of(grown / ENVIRONMENT / "transactions").text
    assert patches
    assert f"Windows that were patched, {len(patches)} times in all" in text
    assert text.count("open-2026") >= DAYS - 1


def test_open_records_are_counted(grown: Path) -> None:
    kept = json.loads((grown / ENVIRONMENT / "transactions" / "_unsettled.json").read_text())
    assert f"{len(kept)} records have not come to an end" in page_of(grown / ENVIRONMENT / "transactions").text
    assert "Not stored beside the data" in page_of(grown / ENVIRONMENT / "customers").text


def test_keys_are_not_shown_where_the_resource_is_unknown(tree: Path) -> None:
    folder = tree / ENVIRONMENT / "transactions"
    key = min(json.loads((folder / "_unsettled.json").read_text()).items(), key=lambda item: item[1])[0]
    assert key in page_of(folder).text
    for path in windows(tree, "transactions"):
        edit(path, lambda manifest: manifest.update(resource="unheard_of"))
    assert key not in page_of(folder).text


def test_new_fields_are_told(grown: Path) -> None:
    text = page_of(grown / ENVIRONMENT / "customers").text
    assert "on: new " in text
    assert "Not in the catalogue of this provider: " in text


def test_values_of_another_kind_are_told(tree: Path) -> None:
    folder = tree / ENVIRONMENT / "customers"
    assert "Of another kind than declared" not in page_of(folder).text
    for path in windows(tree, "customers")[:2]:
        edit(path, lambda manifest: manifest.update(untyped={"<b>x": 1, "isBusiness": 2}))
    assert "Of another kind than declared, and stored as they came: <b>x, isBusiness." in page_of(folder).text


def test_members_of_objects_that_are_not_filled_are_no_change(grown: Path, tree: Path) -> None:
    assert "The same in every window that has records." in page_of(grown / ENVIRONMENT / "transactions").text
    path = windows(tree, "transactions")[3]
    edit(path, lambda manifest: manifest["schema"]["fields"].remove("status"))
    assert f"From {path.parent.name} on: new none; missing status." in page_of(tree / ENVIRONMENT / "transactions").text


def test_rejected_records_are_counted_but_not_shown(grown: Path) -> None:
    aside = [json.loads(line) for path in grown.rglob("_rejected/*") for line in path.read_text().splitlines()]
    html = write_report(grown / ENVIRONMENT / "orders", made_at=MADE_AT)
    assert aside
    assert f"{len(aside)} records did not fit and were put aside" in Page.of(html).text
    for each in aside:
        assert each["field"] in html
        assert each["raw"] not in html


def test_a_manifest_changed_by_hand_breaks_the_chain(tree: Path) -> None:
    path = windows(tree, "customers")[1]
    edit(path, lambda manifest: manifest.update(records=1))
    text = page_of(tree).text
    assert f"the manifest of {path.parent.name} is not the one that was published" in text
    assert "The chain of manifests is broken in 3 places." in text


@pytest.mark.parametrize("resource", ["customers", "transactions"])
def test_a_manifest_that_contradicts_itself_is_no_proof(tree: Path, resource: str) -> None:
    """The newest one has no other behind it that knows its digest."""
    path = windows(tree, resource)[-1]
    edit(path, lambda manifest: manifest.update(records=manifest["records"] + 5))
    text = page_of(tree).text
    assert "its days don't add up to its records and sums" in text
    assert "it has" in text
    assert "All is well" not in text


def test_a_lost_manifest_is_told_as_gap_and_broken_link(tree: Path) -> None:
    path = windows(tree, "customers")[1]
    path.unlink()
    text = page_of(tree).text
    assert f"{path.parent.name} has no manifest" in text
    assert f"the window before, {path.parent.name}, has no manifest any more" in text
    assert "2 problems, 2 unproved windows and 2 gaps." in text
    assert text.count("is in no window") == 2


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_replaced_manifest_must_be_kept_as_it_was(tree: Path, damage: str) -> None:
    kept = next((tree / ENVIRONMENT / "transactions").glob("2*/_superseded/*.json"))
    if damage == "gone":
        kept.unlink()
    else:
        edit(kept, lambda manifest: manifest.update(records=1))
    text = page_of(tree).text
    assert "the manifest that was replaced is not stored" in text
    assert ("is not what its name says" in text) == (damage == "changed")


def test_folders_with_no_manifest_at_all_are_told(tree: Path) -> None:
    for path in windows(tree, "customers"):
        path.unlink()
    text = page_of(tree).text
    assert f"{ENVIRONMENT}/customers has folders of windows, none of them with a manifest" in text
    assert "UTC. 1 problem, 2 unproved windows. Read" in text.replace(" and ", ", ")


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"manifest_version": 1}'])
def test_damaged_manifests_are_unproved(tree: Path, raw: bytes) -> None:
    path = windows(tree, "orders")[0]
    path.write_bytes(raw)
    assert page_of(tree).text.count("is unproved") == 3


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xff", "its manifest can't be read"),
        (b'{"manifest_version": 1}', "its manifest can't be read: its member provider_version is not what it has to be"),
        (b'{"manifest_version": 2}', "its manifest can't be read, as it is of another version: upgrade the provider"),
    ],
)
def test_a_resource_none_of_whose_manifests_can_be_read_is_shown(tree: Path, raw: bytes, said: str) -> None:
    paths = [path for path in tree.rglob("_manifest.json") if "orders" in path.parts]
    for path in paths:
        path.write_bytes(raw)
    for root in (tree, tree / ENVIRONMENT / "orders"):
        text = page_of(root).text
        assert f"none of its {len(paths)} manifests can be read" in re.split(" Resources | Calendar ", text)[0]
        assert text.count(said) >= len(paths) > 1


@pytest.mark.parametrize("value", [HOSTILE, [HOSTILE], {HOSTILE: HOSTILE}, {HOSTILE: {HOSTILE: "1"}}, -1, 1.5, True, None])
def test_hostile_values_stay_text(tree: Path, value: object) -> None:
    clean = page_of(tree)
    names = set(json.loads(windows(tree, "transactions")[0].read_text())) - {"manifest_version"}
    for path in tree.rglob("*.json"):
        if path.name == "_manifest.json":
            edit(path, lambda manifest: manifest.update(dict.fromkeys(names, value)))
        elif path.name == "_unsettled.json":
            path.write_text(json.dumps({HOSTILE: f"2026-01-01T00:00:00Z {HOSTILE}"}))
    hostile = page_of(tree)
    assert {tag for tag, _ in hostile.tags} <= {tag for tag, _ in clean.tags} | {"strong"}
    assert not [name for _, attributes in hostile.tags for name in attributes if name.startswith("on")]
    assert "49" not in re.findall(r"\{\{.*?\}\}|\b49\b", "".join(text for text in hostile.texts if "alert" in text))


def test_hostile_amounts_are_left_out(tree: Path) -> None:
    first, *others = windows(tree, "customers")
    edit(first, lambda manifest: manifest.update(sums={"tradeValue": {"E": "9" * 5000, "F": "1.0"}}))
    amounts = ("NaN", "1E+999999999", "x", 1.5)
    for path, value in zip(others, amounts, strict=False):
        edit(path, lambda manifest, value=value: manifest.update(sums={"tradeValue": {"A": value, "F": "1.0"}}))  # type: ignore[misc]
    text = page_of(tree / ENVIRONMENT / "customers").text
    assert "AllwindowsTradevaluetradeValueF1.0" in text.replace(" ", "")
    assert text.count("is unproved") == len(amounts)
    assert text.partition(" Calendar ")[0].count("its manifest can't be read") == len(amounts)


def test_hostile_names_of_folders_stay_text(tree: Path) -> None:
    folder = tree / "<b onclick=alert(1)>"
    shutil.copytree(tree / ENVIRONMENT / "customers", folder)
    page = page_of(tree)
    assert not [attributes for tag, attributes in page.tags if tag == "b"]
    assert all(link.startswith("#") or (tree / link).is_file() for link in page.links)


def test_headings_are_in_order_and_the_language_is_said(grown: Path) -> None:
    page = page_of(grown)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert ("html", {"lang": "en"}) in page.tags


def test_nothing_is_asked_for(grown: Path) -> None:
    page = page_of(grown)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert not [attributes for _, attributes in page.tags if {"src", "style", "srcset"} & set(attributes)]
    policy = next(str(each["content"]) for _, each in page.tags if each.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


@pytest.mark.parametrize("hours", [1, 24, 72])
def test_a_thousand_windows_are_small(grown: Path, tmp_path: Path, hours: int) -> None:
    spread(tmp_path, grown, 1000, hours)
    html = write_report(tmp_path)
    assert len(html.encode()) < 2_000_000
    assert "1,000 of 1,000 windows are proved complete" in Page.of(html).text


def test_a_first_window_from_the_beginning_is_drawn_short(tree: Path) -> None:
    first = windows(tree, "customers")[0]
    label = f"20000101T000000Z-{midnight(1):%Y%m%dT%H%M%SZ}"
    edit(first, lambda manifest: manifest["window"].update(start="2000-01-01T00:00:00Z"))
    first.parent.rename(first.parent.with_name(label))
    html = write_report(tree / ENVIRONMENT / "customers", made_at=MADE_AT)
    assert html.count("Windows by day, ") == 5
    assert len(html) < 200_000


def test_windows_that_overlap_are_told_and_one_within_another_counts_once(tmp_path: Path) -> None:
    end = midnight(20)
    with Sandbox(now=end + timedelta(hours=1), clock_speed=0, customers=20, transactions=400, days=10) as sandbox:
        client = client_of(sandbox)
        for first, last in ((10, 6), (9, 8), (7, 4)):
            window = RequestedWindow(end - timedelta(days=first), end - timedelta(days=last), "arguments")
            put(client, tmp_path, "transactions", window)
        client.session.close()
        stored = [json.loads(raw)["created"] for raw in sandbox.truth("transactions")]
    page = page_of(tmp_path)
    assert "All that is stored is proved, with 2 overlaps between windows" in page.text
    assert "lies within another window, and is not added up" in page.text
    assert "what lies in both is counted twice here" in page.text
    twice = [sum(f"{end - timedelta(days=first):%FT%T}" <= each < f"{end - timedelta(days=last):%FT%T}" for each in stored)
             for first, last in ((10, 6), (7, 4))]  # fmt: skip
    assert f"Records{sum(twice)}" in page.text
    assert verify(tmp_path).verdict == "All that is stored is proved, with 2 overlaps between windows"
