"""Starts a server, or joins the one that another worker of the same test run has started."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.sanitizers import environment_of_others

ATTEMPTS = 3  # a free port may be taken between our look and the server's bind
SUPERVISOR = Path(__file__).with_name("supervisor.py")


@dataclass(frozen=True)
class Server:
    """A running server.

    `uri` is what a client connects to; `version` is "lite" or "2.3.5"; `folder` holds its log
    and whatever else its spec made (certificates); `options` are further keyword arguments for a
    client (token, TLS files).
    """

    name: str
    version: str
    uri: str
    folder: Path
    options: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.uri.rpartition(":")[2])

    @property
    def log(self) -> Path:
        return self.folder / "log"


@dataclass(frozen=True)
class Launch:
    """One attempt: what to run, and how to see that it is ready."""

    command: list[str]
    uri: str
    ports: list[int]  # all of them answer when the server is ready
    environment: dict[str, str] = field(default_factory=dict)
    health_url: str | None = None  # answers "OK" when the server is ready
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ServerSpec:
    """How to start one kind of server. `prepare(folder, data_dir)` fills the folder."""

    name: str
    version: str
    prepare: Callable[[Path, Path], Launch]
    ready_seconds: float


def free_ports(count: int) -> list[int]:
    """TCP ports of 127.0.0.1 that nobody listens on, all different."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    return ports


def run_folder() -> Path:
    """Where this test run keeps its servers; the controller's conftest makes it."""
    return Path(os.environ["MVN_TEST_SERVERS"])


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def starting() -> contextlib.AbstractContextManager[None]:
    """One lock for all kinds: two servers starting at once on two cores help nobody."""
    return _locked(run_folder() / "start.lock")


def _open_fifo(fifo: Path) -> int | None:
    """The write end, or None when no supervisor reads it."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            return None
        raise


def _answers(launch: Launch) -> bool:
    try:
        for port in launch.ports:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        if launch.health_url is not None:
            with urllib.request.urlopen(launch.health_url, timeout=5) as reply:
                return b"OK" in reply.read()
    except OSError:
        return False
    return True


def log_tail(log: Path, lines: int = 30) -> str:
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def supervise(
    spec: ServerSpec, launch: Launch, folder: Path, doomed: Path, log: Path
) -> tuple[subprocess.Popen[bytes], int]:
    """Starts a server and waits until it is ready: its supervisor, and the FIFO's write end.

    The FIFO is made in `folder`; `doomed` is what goes when the last user has gone. RuntimeError
    if the server ends, or is not ready in time.
    """
    fifo = folder / "users"
    os.mkfifo(fifo)
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, str(SUPERVISOR), str(fifo), str(doomed), *launch.command],
            env={**environment_of_others(), **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own; Ctrl-C in the terminal is not for it
        )
    user: int | None = None
    deadline = time.monotonic() + spec.ready_seconds
    while time.monotonic() < deadline and supervisor.poll() is None:
        if user is None:
            user = _open_fifo(fifo)
        elif _answers(launch):
            return supervisor, user
        time.sleep(0.1)
    what = "ended" if supervisor.poll() is not None else f"not ready in {spec.ready_seconds:.0f} s"
    with contextlib.suppress(ProcessLookupError):
        os.killpg(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    if user is not None:
        os.close(user)
    raise RuntimeError(f"{spec.name}: {what}; {log} says:\n{log_tail(log)}")


def _try_start(spec: ServerSpec, attempt: int) -> tuple[Server, int]:
    folder = Path(tempfile.mkdtemp(prefix=f"{spec.name}-{attempt}-", dir=run_folder()))
    data_dir = folder / "data"
    data_dir.mkdir()
    launch = spec.prepare(folder, data_dir)
    server = Server(spec.name, spec.version, launch.uri, folder, launch.options)
    _, user = supervise(spec, launch, folder, data_dir, server.log)
    return server, user


def _start(spec: ServerSpec) -> tuple[Server, int]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _try_start(spec, attempt)
        except RuntimeError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


@contextlib.contextmanager
def join(spec: ServerSpec) -> Iterator[Server]:
    """The server of this test run, started if nobody has; it lives while somebody is joined."""
    folder = run_folder()
    record = folder / f"{spec.name}.json"
    with starting():
        user: int | None = None
        if record.exists():
            known = json.loads(record.read_text())
            server = Server(**{**known, "folder": Path(known["folder"])})
            user = _open_fifo(server.folder / "users")
        if user is None:
            server, user = _start(spec)
            known = {
                "name": server.name,
                "version": server.version,
                "uri": server.uri,
                "folder": str(server.folder),
                "options": server.options,
            }
            record.write_text(json.dumps(known))
    try:
        yield server
    finally:
        os.close(user)


def wait_until_gone(folder: Path, seconds: float = 15.0) -> None:
    """Waits until no supervisor of the run in `folder` is alive."""
    deadline = time.monotonic() + seconds
    for fifo in folder.glob("*/users"):
        while time.monotonic() < deadline:
            user = _open_fifo(fifo)
            if user is None:
                break
            os.close(user)
            time.sleep(0.1)
