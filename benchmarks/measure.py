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
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

Work = Callable[[], Any]


def cpu_seconds() -> float:
    """User and system time of this process, all its threads included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def freeze_heap() -> None:
    """Takes what lives now out of the cyclic collector's sight: the benchmark's own data would
    otherwise be walked again and again, at the cost of whoever happens to be running."""
    gc.collect()
    gc.freeze()


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
            gc.collect()
            samples[name].append(cost(work, seconds))
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


def environment() -> dict[str, Any]:
    """What a reader needs in order to judge the figures."""
    packages = ["pymilvus", "grpcio", "protobuf", "numpy", "orjson", "milvus-native"]
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except Exception as error:
            versions[package] = f"unknown ({error})"
    model = "unknown"
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if "model name" in line]
        model = names[0] if names else model
    try:
        compiler = subprocess.run(
            ["cc", "--version"], capture_output=True, text=True, check=True
        ).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError):
        compiler = "unknown"
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "compiler": compiler,
        "versions": versions,
    }
