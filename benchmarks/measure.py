"""How things are measured: CPU of this process, several interleaved rounds, medians of ratios."""

from __future__ import annotations

import gc
import os
import platform
import resource
import statistics
import subprocess
import time
import tracemalloc
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

Work = Callable[[], Any]

PACKAGES = ("pymilvus", "grpcio", "protobuf", "numpy", "orjson", "uvloop", "milvus-lite", "milvus")


def cpu_seconds() -> float:
    """User and system time of this process, all its threads included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def freeze_heap() -> None:
    """Takes what lives now out of the cyclic collector's sight: the benchmark's own data would
    otherwise be walked again and again, at the cost of whoever happens to be running."""
    gc.collect()
    gc.freeze()


def percentiles(nanoseconds: Sequence[int]) -> dict[str, float]:
    """p50, p95 and p99 in seconds."""
    ordered = sorted(nanoseconds)
    last = len(ordered) - 1
    return {f"p{p}": ordered[round(last * p / 100)] / 1e9 for p in (50, 95, 99)}


def cost(work: Work, seconds: float) -> float:
    """Mean CPU seconds of one call, over as many calls as fit in `seconds` of wall time."""
    calls, end = 0, time.perf_counter() + seconds
    before = cpu_seconds()
    while True:
        work()
        calls += 1
        if time.perf_counter() >= end:
            return (cpu_seconds() - before) / calls


def compare(works: dict[str, Work], *, rounds: int = 5, seconds: float = 0.2) -> dict[str, Any]:
    """Runs all works in turn, `rounds` times; returns raw samples and medians by name.

    Interleaving lets a noisy neighbour hit every peer alike; a peer's result is its median.
    """
    samples: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    freeze_heap()
    for _ in range(rounds):
        for name, work in works.items():
            samples[name].append(cost(work, seconds))
    gc.unfreeze()
    return {
        "samples": samples,
        "median": {name: statistics.median(values) for name, values in samples.items()},
    }


def peak_bytes(work: Work) -> int:
    """The most memory that one call holds at a time, its result included (Python's allocators)."""
    work()
    gc.collect()
    tracemalloc.start()
    kept = work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del kept
    return peak


def memory() -> dict[str, int]:
    """Resident memory of this process in bytes: now, and the most so far."""
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return {
        key: int(lines[name].split()[0]) * 1024
        for key, name in (("rss", "VmRSS"), ("peak_rss", "VmHWM"))
    }


def command_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def environment() -> dict[str, Any]:
    """What a reader needs in order to judge the figures."""
    import milvus_native

    versions = {"milvus_native": milvus_native.__version__}
    versions.update({package: version(package) for package in PACKAGES})
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if "model name" in line]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "compiler": command_line("cc", "--version"),
        "nghttp2": command_line("pkg-config", "--modversion", "libnghttp2"),
        "load": os.getloadavg()[0],
        "versions": versions,
    }
