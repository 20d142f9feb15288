"""A mixed load on a real server under random faults, and what is left of it: rows, memory, files.

    python tools/soak_faults.py --server milvus --minutes 30

Threads with one client, and tasks and gathers with another, insert, upsert, delete, query and
search by a proxy that cuts, holds, slows and refuses connections; now and then the server is
stopped for seconds, or killed and started again. Every reply is checked. In the end each row must
be there as the calls that succeeded say, once; resident memory and open files must not have grown.
`tests/faults` runs it for half a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from milvus_native import AsyncMilvusClient, MilvusClient  # noqa: E402
from tests.faults.load import (  # noqa: E402
    NOTHING,
    ROWS,
    WRITES,
    Batch,
    Op,
    check,
    look_when_settled,
)
from tests.servers import MortalServer, mortal_lite_spec, mortal_milvus_spec  # noqa: E402
from tools.soak import open_files, resident  # noqa: E402

COLLECTION = "things"
THREADS, TASKS = 4, 4
BATCHES = 60  # of each of them
WIDEST = 8  # calls of a gather
TIMEOUTS = (3.0, 10.0, 60.0)
PATIENCE = 90.0  # seconds beyond its deadline after which a call is said to hang
STOPPED = 2.0  # seconds at most
# After a call the server may still be busy with another try of it that the client knows nothing
# of. So a batch has some rest before it is touched again, and a longer one when a call failed.
REST, LONG_REST = 2.0, 10.0
SAMPLES = 60  # of memory and files
ALLOWED_GROWTH = 4 << 20  # bytes


@dataclass
class Slot(Batch):
    """A batch and its owner's notes."""

    latest: int = NOTHING  # no version is made twice
    free_at: float = 0.0

    def next_op(self, source: random.Random) -> Op:
        kind = source.choices(("query", "search", "upsert", "delete"), (3, 3, 3, 1))[0]
        if self.doubts:
            kind = "upsert"
        elif self.version == NOTHING and kind != "query":
            kind = "insert"
        if kind in ("insert", "upsert"):
            self.latest += 1
            return Op(kind, self, self.latest)
        return Op(kind, self)


class Soak:
    """What all workers share: when to stop, how fast to go, and the count of what happened."""

    def __init__(self, rate: float, seed: int) -> None:
        self.pause = (THREADS + TASKS) / rate
        self.seed = seed
        self.told: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()
        self.slots: list[Slot] = []
        self.failures: list[BaseException] = []
        self.stop = threading.Event()
        self.longest = 0.0  # seconds that a call took beyond its deadline
        self._lock = threading.Lock()

    def own(self, worker: int) -> tuple[list[Slot], random.Random]:
        with self._lock:
            first = len(self.slots)
            slots = [Slot(ROWS * (first + i)) for i in range(BATCHES)]
            self.slots += slots
        return slots, random.Random(f"{self.seed}:{worker}")

    def end(self, op: Op, result: Any, timeout: float, started: float) -> None:
        """Settles a call. AssertionError if it was not as it must be."""
        seconds = time.monotonic() - started
        rest = REST
        if isinstance(result, BaseException):
            rest = LONG_REST
            if isinstance(result, asyncio.CancelledError):
                what = "cancelled"
                if op.kind in WRITES:
                    op.batch.doubts.add(op.version)
            else:
                assert isinstance(result, Exception)
                what = op.failed(result)
        else:
            op.settle(result)
            what = "done"
        assert isinstance(op.batch, Slot)
        op.batch.free_at = time.monotonic() + rest
        with self._lock:
            self.told[op.kind, what] += 1
            self.longest = max(self.longest, seconds - timeout)
        assert seconds < timeout + PATIENCE, f"{op.kind} took {seconds} s of {timeout}"

    def failed(self, error: BaseException) -> None:
        self.failures.append(error)
        self.stop.set()


def free(slots: list[Slot]) -> list[Slot]:
    now = time.monotonic()
    return [slot for slot in slots if slot.free_at <= now]


def work_in_thread(soak: Soak, client: MilvusClient, worker: int) -> None:
    slots, source = soak.own(worker)
    try:
        while not soak.stop.wait(soak.pause * source.uniform(0.5, 1.5)):
            for slot in source.sample(free(slots), 1):
                op, timeout = slot.next_op(source), source.choice(TIMEOUTS)
                started = time.monotonic()
                try:
                    reply = op.call(client, COLLECTION, timeout)
                except Exception as error:
                    soak.end(op, error, timeout, started)
                else:
                    soak.end(op, reply, timeout, started)
    except BaseException as error:
        soak.failed(error)


async def work_in_task(soak: Soak, client: AsyncMilvusClient, worker: int) -> None:
    slots, source = soak.own(worker)

    async def one(slot: Slot) -> None:
        op, timeout = slot.next_op(source), source.choice(TIMEOUTS)
        started = time.monotonic()
        call: asyncio.Future[Any] = asyncio.ensure_future(op.call(client, COLLECTION, timeout))
        if source.random() < 0.03:
            await asyncio.wait([call], timeout=source.uniform(0, 0.02))
            call.cancel()
        await asyncio.wait([call])
        error = asyncio.CancelledError() if call.cancelled() else call.exception()
        soak.end(op, call.result() if error is None else error, timeout, started)

    try:
        while not soak.stop.is_set():
            width = source.randint(1, WIDEST)
            chosen = source.sample(ready := free(slots), min(width, len(ready)))
            await asyncio.gather(*map(one, chosen))
            await asyncio.sleep(max(len(chosen), 1) * soak.pause * source.uniform(0.5, 1.5))
    except BaseException as error:
        soak.failed(error)


def aside(function: str, uri: str) -> None:
    """Runs one of tests.faults.load in a process of its own: pymilvus is not on trial."""
    program = f"import sys; from tests.faults import load; load.{function}(*sys.argv[1:])"
    command = [sys.executable, "-c", program, uri, COLLECTION]
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)


def disturb(soak: Soak, server: MortalServer, stop_every: float, kill_every: float) -> None:
    """Stops the server, and kills it, at these distances (seconds; 0: never)."""
    source = random.Random(f"{soak.seed}:disturb")
    started = time.monotonic()
    due = {
        what: started + every
        for what, every in (("stop", stop_every), ("kill", kill_every))
        if every
    }
    try:
        while not soak.stop.wait(0.2):
            for what in [what for what, when in due.items() if time.monotonic() >= when]:
                if what == "stop":
                    server.pause()
                    time.sleep(source.uniform(0.2, 1.0) * STOPPED)
                    server.resume()
                else:
                    server.kill()
                    server.start()
                    aside("load", server.uri)
                soak.faults[what] += 1
                due[what] = time.monotonic() + (stop_every if what == "stop" else kill_every)
    except BaseException as error:
        soak.failed(error)


class Result(NamedTuple):
    samples: list[tuple[int, int]]  # resident bytes and open files
    stats: list[dict[str, Any]]  # of both clients
    opened: int  # files, when all calls were over
    left: int  # of those, once the clients were closed


class Proxy:
    """tests.servers.fault_proxy in a process of its own: its memory and files are not on trial."""

    def __init__(self, port: int, seed: int) -> None:
        command = [sys.executable, "-m", "tests.servers.fault_proxy", str(port)]
        self._process = subprocess.Popen(
            [*command, "--seed", str(seed)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.uri = f"http://127.0.0.1:{self._line()}"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def tell(self, word: str) -> dict[str, int]:
        """The faults so far, by kind."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        counted: dict[str, int] = json.loads(self._line())
        return counted

    def close(self) -> None:
        self._process.communicate()


def measure(soak: Soak, seconds: float) -> list[tuple[int, int]]:
    """Resident bytes and open files, sampled until the time is over."""
    samples = []
    for number in range(1, SAMPLES + 1):
        if soak.stop.wait(seconds / SAMPLES):
            break
        gc.collect()
        samples.append((resident(), open_files()))
        if number % (SAMPLES // 10) == 0:
            print(
                f"{seconds * number / SAMPLES:7.0f} s: {sum(soak.told.values()):>8} calls, "
                f"{samples[-1][0] / 1e6:.2f} MB resident, {samples[-1][1]} open files",
                flush=True,
            )
    soak.stop.set()
    return samples


async def run(soak: Soak, proxy: Proxy, seconds: float, disturber: threading.Thread) -> Result:
    """The load for so long."""
    gc.collect()
    before = open_files()
    with MilvusClient(proxy.uri) as client:
        async with AsyncMilvusClient(proxy.uri) as async_client:
            # Not before: a server that was never reached is no outage, and not asked again.
            proxy.tell("fierce")
            disturber.start()
            threads = [
                threading.Thread(target=work_in_thread, args=(soak, client, i))
                for i in range(THREADS)
            ]
            for thread in threads:
                thread.start()
            tasks = [
                asyncio.ensure_future(work_in_task(soak, async_client, THREADS + i))
                for i in range(TASKS)
            ]
            samples = await asyncio.to_thread(measure, soak, seconds)
            await asyncio.gather(*tasks)
            for thread in (*threads, disturber):
                await asyncio.to_thread(thread.join)
            gc.collect()
            opened = open_files() - before
            stats = [client.stats(), async_client.stats()]
    return Result(samples, stats, opened, open_files() - before)


def put_right(soak: Soak, uri: str) -> None:
    """Upserts what is in doubt, past the proxy."""
    with MilvusClient(uri) as client:
        for slot in [slot for slot in soak.slots if slot.doubts]:
            op = slot.next_op(random.Random(0))
            op.settle(op.call(client, COLLECTION, 60.0))


def grown(samples: list[tuple[int, int]]) -> int:
    """By how many bytes memory has grown from the second fifth to the last one. The least that was
    seen counts: what a call needs for its own time is no growth."""
    fifth = len(samples) // 5
    return min(s[0] for s in samples[-fifth:]) - min(s[0] for s in samples[fifth : 2 * fifth])


def report(soak: Soak, result: Result) -> None:
    samples = result.samples
    print(f"calls: {sum(soak.told.values())}")
    for (kind, what), count in sorted(soak.told.items()):
        print(f"  {kind:8} {what:16} {count:>8}")
    print("faults:", ", ".join(f"{count} {kind}" for kind, count in sorted(soak.faults.items())))
    for kind, figures in zip(("sync", "async"), result.stats, strict=True):
        names = ("calls", "retries", "reconnects", "bytes_sent", "bytes_received")
        print(f"{kind}:", ", ".join(f"{figures[name]} {name}" for name in names))
    print(f"latest end of a call after its deadline: {soak.longest:.2f} s")
    if samples:
        print(
            f"resident: {samples[0][0] / 1e6:.2f} MB at first, {samples[-1][0] / 1e6:.2f} in the "
            f"end; open files: {samples[0][1]} at first, {samples[-1][1]} in the end, "
            f"{max(sample[1] for sample in samples)} at most"
        )


def soak_server(options: argparse.Namespace, server: MortalServer) -> int:
    soak = Soak(options.rate, options.seed)
    aside("create", server.uri)
    proxy = Proxy(server.server.port, options.seed)
    disturber = threading.Thread(
        target=disturb, args=(soak, server, options.stop_every, options.kill_every)
    )
    result = asyncio.run(run(soak, proxy, options.minutes * 60, disturber))
    soak.faults.update(proxy.tell("calm"))
    proxy.close()
    report(soak, result)
    for failure in soak.failures:
        raise failure
    assert soak.faults.total(), "no fault has struck"

    aside("load", server.uri)
    check(soak.slots, look_when_settled(server.uri, COLLECTION, soak.slots))
    doubtful = sum(bool(slot.doubts) for slot in soak.slots)
    put_right(soak, server.uri)
    found = look_when_settled(server.uri, COLLECTION, soak.slots)
    check(soak.slots, found)
    assert not any(slot.doubts for slot in soak.slots)
    print(f"rows: {found.counted}, all as they must be; {doubtful} batches were in doubt")

    growth = grown(result.samples)
    print(f"memory has grown by {growth} bytes from the second fifth to the last one")
    if growth > ALLOWED_GROWTH:
        print("memory grows", file=sys.stderr)
        return 1
    connections = sum(figures["open_connections"] for figures in result.stats)
    print(f"open when all was over: {result.opened} files, {connections} connections", end=", ")
    print(f"{result.left} files after the clients were closed")
    if result.opened != connections or result.left:
        print("files are left open", file=sys.stderr)
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", choices=("lite", "milvus"), default="milvus")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=60, help="calls a second, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop-every", type=float, default=60, help="seconds between SIGSTOPs")
    parser.add_argument("--kill-every", type=float, default=300, help="seconds between SIGKILLs")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="milvus-native-soak-") as folder:
        os.environ["MVN_TEST_SERVERS"] = folder
        spec = mortal_lite_spec if options.server == "lite" else mortal_milvus_spec
        with MortalServer(spec) as server:
            return soak_server(options, server)


if __name__ == "__main__":
    raise SystemExit(main())
