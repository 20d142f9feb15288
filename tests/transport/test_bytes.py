"""The server's bytes cut off, split, or broken at every place."""

from __future__ import annotations

import random

import pytest

from milvus_native.transport.base import UNAVAILABLE, RpcError
from tests.servers import frames
from tests.servers.faulty import FaultServer, Peer

from .lines import ANSWER, open_line

NATIVE = ("native-sync", "native-async")

GREETING = frames.settings({frames.MAX_CONCURRENT_STREAMS: 100}) + frames.SETTINGS_ACK
REPLY = (
    frames.split_headers(1, [*frames.RESPONSE, ("x", "y")], 20)
    + frames.ping()
    + frames.data(1, frames.message(ANSWER)[:3])
    + frames.window_update(0, 5)
    + frames.data(1, frames.message(ANSWER)[3:])
    + frames.trailers(1)
)
WHOLE = GREETING + REPLY


def answered_with(kind: str, data: bytes, cut: int | None = None, reset: bool = False) -> object:
    """A call whose server sends `data` at once, in two parts if it is cut, and is gone."""

    def play(peer: Peer) -> None:
        peer.acknowledges = peer.replenishes = False
        peer.greet_silently()
        peer.request()
        if cut is None:
            peer.send(data)
        else:
            peer.send_slowly(data, cut, pause=0.001)
        if reset:
            peer.reset()
        else:
            peer.close()

    with FaultServer(play) as server, open_line(kind, server.uri) as line:
        try:
            return line.call()
        except RpcError as error:
            return error


@pytest.mark.parametrize("kind", NATIVE)
def test_split_anywhere(kind: str) -> None:
    for cut in range(len(WHOLE)):
        assert answered_with(kind, WHOLE, cut) == ANSWER, cut


@pytest.mark.parametrize("kind", NATIVE)
def test_byte_by_byte(kind: str) -> None:
    # Without CONTINUATION: nghttp2 counts the pieces in which its header comes, not the frames.
    whole = GREETING + frames.reply(1, ANSWER)

    def play(peer: Peer) -> None:
        peer.acknowledges = peer.replenishes = False
        peer.greet_silently()
        peer.request()
        peer.send_slowly(whole, *range(1, len(whole)), pause=0.001)

    with FaultServer(play) as server, open_line(kind, server.uri) as line:
        assert line.call() == ANSWER


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("kind", NATIVE)
def test_ended_anywhere(kind: str, reset: bool) -> None:
    """Short of its last byte a reply is none, and the server may have acted on the call."""
    for end in range(len(WHOLE)):
        error = answered_with(kind, WHOLE[:end], reset=reset)
        assert isinstance(error, RpcError), end
        assert (error.code, error.sent) == (UNAVAILABLE, True), (end, error.details)


@pytest.mark.parametrize("kind", NATIVE)
def test_broken_anywhere(kind: str) -> None:
    """Whatever a broken byte makes of a reply, the call ends, and never with a wrong answer."""
    codes = set()
    # Past the message itself: what is broken in there is nobody's to notice.
    places = [at for at in range(len(WHOLE)) if WHOLE[at : at + 1] not in ANSWER]
    noise = random.Random(1)
    for at in noise.sample(places, 60):
        broken = bytearray(WHOLE)
        broken[at] ^= noise.randrange(1, 256)
        result = answered_with(kind, bytes(broken))
        if isinstance(result, RpcError):
            codes.add(result.code)
        else:
            assert result == ANSWER, at
    assert UNAVAILABLE in codes
    assert len(codes) > 1


@pytest.mark.parametrize("kind", NATIVE)
def test_noise(kind: str) -> None:
    for seed in range(30):
        noise = random.Random(seed)
        result = answered_with(kind, GREETING + noise.randbytes(noise.randrange(1, 300)))
        assert isinstance(result, RpcError), seed
