"""The servers themselves: each is what its fixture says, reached with pymilvus in a new process."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.sanitizers import environment_of_others
from tests.servers import Server

ASK = """
import json, sys
from pymilvus import MilvusClient
uri, options = json.loads(sys.argv[1])
try:
    client = MilvusClient(uri, timeout=5, **options)
    print(json.dumps([client.get_server_version(), client.list_collections()]))
except Exception as error:
    print(json.dumps([type(error).__name__, None]))
"""


def ask(uri: str, options: dict[str, str]) -> list[object]:
    """[version, collections], or [exception's name, None]."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps([uri, options])],
        env=environment_of_others(),  # pymilvus alone
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_lite(lite_server: Server) -> None:
    version, _ = ask(lite_server.uri, {})
    assert "lite" in str(version).lower()


def test_milvus(milvus_server: Server) -> None:
    version, _ = ask(milvus_server.uri, {})
    assert str(version).startswith("v2.3.5")


def works(server: Server) -> bool:
    """Whether its version and its collections (other tests may have made some) are answered."""
    version, collections = ask(server.uri, server.options)
    return version == "v2.3.5-lite" and isinstance(collections, list)


def test_milvus_with_authorization(milvus_auth_server: Server) -> None:
    assert works(milvus_auth_server)
    assert ask(milvus_auth_server.uri, {}) == ["MilvusException", None]
    assert ask(milvus_auth_server.uri, {"token": "root:wrong"}) == ["MilvusException", None]


def test_milvus_with_tls(milvus_tls_server: Server) -> None:
    assert works(milvus_tls_server)
    plain = milvus_tls_server.uri.replace("https:", "http:")
    assert ask(plain, {}) == ["MilvusException", None]


def test_milvus_with_mutual_tls(milvus_mutual_tls_server: Server) -> None:
    assert works(milvus_mutual_tls_server)
    options = milvus_mutual_tls_server.options
    only_server = {"server_pem_path": options["ca_pem_path"], "server_name": "localhost"}
    assert ask(milvus_mutual_tls_server.uri, only_server) == ["MilvusException", None]
