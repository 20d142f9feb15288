"""Connections dialled by blocking: addresses one after the other, TLS, all by one deadline."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from typing import Any

from .base import DEADLINE_EXCEEDED, UNAVAILABLE, RpcError
from .sockets import finish_connecting, is_patched, new_socket, start_connecting, wait
from .target import Address, Target
from .wire import CHUNK, PatchedWire, PlainWire, TlsWire, Wire

DIAL_TIMEOUT = 20.0  # seconds, for a call without a deadline; as in gRPC


def dial(target: Target, deadline: float | None) -> Wire:
    """A wire to `target`, by `deadline` (time.monotonic). Raises RpcError."""
    by = time.monotonic() + DIAL_TIMEOUT
    if deadline is not None:
        by = min(by, deadline)
    problem = ""
    try:
        addresses = target.known_addresses() or _find_addresses(target, by)
        for i, address in enumerate(addresses):
            now = time.monotonic()
            try:
                # Each of the addresses that are left has a fair part of the time.
                return _dial_one(target, address, now + (by - now) / (len(addresses) - i))
            except OSError as error:
                problem = f"{show(address)}: {reason(error)}"
    except OSError as error:
        problem = f"{target.host}: {reason(error)}"
    raise failed(target, problem, deadline)


def failed(target: Target, problem: str, deadline: float | None) -> RpcError:
    """What a call gets when dialling has ended with `problem`."""
    if deadline is not None and time.monotonic() >= deadline:
        return RpcError(DEADLINE_EXCEEDED, f"Deadline Exceeded ({problem})", sent=False)
    return RpcError(UNAVAILABLE, f"failed to connect to {target.name}: {problem}", sent=False)


def reason(error: OSError) -> str:
    if error.errno is not None and (error.strerror or "").startswith("Connect call failed"):
        return os.strerror(error.errno)  # asyncio has put its own words there
    return (isinstance(error, TimeoutError) and str(error)) or error.strerror or str(error)


def show(address: Address) -> str:
    """An address as text, for messages."""
    family, *_, name = address
    if family == socket.AF_UNIX:
        return str(name)
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _find_addresses(target: Target, by: float) -> list[Address]:
    """Asks the name server, in a thread of its own, as the question cannot be interrupted."""
    found: list[Any] = []

    def find() -> None:
        try:
            found.append(target.find_addresses())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=find, name="milvus_native-resolve", daemon=True)
    thread.start()
    thread.join(max(by - time.monotonic(), 0))
    if not found:
        raise TimeoutError("no answer from the name server")
    if isinstance(found[0], Exception):
        raise found[0]
    addresses: list[Address] = found[0]
    return addresses


def _dial_one(target: Target, address: Address, by: float) -> Wire:
    """Raises OSError; TimeoutError at the time `by`."""
    sock = new_socket(*address[:3])
    try:
        if not start_connecting(sock, address[3]):
            if not _wait(sock, select.POLLOUT, by):
                raise TimeoutError("no answer")
            finish_connecting(sock)
        if target.tls is None:
            if is_patched():
                return PatchedWire(target.new_connection(), sock)
            sock.setblocking(True)
            return PlainWire(target.new_connection(), sock)
        return _shake_hands(target, sock, by)
    except BaseException:
        sock.close()
        raise


def _shake_hands(target: Target, sock: socket.socket, by: float) -> TlsWire:
    from .tls import TlsLayer

    layer = TlsLayer(target)
    done = False
    while not done:
        done = layer.handshake()
        data = memoryview(layer.to_send())
        while data:
            if not _wait(sock, select.POLLOUT, by):
                raise TimeoutError("no answer during the TLS handshake")
            data = data[sock.send(data) :]
        if not done:
            if not _wait(sock, select.POLLIN, by):
                raise TimeoutError("no answer during the TLS handshake")
            layer.receive(sock.recv(CHUNK))
    return TlsWire(target.new_connection(), sock, layer)


def _wait(sock: socket.socket, events: int, by: float) -> bool:
    return wait(sock, events, max(by - time.monotonic(), 0))
