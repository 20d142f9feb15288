"""Fixtures for all tests: the real servers, started when a test first asks for them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from milvus_native import schema_cache
from milvus_native.transport import TRANSPORTS, VARIABLE
from tests import oldest, servers
from tests.servers.shared import log_tail


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--transport",
        choices=sorted(TRANSPORTS),
        help="what clients use where a test does not say (the package's own default otherwise)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--transport"):
        os.environ[VARIABLE] = config.getoption("--transport")
    # pytest-xdist's workers inherit the controller's environment, and so share its servers.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ["MVN_TEST_SERVERS"] = tempfile.mkdtemp(prefix="milvus-native-servers-")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    if exitstatus not in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERNAL_ERROR):
        return
    for log in sorted(Path(os.environ["MVN_TEST_SERVERS"]).glob("*/log")):
        terminalreporter.section(f"end of {log}")
        terminalreporter.write_line(log_tail(log, 10))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_exit_status] = exitstatus


_exit_status = pytest.StashKey[int]()


def pytest_unconfigure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    folder = Path(os.environ.pop("MVN_TEST_SERVERS"))
    servers.wait_until_gone(folder)
    failed = config.stash.get(_exit_status, 0) == pytest.ExitCode.TESTS_FAILED
    if not failed or not any(folder.glob("*/log")):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def lite_server() -> Iterator[servers.Server]:
    """milvus-lite 3.2.2: any token is accepted, no TLS."""
    with servers.join(servers.lite_spec) as server:
        yield server


@pytest.fixture(scope="session")
def milvus_server() -> Iterator[servers.Server]:
    """Milvus 2.3.5, without authorization and TLS."""
    with servers.join(servers.milvus_spec) as server:
        yield server


@pytest.fixture(scope="session")
def milvus_auth_server() -> Iterator[servers.Server]:
    """Milvus 2.3.5 that enforces authorization; `options` has root's token."""
    with servers.join(servers.auth_spec) as server:
        yield server


@pytest.fixture(scope="session")
def milvus_tls_server() -> Iterator[servers.Server]:
    """Milvus 2.3.5 with TLS; `options` names the authority to trust.

    pymilvus shares a connection between an http and an https client of the same address: tests
    that use it here belong in a process of their own.
    """
    with servers.join(servers.tls_spec) as server:
        yield server


@pytest.fixture(scope="session")
def milvus_mutual_tls_server() -> Iterator[servers.Server]:
    """Milvus 2.3.5 with TLS that wants the client's certificate too; `options` has both."""
    with servers.join(servers.mutual_tls_spec) as server:
        yield server


@pytest.fixture
def no_schemas() -> None:
    """For tests of servers that come and go: what one said of its collections is forgotten."""
    schema_cache.clear()


@pytest.fixture
def undisturbed() -> Iterator[None]:
    """Other threads wait, the test runner's too: when Python's allocations are made to fail, theirs
    would fail as well. So would those of a tracer: tools/coverage.sh runs these tests without one.
    """
    if sys.gettrace() is not None:
        pytest.skip("a tracer's allocations would fail, not the test's")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5)
    yield
    sys.setswitchinterval(interval)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    oldest.skip_what_is_missing(items, oldest.LACKING)
