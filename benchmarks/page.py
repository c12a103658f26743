"""The page of the documentation that shows the results: docs/performance.rst, and its plot.

python -m benchmarks.page  # writes it anew from the results of the last run
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Template
from textwrap import fill

from benchmarks.environments import ROOT
from benchmarks.plot import svg
from benchmarks.results import Measured, Ratio, Results
from benchmarks.ways import BARE, COPY, WAYS

RESULTS, PAGE, PLOT = "benchmarks/results.json", "docs/performance.rst", "docs/images/performance.svg"
_TEMPLATE = Path(__file__).with_name("performance.rst.txt")
_SHOWN = 14
"""Functions of a profile."""
_NOT_MEASURED = "Not measured in this run."


def store(results: Results, into: Path) -> None:
    """Store what was measured, so that the page can be written again.

    :param into: the repository
    """
    (into / RESULTS).parent.mkdir(parents=True, exist_ok=True)
    (into / RESULTS).write_text(f"{json.dumps(results.dump())}\n")


def write(into: Path) -> None:
    """Write the page and its plot.

    :param into: the repository
    """
    (into / PLOT).parent.mkdir(parents=True, exist_ok=True)
    results = Results.load(json.loads((into / RESULTS).read_text()))
    (into / PLOT).write_text(svg(results.measured))
    (into / PAGE).write_text(page(results))


def page(results: Results) -> str:
    """The text of the page."""
    parts = {
        "rounds": str(results.rounds),
        "machine": results.machine,
        "versions": ", ".join(results.versions),
        "throughput": _throughput(results.measured),
        "left_out": _left_out(results),
        "goals": _goals(results),
        "calls": _calls(results.undelayed),
        "memory": _memory(results),
        "imports": _imports(results),
        "task": _task(results),
        "profiles": _profiles(results),
        "floors": _floors(results),
        "growth": _growth(results),
        "loads": _loads(results),
    }
    return Template(_TEMPLATE.read_text()).substitute(parts)


def _throughput(measured: Sequence[Measured]) -> str:
    heads = [f"{each.conditions.latency} ms, pages of {each.conditions.page_size}" for each in measured]
    rows = [["records in a run", *[f"{each.conditions.records:,}" for each in measured], ""]]
    for name, way in WAYS.items():
        ratios = [each.ratio(name) for each in measured]
        if name == BARE:
            cells = [f"{each.rate(BARE):,.0f} records/s" for each in measured]
        elif any(ratios):
            cells = [_range(ratio) if ratio else "" for ratio in ratios]
        else:
            continue
        cpu = next((f"{each.cpu(name):.0f}" for each in measured[:1] if name in each.runs), "")
        rows.append([way.label, *cells, cpu])
    return _table(["", *heads, "CPU µs"], rows, [22, *[17] * len(heads), 10]) if measured else _NOT_MEASURED


def _range(ratio: Ratio) -> str:
    digits = 1 if ratio.middle >= 3 else 2
    return f"| {ratio.middle:.{digits}f}\n| {ratio.low:.{digits}f} to {ratio.high:.{digits}f}"


def _left_out(results: Results) -> str:
    lines = [f"Left out: {WAYS[name].label}, as {why.rstrip('.')}." for name, why in results.left_out.items()]
    still = "The last column is the CPU time of the client for one record, without latency."
    return "\n\n".join([still, *lines])


def _goals(results: Results) -> str:
    return _table(["", "goal", "measured", "met"], [*_speeds(results), *_sizes(results)], [46, 14, 22, 18])


def _speeds(results: Results) -> Iterator[list[str]]:
    """Goals of speed, those that were measured."""
    still = results.undelayed
    delayed = next((each for each in results.measured if each.conditions.latency == 20), None)
    wanted = [(still, name, BARE, way.goal) for name, way in WAYS.items() if way.goal]
    wanted += [
        (delayed, "json8", BARE, 6.0),
        (still, "postgresql", COPY, 0.4),
        (still, "json", "dlt_json", 6.0),
        (still, "parquet", "dlt_parquet", 3.0),
    ]
    for measured, name, to, goal in wanted:
        if measured and (ratio := measured.ratio(name, to)):
            latency = f" at {measured.conditions.latency} ms" if measured.conditions.latency else ""
            what = f"{WAYS[name].label} to {'the ' if to == BARE else ''}{WAYS[to].label}{latency}"
            yield [
                what,
                f"{goal:g}",
                f"{ratio.middle:.2f}",
                "yes" if ratio.middle >= goal else f"{ratio.middle / goal:.0%} of it",
            ]


def _sizes(results: Results) -> Iterator[list[str]]:
    """Goals of memory, at the most records that were measured."""
    for name, goal in (("json", 5), ("json8", 40), ("parquet", 40)):
        if found := results.memory.get(name):
            most = max(found)
            what = f"Memory of {WAYS[name].label} at {most:,} records"
            verdict = "yes" if found[most] <= goal else f"{found[most] - goal:.0f} MB more"
            yield [what, f"{goal} MB", _megabytes(found[most]), verdict]


def _megabytes(size: float) -> str:
    return f"{size:.0f} MB" if size >= 1 else "less than 1 MB"


def _calls(measured: Measured | None) -> str:
    if not measured or "json" not in measured.runs:
        return _NOT_MEASURED
    calls, pages = measured.further_calls("json"), -(-measured.conditions.records // measured.conditions.page_size)
    return _paragraph(
        f"A proved sync of {pages:,} pages makes {calls} calls more than the bare loop: to learn the server's time, to count at "
        "the end, and to see records again that share a second with the last one of a page."
    )


def _memory(results: Results) -> str:
    sizes = sorted({size for found in results.memory.values() for size in found})
    rows = [[WAYS[name].label, *[_megabytes(found[size]) for size in sizes]] for name, found in results.memory.items()]
    return _table(["", *[f"{size:,} records" for size in sizes]], rows, [40, *[30] * len(sizes)]) if rows else _NOT_MEASURED


def _imports(results: Results) -> str:
    rows = [[name, f"{took:.0f} ms", str(modules)] for name, (took, modules) in results.imports.items()]
    return _table(["", "CPU", "modules"], rows, [50, 25, 25]) if rows else _NOT_MEASURED


def _task(results: Results) -> str:
    if not results.task:
        return _NOT_MEASURED
    empty, sync = (statistics.median(each[name] for each in results.task) for name in ("empty", "sync"))
    return _paragraph(
        f"A whole task by ``dag.test()`` in the same Airflow takes {empty * 1000:.0f} ms if it does nothing, and "
        f"{sync * 1000:.0f} ms if it syncs 1,000 records into JSON lines."
    )


def _profiles(results: Results) -> str:
    """For each way: how much of the time is whose, and the functions that take most."""
    return "\n\n".join(_profile(results, name, found) for name, found in results.profiles.items()) or _NOT_MEASURED


def _profile(results: Results, name: str, found: Sequence[tuple[str, str, str, float]]) -> str:
    cpu = results.undelayed.cpu(name) if results.undelayed and name in results.undelayed.runs else 0.0
    layers: dict[str, float] = {}
    for module, _, _, share in found:
        layer = module.partition("/")[0]
        layers[layer] = layers.get(layer, 0.0) + share
    parts = sorted(layers.items(), key=lambda item: -item[1])
    told = ", ".join(f"``{layer}`` {share:.0%}" for layer, share in parts if share >= 0.01)
    rows = [f"{share:6.1%} {share * cpu:6.1f} µs  {_place(*place)}" for *place, share in found[:_SHOWN]]
    rest = sum(share for *_, share in found[_SHOWN:])
    rows.append(f"{rest:6.1%} {rest * cpu:6.1f} µs  all else")
    block = "\n".join(f"   {row}" for row in rows)
    first = _paragraph(f"{WAYS[name].label}, {cpu:.0f} µs a record, by layer: {told}.")
    return f"{first}\n\n.. code-block:: text\n\n{block}"


def _place(module: str, function: str, library: str) -> str:
    return f"{module}: {function}" + (f" ({library})" if library else "")


def _floors(results: Results) -> str:
    still = results.undelayed
    if not results.floors or not still or "json" not in still.runs:
        return _NOT_MEASURED
    table = _table(["", "CPU µs a record"], [[name, f"{took:.1f}"] for name, took in results.floors.items()], [60, 40])
    steps = ("a call by requests", "splitting a page", "decoding the records", "gzip")
    least, bare, now = sum(results.floors[name] for name in steps), still.cpu(BARE), still.cpu("json")
    between = max(0.0, now - least)
    told = _paragraph(
        f"Without ``json.loads``, which only the bare loop needs, they add up to {least:.0f} µs, so a sync that did nothing else "
        f"would be {bare / least:.1f} times as fast as the bare loop, which takes {bare:.0f} µs. A proved sync into JSON lines "
        f"takes {now:.0f} µs. The {between:.0f} µs between are the exact sums of 17 amounts in each record, the checks of each "
        "record and its key, and what Python takes to go from one step to the next."
    )
    return f"{table}\n\n{told}"


def _growth(results: Results) -> str:
    """For each size of a table: what a load takes, by where its changes lie."""
    if not results.growth:
        return _NOT_MEASURED
    spans = next(iter(results.growth.values()))["changes"]
    rows = []
    for size, took in results.growth.items():
        cells = [f"| {seconds:.1f} s\n| {_megabytes(memory)}" for seconds, memory in took["changes"].values()]
        rows.append([f"{size:,}", f"{took['megabytes']:,} MB", *cells])
    return _table(["rows", "table", *spans], rows, [16, 15, 23, 23, 23])


def _loads(results: Results) -> str:
    """Loads into one table, one after the other."""
    if not results.loads:
        return _NOT_MEASURED
    seconds, files = results.loads["seconds"], results.loads["files"]
    cells = [[f"{took / seconds[0]:.2f}", f"{number:.0f}"] for took, number in zip(seconds, files, strict=True)]
    rows = [[str(place), *each] for place, each in enumerate(cells, 1)]
    head = ["tenth of the loads", "median load to that of the first tenth", "files of the table after it"]
    return _paragraph(f"The median of the first tenth is {seconds[0]:.2f} s.") + "\n\n" + _table(head, rows, [30, 40, 30])


def _paragraph(text: str) -> str:
    return fill(text, 130, break_long_words=False, break_on_hyphens=False)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}", ""]
    for row in (head, *rows):
        cells = [cell.replace("\n", "\n       ") for cell in row]
        lines += [f"   {'*' if not place else ' '} - {cell}".rstrip() for place, cell in enumerate(cells)]
    return "\n".join(lines)


if __name__ == "__main__":
    write(ROOT)
