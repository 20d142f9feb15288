"""Runs Milvus 2.3.5 with every port set: python standalone_launcher.py CONFIG_AS_JSON"""

from __future__ import annotations

import json
import socket
import sys

from milvus import MilvusServer, MilvusServerConfig


class Config(MilvusServerConfig):  # type: ignore[misc]
    def try_bind_port(self, port: int) -> socket.socket | None:
        """As Milvus itself binds: connections of a server that was killed are not in the way."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen()
        except OSError:
            sock.close()
            return None
        return sock


def main() -> int:
    given = json.loads(sys.argv[1])
    settings = given["settings"]
    # Ports as keyword arguments: one that is taken raises, where the command line's would be
    # replaced by the next free one.
    ports = {name: value for name, value in settings.items() if name.endswith("_port")}
    config = Config(data_dir=given["data_dir"], **ports)
    for name, value in settings.items():
        config.set(name, value)
    server = MilvusServer(config, wait_for_started=False)
    server.webservice_port = given["http_port"]
    server.start()
    return int(server.server_proc.wait())


if __name__ == "__main__":
    sys.exit(main())
