"""SchemaCache between threads and between interpreters: nothing leaks, nothing is shared that may
not be."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from pathlib import Path

from milvus_native._core import Schema, SchemaCache
from tests.faker import DataType, FakeField, Faker
from tests.sanitizers import SANITIZED

LOOKUPS = 1_000_000
INVALIDATIONS = 100_000
THREADS = 8


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_memory_stays_flat() -> None:
    """A million look-ups and a hundred thousand invalidations from eight threads."""
    cache = SchemaCache(capacity=64)
    reply = Faker(1).describe([FakeField("id", DataType.INT64, primary=True)]).reply
    serialized = reply.SerializeToString()
    keys = [("server", "principal", "default", str(number)) for number in range(128)]
    failures: list[BaseException] = []

    def work(seed: int, lookups: int, invalidations: int) -> None:
        try:
            each = lookups // invalidations
            for turn in range(invalidations):
                key = keys[(turn * 31 + seed * 17) % len(keys)]
                generation = cache.generation()
                for _ in range(each):
                    found = cache.get(key)
                    assert found is None or found.primary_field == "id"
                cache.put(key, Schema.from_reply(serialized), generation)
                if turn % 100 == seed:
                    cache.invalidate_if(lambda k, _, wanted=key: k == wanted)
                else:
                    cache.invalidate(keys[(turn * 7 + seed) % len(keys)])
        except BaseException as error:
            failures.append(error)

    def run(share: int) -> None:
        counts = (LOOKUPS // THREADS // share, INVALIDATIONS // THREADS // share)
        threads = [threading.Thread(target=work, args=(seed, *counts)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    run(10)  # fills what fills once
    before = resident()
    run(1)
    # AddressSanitizer keeps what is given back, to see whether it is used once more.
    assert SANITIZED or resident() - before < 4 << 20
    stats = cache.stats()
    assert stats["hits"] + stats["misses"] >= LOOKUPS
    assert stats["entries"] <= 64
    assert stats["entries"] == len(cache)


INTERPRETERS = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
from milvus_native import _core
from milvus_native.schema_cache import CACHE, stats

reply = bytes.fromhex(sys.argv[1])
CACHE.put(("main",), _core.Schema.from_reply(reply), 0)
code = f'''
import sys
sys.path[:] = {sys.path!r}
from milvus_native import _core
from milvus_native.schema_cache import CACHE, stats
assert stats()["entries"] == 0
assert id(_core.SchemaCache) != {id(_core.SchemaCache)}
schema = _core.Schema.from_reply({reply!r})
assert CACHE.put(("theirs",), schema, CACHE.generation())
assert CACHE.get(("theirs",)) is schema
try:
    CACHE.put(("theirs",), object(), 0)
except TypeError:
    pass
else:
    raise AssertionError("no schema")
'''
for _ in range(5):
    other = interpreters.create()
    failure = interpreters.run_string(other, code)
    assert failure is None, failure
    interpreters.destroy(other)
assert stats()["entries"] == 1
assert CACHE.get(("main",)) is not None
print("apart")
"""


def test_interpreters_have_caches_of_their_own() -> None:
    reply = Faker(1).describe([FakeField("id", DataType.INT64, primary=True)]).reply
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETERS, reply.SerializeToString().hex()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("apart\n", "")
