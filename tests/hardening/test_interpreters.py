"""Subinterpreters, with a lock of their own where Python has that (3.12 and later): each imports
the core, its types are its own, and all work side by side."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

# Only the core: orjson, which JSON needs, and numpy cannot be imported there.
WORK = """
from milvus_native import _core
from milvus_native._core import Schema, SchemaCache, encode_rows, primary_key_expression
reply = {reply!r}
schema = Schema.from_reply(reply)
rows = [{{"id": i, "v": [0.5, i, 2, 3]}} for i in range(50)]
cache = SchemaCache(capacity=4)
for i in range(200):
    data = encode_rows(schema, rows, collection_name="c")
    cache.put(("a", i), schema, cache.generation())
    assert len(data) > 800 and len(cache) <= 4
    assert _core.decode_mutation({mutation!r}).insert_count == 3
    connection = _core.RpcConnection("localhost:1", "http", "test/1")
    connection.submit("/s/M", data, None, 5.0, None)
    assert connection.data_to_send()
    connection.lost("over")
assert primary_key_expression("id", ["a'"]) == 'id in ["a\\'"]'
"""

MAIN = """
import sys, threading
from tests.faker import DataType, FakeField, Faker
from tests.unit.clients import replies
from milvus_native import _core
fields = [FakeField("id", DataType.INT64, primary=True),
          FakeField("v", DataType.FLOAT_VECTOR, dim=4)]
work = {work!r}.format(
    reply=Faker(0).describe(fields).reply_bytes, mutation=replies.mutation(1, 2, 3, insert_cnt=3)
)
exec(work, {{}})
try:
    import _interpreters as interpreters
    run = interpreters.run_string if hasattr(interpreters, "run_string") else interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    run = interpreters.run_string
failures = []
TYPES = "from milvus_native._core import Schema; open({path!r}, 'a').write(f'{{id(Schema)}}\\\\n')"
def one():
    interpreter = interpreters.create()
    try:
        for text in (f"import sys; sys.path[:] = {{sys.path!r}}", work, TYPES):
            outcome = run(interpreter, text)
            if outcome is not None:
                failures.append(outcome)
    except Exception as error:
        failures.append(error)
    finally:
        keep.append(interpreter)
keep = []
threads = [threading.Thread(target=one) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for interpreter in keep:
    interpreters.destroy(interpreter)
if failures:
    print(failures)
    raise SystemExit(1)
exec(work, {{}})
types = open({path!r}).read().split() + [str(id(_core.Schema))]
assert len(types) == len(set(types)) == 5, types
print("passed", len(types))
"""


def test_side_by_side(tmp_path: object) -> None:
    script = MAIN.format(work=WORK, path=f"{tmp_path}/types")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[-2:] == ["passed", "5"]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="free-threaded builds are 3.13 and later")
def test_the_lock_stays_off() -> None:
    """In a free-threaded build importing the core does not switch the lock on again."""
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        pytest.skip("this is no free-threaded build")
    code = "import sys; from milvus_native import _core; print(sys._is_gil_enabled())"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
