"""Go's server: compiled once, and one that answers as a Milvus on which everything works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import echo
from tests.servers.recording import connect_reply
from tests.unit.clients import replies


@pytest.fixture(scope="session")
def go_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return echo.build_go_server(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="session")
def go_milvus(go_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A URI. In a process of its own, and fast: for many calls."""
    folder = tmp_path_factory.mktemp("replies")
    for method, reply in {**replies.defaults(), "Connect": connect_reply()}.items():
        (folder / method).write_bytes(reply)
    with echo.go_server(go_binary, f"-replies={folder}") as port:
        yield f"http://127.0.0.1:{port}"
