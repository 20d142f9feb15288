"""Renders docs/performance.md's tables, docs/plots and the README's short table from the results.

    python -m benchmarks.report

Text between `<!-- bench:NAME -->` and `<!-- /bench -->` is made here; the rest is written by hand.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .plots import NAMES, bars, lines
from .work import Work

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PLOTS = ROOT / "docs" / "plots"
PEERS = ("native", "grpc", "pymilvus", "go", "grpcio", "floor")
HEADLINE_PEERS = ("native", "grpc", "pymilvus", "go", "node", "grpcio", "floor")

# Client CPU of pymilvus or of the Go SDK over ours, that the project set out for.
TARGETS = [
    ("insert 1000 x 768, rows of numpy arrays", "pymilvus", 20),
    ("insert 1000 x 768, rows of lists", "pymilvus", 6),
    ("insert 1000 x 768, a 2-D array as a column", "pymilvus", 25),
    ("search nq=1 k=10", "pymilvus", 10),
    ("search nq=1 k=10, asyncio, 64 in flight", "pymilvus", 15),
    ("search nq=10 k=100, scalar", "pymilvus", 12),
    ("query 1000 rows, vectors", "pymilvus", 3),
    ("insert 1000 x 768, a 2-D array as a column", "go", 12),
    ("search nq=1 k=10", "go", 3),
    ("search nq=1 k=10, asyncio, 64 in flight", "go", 3),
]

Results = dict[str, Any]
Rows = list[dict[str, Any]]


def load() -> Results:
    return {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}


def duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def times(ratio: float) -> str:
    return f"{ratio:.0f}x" if ratio >= 20 else f"{ratio:.1f}x"


def table(heads: list[str], rows: list[list[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(heads) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows))


def cpu_of(row: dict[str, Any], peer: str) -> float | None:
    found = row["median"].get(peer)
    return None if found is None else found["cpu"]


def by_case(results: Results) -> dict[str, dict[str, Any]]:
    return {row["case"]: row for row in results["calls"]["rows"]}


def marked(row: dict[str, Any]) -> str:
    return row["case"] if row["correct"] else f"{row['case']} **(WRONG)**"


# ---- tables ----


def environment(results: Results) -> str:
    made = results["calls"]["environment"]
    names = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return (
        f"Measured on {made['cpu']}, {made['cores']} cores, {made['system']}, Python "
        f"{made['python']}, {made['compiler']}, nghttp2 {made['nghttp2']}; {names}, Go SDK "
        f"client/v2 {made['go_sdk']} with {made['go']}, Node SDK "
        f"{made.get('node_sdk', '(not measured)')} with Node {made.get('node', '(none)')}.\n"
        f"Command: `{' '.join(results['calls']['command'])}`."
    )


def targets(results: Results) -> str:
    cases = by_case(results)
    rows = []
    for case, peer, wanted in TARGETS:
        ours, theirs = cpu_of(cases[case], "native"), cpu_of(cases[case], peer)
        assert ours is not None
        assert theirs is not None
        ratio = theirs / ours
        rows.append([case, NAMES[peer], duration(theirs), duration(ours), times(ratio),
                     f"{wanted}x", "yes" if ratio >= wanted else "**no**"])  # fmt: skip
    encoded = {row["case"]: row["median"] for row in results["encode"]["rows"]}
    floors = [
        ("encode 1000 x 768, rows of numpy arrays", "memcpy", 2.0),
        ("encode 1000 x 768, rows of lists, beside a bare walk", "walk", 1.5),
    ]
    for case, peer, wanted in floors:
        found = encoded[case]
        ratio = found["native"] / found[peer]
        rows.append([case, NAMES[peer], duration(found[peer]), duration(found["native"]),
                     f"{ratio:.2f} of it", f"within {wanted:g}",
                     "yes" if ratio <= wanted else "**no**"])  # fmt: skip
    return table(["case", "beside", "theirs", "ours", "ratio", "aim", "reached"], rows)


def call_table(rows: Rows, peers: tuple[str, ...] = PEERS) -> str:
    heads = ["client CPU a call", *(NAMES[p] for p in peers), "pymilvus / ours"]
    body = []
    for row in rows:
        ours, theirs = cpu_of(row, "native"), cpu_of(row, "pymilvus")
        assert ours is not None
        assert theirs is not None
        cells = [duration(cpu_of(row, peer)) for peer in peers]
        body.append([marked(row), *cells, times(theirs / ours)])
    return table(heads, body)


def headline_table(rows: Rows) -> str:
    return call_table(rows, HEADLINE_PEERS)


def select(results: Results, wanted: Callable[[Work], bool]) -> Rows:
    return [row for row in results["calls"]["rows"] if wanted(Work.parse(row["work"]))]


def latencies(results: Results) -> str:
    from .calls import headline

    cases = by_case(results)
    rows = []
    for work in headline():
        found = cases[work.title]["median"]
        for peer in ("native", "pymilvus", "go", "node"):
            if peer in found:
                of = found[peer]
                rows.append([work.title, NAMES[peer], *(duration(of[p]) for p in
                             ("p50", "p95", "p99")), f"{of['rate']:,.0f}",
                             duration(of["server_cpu"]), f"{of['server_busy']:.0%}"])  # fmt: skip
    heads = ["case", "client", "p50", "p95", "p99", "calls a second", "server CPU a call",
             "server busy"]  # fmt: skip
    return table(heads, rows)


def encode(results: Results) -> str:
    rows = []
    for row in results["encode"]["rows"]:
        if "walk" in row["median"]:
            continue
        ours, theirs = row["median"]["native"], row["median"]["pymilvus"]
        rows.append([marked(row), duration(ours), duration(theirs), times(theirs / ours),
                     duration(row["median"].get("memcpy")),
                     f"{row['peak_per_request']:.2f}"])  # fmt: skip
    heads = ["case", "milvus_native", "pymilvus", "ratio", "memcpy of the vectors",
             "peak memory / request"]  # fmt: skip
    return table(heads, rows)


def decode(results: Results) -> str:
    rows = []
    for row in results["decode"]["rows"]:
        found = row["median"]
        ours, theirs = found["native, read"], found["pymilvus, read"]
        rows.append([marked(row), duration(found["native"]), duration(ours), duration(theirs),
                     times(theirs / ours)])  # fmt: skip
    return table(["case", "ours, decode alone", "ours, every hit read", "pymilvus, every hit read",
                  "ratio"], rows)  # fmt: skip


def instructions(results: Results) -> str:
    rows = [[marked(row), f"{row['instructions']:,}"] for row in results["instructions"]["rows"]]
    return table(["one call", "instructions"], rows)


def probe(results: Results, name: str) -> dict[str, list[dict[str, Any]]]:
    return dict(results["probes"]["rows"][name])


def middle(samples: list[dict[str, Any]], key: str) -> float:
    return statistics.median(sample[key] for sample in samples)


def first_call(results: Results) -> str:
    rows = [
        [NAMES[peer], duration(middle(s, "import")), duration(middle(s, "first_call")),
         duration(middle(s, "cpu")), f"{middle(s, 'rss') / 1e6:.0f} MB"]
        for peer, s in probe(results, "first_call").items()
    ]  # fmt: skip
    return table(["client", "import", "first search", "CPU of both", "resident after"], rows)


def memory(results: Results) -> str:
    counted = probe(results, "allocations")
    rows = [
        [NAMES[peer], *(f"{s[0][key] / 1e6:.0f} MB" for key in ("idle", "steady", "peak"))]
        for peer, s in probe(results, "memory").items()
    ]
    made = [table(["client", "before the calls", "after them", "most"], rows), ""]
    cases = [case for case in counted["native"][0] if case != "calls"]
    rows = [
        [case, *(f"{s[0][case][0]:,.0f} ({s[0][case][1] / 1e6:,.2f} MB)" for s in counted.values())]
        for case in cases
    ]
    made.append(table(["allocations a call", *(NAMES[peer] for peer in counted)], rows))
    return "\n".join(made)


def stalls(results: Results) -> str:
    loops, threads = probe(results, "loop_stall"), probe(results, "thread_stall")
    rows = [
        [NAMES[peer], *(duration(s[0][f"loop, {form}"]) for form in ("numpy", "list")),
         *(duration(threads[peer][0][f"thread, {form}"]) for form in ("numpy", "list"))]
        for peer, s in loops.items()
    ]  # fmt: skip
    return table(["client", "loop, numpy rows", "loop, list rows", "thread, numpy rows",
                  "thread, list rows"], rows)  # fmt: skip


def herds(results: Results) -> str:
    rows = []
    for name, what in (("herd", "100 tasks"), ("thread_herd", "100 threads")):
        for peer, samples in probe(results, name).items():
            asked = [s["calls"]["DescribeCollection"] for s in samples]
            rows.append([what, NAMES[peer], f"{statistics.median(asked):.0f}",
                         duration(middle(samples, "wall")),
                         duration(middle(samples, "cpu"))])  # fmt: skip
    return table(["first inserts of", "client", "schema lookups", "wall", "client CPU"], rows)


def threads(results: Results) -> str:
    rows = []
    for row in select(results, lambda w: w.mode == "threads"):
        cells = [row["case"]]
        for peer in ("native", "pymilvus", "go"):
            found = row["median"].get(peer)
            samples = row["samples"].get(peer)
            if found is None:
                cells += ["", ""]
                continue
            cells += [duration(found["cpu"]), f"{found['rate']:,.0f}"]
            if peer != "go":
                switches = statistics.median(s["switches"] / s["calls"] for s in samples)
                cells.append(f"{switches:.2g}")
        rows.append(cells)
    heads = ["case"]
    for peer in ("native", "pymilvus", "go"):
        heads += [f"{NAMES[peer]}: CPU", "calls/s", *(["switches"] if peer != "go" else [])]
    return table(heads, rows)


def real(results: Results) -> str:
    rows = []
    for row in results["real"]["rows"]:
        for client, samples in row["samples"].items():
            rows.append([row["server"], row["case"], client,
                         *(duration(middle(samples, key)) for key in
                           ("wall", "cpu", "server_cpu"))])  # fmt: skip
    return table(["server", "program", "client", "wall", "client CPU", "server CPU"], rows)


def profile(results: Results) -> str:
    """Shares of the samples, times the CPU of a call in the same case."""
    if "profile" not in results:
        return "(No profile: `python -m benchmarks.profiles` makes it.)"
    cases, found = by_case(results), results["profile"]["rows"]
    costs = [cpu_of(cases[row["case"]], "native") or math.nan for row in found]
    rows = [
        [part, *(f"{row['parts'][part]:.0%} ({duration(row['parts'][part] * cost)})"
                 for row, cost in zip(found, costs, strict=True))]
        for part in found[0]["parts"]
    ]  # fmt: skip
    floors = [duration(cpu_of(cases[row["case"]], "floor")) for row in found]
    rows.append(["all of it", *(duration(cost) for cost in costs)])
    rows.append(["plain C on nghttp2, bytes ready", *floors])
    return table(["part", *(row["case"] for row in found)], rows)


def readme(results: Results) -> str:
    from .calls import headline

    cases = by_case(results)
    rows = []
    for work in headline():
        ours, theirs = (cpu_of(cases[work.title], peer) for peer in ("native", "pymilvus"))
        assert ours is not None
        assert theirs is not None
        go = cpu_of(cases[work.title], "go")
        rows.append([work.title, duration(theirs), duration(go), duration(ours),
                     times(theirs / ours)])  # fmt: skip
    heads = ["client CPU a call", "pymilvus", "Go SDK", "milvus_native", "times less than pymilvus"]
    return table(heads, rows)


# ---- plots ----


def draw(results: Results) -> None:
    from .calls import headline

    cases = by_case(results)
    works = headline()
    values = {
        peer: [(cpu_of(cases[w.title], peer) or math.nan / 1e6) * 1e6 for w in works]
        for peer in HEADLINE_PEERS
    }
    bars(PLOTS / "cpu.svg", [w.title for w in works], values, "client CPU a call, microseconds")

    def series(mode: str, figure: str, peers: tuple[str, ...]) -> dict[str, Any]:
        rows = select(results, lambda w: w.op == "search" and w.mode == mode)
        return {
            peer: [(row["width"], row["median"][peer][figure]) for row in rows
                   if peer in row["median"]]
            for peer in peers
        }  # fmt: skip

    lines(
        PLOTS / "concurrency.svg",
        [
            ("search nq=1 k=10, asyncio", "in flight", "calls a second",
             series("async", "rate", PEERS)),
            ("search nq=1 k=10, threads", "threads", "calls a second",
             series("threads", "rate", ("native", "grpc", "pymilvus", "go", "grpcio"))),
        ],
    )  # fmt: skip

    def encoded(form: str, axis: str) -> dict[str, Any]:
        found: dict[str, Any] = {"native": [], "pymilvus": [], "memcpy": []}
        for row in results["encode"]["rows"]:
            if "walk" in row["median"]:
                continue
            work = Work.parse(row["work"])
            other = work.dim == 768 if axis == "rows" else work.rows == 1000
            if work.form == form and other:
                for peer, points in found.items():
                    if peer in row["median"]:
                        points.append((getattr(work, axis), row["median"][peer] * 1e6))
        return found

    lines(
        PLOTS / "encode.svg",
        [
            ("encode, numpy rows of 768", "rows", "microseconds", encoded("numpy", "rows")),
            ("encode, list rows of 768", "rows", "microseconds", encoded("list", "rows")),
            ("encode, 1000 numpy rows", "dimension", "microseconds", encoded("numpy", "dim")),
        ],
    )

    def decoded(fields: str) -> dict[str, Any]:
        found: dict[str, Any] = {"native": [], "pymilvus": []}
        for row in results["decode"]["rows"]:
            work = Work.parse(row["work"])
            if work.fields == fields:
                for peer, points in found.items():
                    points.append((work.nq * work.k, row["median"][f"{peer}, read"] * 1e6))
        return found

    lines(
        PLOTS / "decode.svg",
        [
            (f"decode and read, {fields}", "hits (nq x k)", "microseconds", decoded(fields))
            for fields in ("ids", "scalars", "json")
        ],
    )
    loops = probe(results, "loop_stall")
    bars(
        PLOTS / "stall.svg",
        ["insert 5000 x 768, numpy rows", "insert 5000 x 768, list rows"],
        {
            peer: [s[0][f"loop, {form}"] * 1e3 for form in ("numpy", "list")]
            for peer, s in loops.items()
        },
        "longest stall of the event loop, milliseconds",
    )
    held = probe(results, "memory")
    first = probe(results, "first_call")
    bars(
        PLOTS / "memory.svg",
        ["after the first search", "after 50 inserts of 3 MB, 50 searches", "most meanwhile"],
        {
            peer: [middle(first[peer], "rss") / 1e6, s[0]["steady"] / 1e6, s[0]["peak"] / 1e6]
            for peer, s in held.items()
        },
        "resident memory, megabytes",
    )


SECTIONS: dict[str, Callable[[Results], str]] = {
    "environment": environment,
    "targets": targets,
    "headline": lambda r: headline_table([by_case(r)[row] for row in _headline_titles()]),
    "latencies": latencies,
    "insert": lambda r: call_table(select(r, lambda w: w.op == "insert" and w.mode == "sync")),
    "search": lambda r: call_table(select(r, lambda w: w.op == "search" and w.mode == "sync")),
    "query": lambda r: call_table(select(r, lambda w: w.op == "query")),
    "asyncio": lambda r: call_table(select(r, lambda w: w.mode in ("async", "uvloop"))),
    "threads": threads,
    "encode": encode,
    "decode": decode,
    "instructions": instructions,
    "first_call": first_call,
    "memory": memory,
    "stalls": stalls,
    "herds": herds,
    "real": real,
    "profile": profile,
    "readme": readme,
}


def _headline_titles() -> list[str]:
    from .calls import headline

    return [work.title for work in headline()]


def fill(path: Path, results: Results) -> None:
    def section(match: re.Match[str]) -> str:
        return f"{match[1]}\n{SECTIONS[match[2]](results)}\n{match[3]}"

    text = path.read_text()
    marks = r"(<!-- bench:(\w+) -->)\n.*?(<!-- /bench -->)"
    path.write_text(re.sub(marks, section, text, flags=re.DOTALL))


def render() -> None:
    results = load()
    draw(results)
    fill(ROOT / "docs" / "performance.md", results)
    fill(ROOT / "README.md", results)


if __name__ == "__main__":
    render()
