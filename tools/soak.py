"""Many calls with both clients, and what they leave behind: memory, file descriptors.

    python tools/soak.py http://127.0.0.1:19530 --calls 1000000

Searches the collection "things" with a float vector of four dimensions, half of the calls in
threads and half on an event loop; some of those are cancelled. Fails if the resident memory or the
number of open files grows after the first fifth. `tests/transport` runs it with 100,000 calls.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import threading
import time
from contextlib import suppress

from milvus_native import AsyncMilvusClient, MilvusClient

THREADS, TASKS = 4, 64
ROUNDS = 10
VECTOR = bytes(16)
ALLOWED_GROWTH = 2 << 20  # bytes


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def search_in_threads(client: MilvusClient, calls: int) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(calls // THREADS):
                client.search("things", [VECTOR], anns_field="vector", timeout=60)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


async def search_on_the_loop(client: AsyncMilvusClient, calls: int) -> None:
    async def search() -> None:
        await client.search("things", [VECTOR], anns_field="vector", timeout=60)

    async def work() -> None:
        for i in range(calls // TASKS):
            if i % 100 == 99:
                task = asyncio.ensure_future(search())
                await asyncio.sleep(0)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            else:
                await search()

    await asyncio.gather(*(work() for _ in range(TASKS)))


async def soak(uri: str, calls: int) -> list[tuple[int, int]]:
    """Resident bytes and open files after each round."""
    seen = []
    with MilvusClient(uri) as client:
        async with AsyncMilvusClient(uri) as async_client:
            for number in range(1, ROUNDS + 1):
                started = time.monotonic()
                search_in_threads(client, calls // ROUNDS // 2)
                await search_on_the_loop(async_client, calls // ROUNDS // 2)
                gc.collect()
                seen.append((resident(), open_files()))
                print(
                    f"{calls * number // ROUNDS:>9} calls: {seen[-1][0] / 1e6:.2f} MB resident, "
                    f"{seen[-1][1]} open files, {time.monotonic() - started:.1f} s",
                    flush=True,
                )
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uri")
    parser.add_argument("--calls", type=int, default=1_000_000)
    options = parser.parse_args()
    before = open_files()
    seen = asyncio.run(soak(options.uri, options.calls))
    memory, files = seen[ROUNDS // 5]
    growth = seen[-1][0] - memory
    print(f"grown by {growth} bytes after the first fifth")
    if growth > ALLOWED_GROWTH:
        print("memory grows", file=sys.stderr)
        return 1
    if seen[-1][1] > files or open_files() > before:
        print("file descriptors are left open", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
