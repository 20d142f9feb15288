"""The standalone Milvus 2.3.5 of the PyPI package `milvus`, plain, with TLS, with authorization.

Its own launcher (`milvus-server`) looks for free ports from the default ones upwards when a port
it was given is taken, and has no option for three of them: the HTTP port (9091) and etcd's two.
So each of its ports is set here, and one that is taken is an error; see standalone_launcher.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from .shared import Launch, ServerSpec, free_ports, run_folder

LAUNCHER = Path(__file__).with_name("standalone_launcher.py")
PORT_NAMES = (
    "etcd",
    "proxy",
    "proxy_internal",
    "root_coord",
    "query_coord",
    "query_node",
    "index_coord",
    "index_node",
    "data_coord",
    "data_node",
)

ETCD_CONFIG = """\
name: default
data-dir: {data_dir}/data/etcd.data
listen-client-urls: http://127.0.0.1:{client}
advertise-client-urls: http://127.0.0.1:{client}
listen-peer-urls: http://127.0.0.1:{peer}
initial-advertise-peer-urls: http://127.0.0.1:{peer}
initial-cluster: default=http://127.0.0.1:{peer}
"""


def _launch(
    folder: Path,
    data_dir: Path,
    settings: dict[str, str | int | bool] | None = None,
    options: dict[str, str] | None = None,
) -> Launch:
    *numbers, etcd_peer, http = free_ports(len(PORT_NAMES) + 2)
    ports = dict(zip(PORT_NAMES, numbers, strict=True))
    etcd_config = folder / "etcd.yaml"
    etcd_config.write_text(
        ETCD_CONFIG.format(data_dir=data_dir, client=ports["etcd"], peer=etcd_peer)
    )
    # The unpacked binaries are 250 MB: once per run, not once per server.
    binaries = run_folder() / "milvus-binaries"
    binaries.mkdir(exist_ok=True)
    (data_dir / "bin").symlink_to(binaries)
    config = {
        "data_dir": str(data_dir),
        "http_port": http,
        "settings": {
            **{f"{name}_port": port for name, port in ports.items()},
            "proxy.timeTickInterval": 50,  # ms, not 200: what a read with Strong waits for
            **(settings or {}),
        },
    }
    scheme = "https" if settings and "tls_mode" in settings else "http"
    return Launch(
        command=[sys.executable, str(LAUNCHER), json.dumps(config)],
        uri=f"{scheme}://127.0.0.1:{ports['proxy']}",
        ports=[ports["proxy"]],
        environment={"ETCD_CONFIG_PATH": str(etcd_config)},
        health_url=f"http://127.0.0.1:{http}/healthz",
        options=options or {},
    )


def _plain(folder: Path, data_dir: Path) -> Launch:
    return _launch(folder, data_dir)


def _with_short_leases(folder: Path, data_dir: Path) -> Launch:
    # Seconds for which a server that was killed still holds its places in its own etcd.
    return _launch(folder, data_dir, {"common.session.ttl": 8})


def _with_authorization(folder: Path, data_dir: Path) -> Launch:
    return _launch(folder, data_dir, {"authorization_enabled": True}, {"token": "root:Milvus"})


def _with_tls(mutual: bool) -> Callable[[Path, Path], Launch]:
    def prepare(folder: Path, data_dir: Path) -> Launch:
        import trustme

        authority = trustme.CA()
        server = authority.issue_cert("localhost", "127.0.0.1")
        client = authority.issue_cert("client@example.org")
        files = {name: folder / f"{name}.pem" for name in ("ca", "server", "client")}
        keys = {name: folder / f"{name}.key" for name in ("server", "client")}
        authority.cert_pem.write_to_path(files["ca"])
        for name, issued in (("server", server), ("client", client)):
            issued.private_key_pem.write_to_path(keys[name])
            for pem in issued.cert_chain_pems:
                pem.write_to_path(files[name], append=True)
        settings: dict[str, str | int | bool] = {
            "tls_mode": 2 if mutual else 1,
            "server_pem_path": str(files["server"]),
            "server_key_path": str(keys["server"]),
            "ca_pem_path": str(files["ca"]),
        }
        if mutual:
            options = {
                "client_pem_path": str(files["client"]),
                "client_key_path": str(keys["client"]),
                "ca_pem_path": str(files["ca"]),
                "server_name": "localhost",
            }
        else:
            options = {"server_pem_path": str(files["ca"]), "server_name": "localhost"}
        return _launch(folder, data_dir, settings, options)

    return prepare


milvus_spec = ServerSpec("milvus", "2.3.5", _plain, ready_seconds=120)
mortal_milvus_spec = ServerSpec("milvus-mortal", "2.3.5", _with_short_leases, ready_seconds=120)
auth_spec = ServerSpec("milvus-auth", "2.3.5", _with_authorization, ready_seconds=120)
tls_spec = ServerSpec("milvus-tls", "2.3.5", _with_tls(mutual=False), ready_seconds=120)
mutual_tls_spec = ServerSpec(
    "milvus-mutual-tls", "2.3.5", _with_tls(mutual=True), ready_seconds=120
)
