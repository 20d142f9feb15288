"""Authorization and TLS, on servers that enforce them.

Each client has a process of its own: pymilvus keeps connections by address and token alone, so
that within one process a wrong option may ride on the connection of a right one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server

ROOT = Path(__file__).resolve().parents[2]

# Connects, works, and prints what it saw, or the exception's class and code.
PROGRAM = """
import asyncio, importlib, inspect, json, logging, sys
logging.disable(logging.CRITICAL)
package, mode, name, options = json.loads(sys.argv[1])
module = importlib.import_module(package)

async def settle(value):
    return await value if inspect.isawaitable(value) else value

async def work():
    client = (module.AsyncMilvusClient if mode == "async" else module.MilvusClient)(**options)
    await settle(client.create_collection(name, dimension=4, consistency_level="Strong"))
    rows = [{"id": i, "vector": [float(i), 1.0, 2.0, 3.0], "tag": f"t{i}"} for i in range(5)]
    seen = [(await settle(client.insert(name, rows)))["insert_count"]]
    found = await settle(client.search(name, [rows[3]["vector"]], limit=2, output_fields=["tag"]))
    seen.append([[hit["id"], hit["entity"]["tag"]] for hit in found[0]])
    seen.append(len(await settle(client.query(name, filter="id >= 0"))))
    await settle(client.delete(name, ids=[0]))
    seen.append(len(await settle(client.get(name, ids=[0, 1]))))
    await settle(client.drop_collection(name))
    await settle(client.close())
    return seen

try:
    print(json.dumps(asyncio.run(work())))
except Exception as error:
    print(json.dumps([type(error).__name__, str(getattr(error, "code", None))]))
"""

WORKED = [5, [[3, "t3"], [4, "t4"]], 5, 1]
REFUSED = "MilvusException"
MODES = ["sync", "async"]


def run(package: str, mode: str, name: str, options: dict[str, Any]) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([package, mode, name, options])],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seen: list[Any] = json.loads(done.stdout)
    return seen


def both(mode: str, cases: dict[str, dict[str, Any]]) -> dict[str, list[Any]]:
    """What milvus_native saw in each named case, which is what pymilvus saw."""
    jobs = [
        (package, mode, f"{case}_{mode}_{package}", options)
        for case, options in cases.items()
        for package in ("milvus_native", "pymilvus")
    ]
    # Most of it is waiting: for collections to load, for handshakes to time out.
    with ThreadPoolExecutor(6) as threads:
        seen = list(threads.map(lambda job: run(*job), jobs))
    ours, theirs = (dict(zip(cases, seen[first::2], strict=True)) for first in (0, 1))
    assert ours == theirs
    return ours


@pytest.mark.parametrize("mode", MODES)
def test_credentials(mode: str, milvus_auth_server: Server) -> None:
    uri = milvus_auth_server.uri
    cases = {
        "token": {"uri": uri, "token": "root:Milvus"},
        "user": {"uri": uri, "user": "root", "password": "Milvus"},
        "in_uri": {"uri": uri.replace("//", "//root:Milvus@")},
    }
    assert both(mode, cases) == dict.fromkeys(cases, WORKED)


@pytest.mark.parametrize("mode", MODES)
def test_wrong_credentials(mode: str, milvus_auth_server: Server) -> None:
    uri = milvus_auth_server.uri
    cases = {
        "nothing": {"uri": uri},
        "password": {"uri": uri, "token": "root:wrong"},
        "user": {"uri": uri, "user": "nobody", "password": "Milvus"},
    }
    seen = both(mode, {case: {**options, "timeout": 5} for case, options in cases.items()})
    assert {case: result[0] for case, result in seen.items()} == dict.fromkeys(cases, REFUSED)


def test_user_without_privileges(milvus_auth_server: Server) -> None:
    """A user who may connect, but nothing else, until a role is granted."""
    from pymilvus import MilvusClient

    root = MilvusClient(milvus_auth_server.uri, **milvus_auth_server.options)
    root.create_user("reader", "secret-1")
    try:
        options = {"uri": milvus_auth_server.uri, "token": "reader:secret-1"}
        for mode in MODES:
            assert both(mode, {"forbidden": options})["forbidden"][0] != WORKED[0]
        root.grant_role("reader", "admin")
        # The proxy learns of it a little later; a program takes seconds on a busy machine.
        deadline = time.monotonic() + 120
        while (seen := run("pymilvus", "sync", "granted", options)) != WORKED:
            assert time.monotonic() < deadline, seen
            time.sleep(0.5)
        for mode in MODES:
            assert both(mode, {"allowed": options}) == {"allowed": WORKED}
    finally:
        root.drop_user("reader")
        root.close()


@pytest.mark.parametrize("mode", MODES)
def test_tls(mode: str, milvus_tls_server: Server) -> None:
    uri, options = milvus_tls_server.uri, milvus_tls_server.options
    cases = {
        "https": {"uri": uri, **options},
        "secure": {"uri": uri.replace("https:", "http:"), "secure": True, **options},
    }
    assert both(mode, cases) == dict.fromkeys(cases, WORKED)


@pytest.mark.parametrize("mode", MODES)
def test_tls_refused(
    mode: str, milvus_tls_server: Server, milvus_mutual_tls_server: Server
) -> None:
    uri, options = milvus_tls_server.uri, milvus_tls_server.options
    other_authority = milvus_mutual_tls_server.options["ca_pem_path"]
    cases = {
        "plain": {"uri": uri.replace("https:", "http:")},
        "no_authority": {"uri": uri},
        "other_authority": {"uri": uri, **options, "server_pem_path": other_authority},
        "other_name": {"uri": uri, **options, "server_name": "elsewhere.example.org"},
    }
    seen = both(mode, {case: {**options, "timeout": 4} for case, options in cases.items()})
    assert {case: result[0] for case, result in seen.items()} == dict.fromkeys(cases, REFUSED)


@pytest.mark.parametrize("mode", MODES)
def test_mutual_tls(mode: str, milvus_mutual_tls_server: Server) -> None:
    uri, options = milvus_mutual_tls_server.uri, milvus_mutual_tls_server.options
    nameless = {"server_pem_path": options["ca_pem_path"], "server_name": "localhost"}
    cases = {
        "mutual": {"uri": uri, **options},
        "nameless": {"uri": uri, **nameless, "timeout": 4},
    }
    seen = both(mode, cases)
    assert (seen["mutual"], seen["nameless"][0]) == (WORKED, REFUSED)
