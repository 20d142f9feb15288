"""gunicorn --preload and celery's prefork pool: the client is made, and used, before they fork."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

# In the parent two threads call without a break, before the fork, during it and afterwards.
BUSY_CLIENT = """
import os, sys, threading
from milvus_native import MilvusClient

client = MilvusClient({uri!r})

def search():
    [[hit]] = client.search("things", [bytes(16)], anns_field="vector", timeout=60)
    assert hit["id"] == 3

def go_on_searching():
    while True:
        search()
        parent_calls.append(1)

parent, parent_calls = os.getpid(), []
for _ in range(2):
    threading.Thread(target=go_on_searching, daemon=True).start()
while len(parent_calls) < 20:
    pass
"""

WEB = """
def app(environ, start_response):
    for _ in range(5):
        search()
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""

TASKS = """
from celery import Celery

app = Celery("tasks", broker="filesystem://", backend="file://" + {folder!r} + "/results")
app.conf.broker_transport_options = {{
    "data_folder_in": {folder!r} + "/queue",
    "data_folder_out": {folder!r} + "/queue",
    "control_folder": {folder!r} + "/control",
}}

@app.task
def work():
    for _ in range(5):
        search()
    return os.getpid()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("queue", "control", "results"):
        (tmp_path / name).mkdir()
    return tmp_path


def write(folder: Path, name: str, uri: str, *parts: str) -> None:
    text = "".join(textwrap.dedent(part).format(uri=uri, folder=str(folder)) for part in parts)
    (folder / f"{name}.py").write_text(text)


@contextmanager
def running(folder: Path, *command: str) -> Iterator[Path]:
    """`python -m command` in `folder`; gives the file it logs to. It has to end when told so."""
    log = folder / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield log
        assert process.poll() is None, log.read_text()
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def until_it_says(log: Path, text: str) -> None:
    end = time.monotonic() + 120
    while text not in log.read_text():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def test_gunicorn(folder: Path, go_milvus: str) -> None:
    write(folder, "web", go_milvus, BUSY_CLIENT, WEB)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = ("--preload", "--workers=3", "--timeout=120", f"--bind={address}")
    with running(folder, "gunicorn", *options, "web:app") as log:
        until_it_says(log, "Booting worker")

        def fetch(_: int) -> bytes:
            with urllib.request.urlopen(f"http://{address}/", timeout=120) as answer:
                assert answer.status == 200
                return bytes(answer.read())

        with ThreadPoolExecutor(8) as pool:
            workers = set(pool.map(fetch, range(120)))
        assert 1 <= len(workers) <= 3
    assert "Traceback" not in log.read_text()


def test_celery(folder: Path, go_milvus: str) -> None:
    write(folder, "tasks", go_milvus, BUSY_CLIENT, TASKS)
    options = ("worker", "--pool=prefork", "--concurrency=2", "--loglevel=INFO", "--without-mingle")
    with running(folder, "celery", "--app=tasks", *options) as log:
        until_it_says(log, "ready.")
        send = (
            "import os, tasks; sent = [tasks.work.delay() for _ in range(60)];"
            "workers = {result.get(timeout=120) for result in sent};"
            "assert 1 <= len(workers) <= 2, workers; assert tasks.parent not in workers"
        )
        done = subprocess.run(
            [sys.executable, "-c", send], cwd=folder, capture_output=True, text=True, timeout=180
        )
        assert done.returncode == 0, done.stderr + log.read_text()
    assert "Traceback" not in log.read_text()
