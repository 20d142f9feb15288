"""TLS between an HTTP/2 engine and a socket, without the socket: Python's ssl on memory."""

from __future__ import annotations

import errno
import ssl

from .target import Target

RECORD = 16 << 10  # the most that one TLS record carries


class TlsError(OSError):
    """A handshake that failed; `strerror` is for the user."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.EPROTO, text)


class TlsLayer:
    """One TLS connection of a client. Not thread-safe."""

    def __init__(self, target: Target) -> None:
        assert target.tls is not None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = target.tls.wrap_bio(
            self._incoming, self._outgoing, server_hostname=target.server_name
        )

    def handshake(self) -> bool:
        """Takes the next step; True when it is done. Raises TlsError.

        In both cases `to_send` may have something for the socket.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise TlsError(_explain(error)) from error
        if self._tls.selected_alpn_protocol() != "h2":
            raise TlsError("the server did not agree to speak HTTP/2 (ALPN h2) on this port")
        return True

    def to_send(self) -> bytes:
        """Encrypted bytes for the socket."""
        return self._outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        """`data` as encrypted bytes for the socket."""
        self._tls.write(data)
        return self._outgoing.read()

    def receive(self, data: bytes) -> None:
        """Bytes from the socket; nothing means that it has ended."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def decrypt(self) -> bytes | None:
        """What came, decrypted; b"" at the regular end, None until more has come.

        Raises ssl.SSLError for bytes that were tampered with, or cut off.
        """
        pieces = []
        try:
            while piece := self._tls.read(RECORD):
                pieces.append(piece)
            return b"".join(pieces)
        except ssl.SSLWantReadError:
            return b"".join(pieces) or None
        except ssl.SSLError:
            if pieces:
                return b"".join(pieces)
            raise


def _explain(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is refused: {error.verify_message}"
    reason = error.reason or str(error)
    if isinstance(error, ssl.SSLEOFError) or reason == "UNEXPECTED_EOF_WHILE_READING":
        return "the server closed the connection during the TLS handshake"
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return "the server does not speak TLS on this port; use an http:// address"
    if reason == "NO_APPLICATION_PROTOCOL" or "NO_APPLICATION_PROTOCOL" in str(error):
        return "the server did not agree to speak HTTP/2 (ALPN h2) on this port"
    return f"the TLS handshake failed: {reason.replace('_', ' ').lower()}"
