"""Large requests use the same memory again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from milvus_native import memory
from tests.sanitizers import SANITIZED
from tests.servers.recording import RecordingServer

from . import replies


@pytest.fixture
def nothing_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_expected", 0)


@pytest.mark.usefixtures("nothing_expected")
def test_largest_size_is_kept_in_mind() -> None:
    for size, expected in [
        (100, 0),
        (1 << 20, 1 << 20),
        (1 << 19, 1 << 20),
        (3 << 20, 3 << 20),
        (1 << 30, 1 << 30),
    ]:
        memory.expect(size)
        assert memory._expected == expected


SCRIPT = """
import resource
from milvus_native import MilvusClient
rows = [{{"id": i, "vector": [0.5] * 768}} for i in range(1000)]
with MilvusClient("{uri}") as client:
    for _ in range(5):
        client.insert("things", rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        client.insert("things", rows)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc's allocator")
@pytest.mark.skipif(SANITIZED, reason="sanitizers have an allocator of their own")
def test_pages_are_not_asked_for_again(server: RecordingServer) -> None:
    server.set("DescribeCollection", replies.describe(dim=768))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(uri=server.uri)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    pages_of_a_request = 1000 * 768 * 4 // 4096
    assert int(done.stdout) < 10 * pages_of_a_request // 2
