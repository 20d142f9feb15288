"""Damaged replies: they are decoded to something or refused, and never harm the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import _core
from tests.oldest import has

from .damage import HARMFUL, HARMLESS, damaged
from .faker import ReplyFaker, fakers
from .scramble import scramble

ALLOWED = (_core.DecodeError, _core.StatusError, MilvusException)
DECODERS: dict[str, Callable[..., Any]] = {
    "search": _core.decode_search,
    "query": _core.decode_query,
    "mutation": _core.decode_mutation,
}


def attempt(decode: Callable[..., Any], data: bytes) -> bool:
    """Whether the reply was decoded; anything but the allowed errors fails the test."""
    try:
        repr(decode(data))
    except ALLOWED:
        return False
    return True


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("batch", range(2))
def test_cut_anywhere(kind: str, batch: int) -> None:
    refused = 0
    for faker in fakers(batch):
        data = getattr(faker, kind)().SerializeToString()
        for size in faker.random.sample(range(len(data)), min(len(data), 40)):
            refused += not attempt(DECODERS[kind], data[:size])
    assert refused


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("batch", range(4))
def test_changed_bytes(kind: str, batch: int) -> None:
    for faker in fakers(batch):
        reply = getattr(faker, kind)()
        data = reply.SerializeToString()
        if faker.chance(0.3):
            data = scramble(faker.random, reply)
        for _ in range(40 if data else 0):
            damaged = bytearray(data)
            for _ in range(faker.random.randrange(1, 5)):
                at = faker.random.randrange(len(damaged))
                action = faker.random.randrange(4)
                if action == 0:
                    damaged[at] ^= 1 << faker.random.randrange(8)
                elif action == 1:
                    damaged[at] = faker.random.choice((0, 1, 0x7F, 0x80, 0xFF))
                elif action == 2:
                    damaged[at:at] = faker.random.randbytes(faker.random.randrange(4))
                elif len(damaged) > 1:
                    del damaged[at]
            attempt(DECODERS[kind], bytes(damaged))


@pytest.mark.parametrize("kind", DECODERS)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_noise(kind: str, data: st.DataObject) -> None:
    attempt(DECODERS[kind], data.draw(st.binary(max_size=200)))


@pytest.mark.parametrize("kind", DECODERS)
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.floats(0, 1), noise=st.binary(max_size=20))
def test_noise_inside(kind: str, seed: int, cut: float, noise: bytes) -> None:
    data = getattr(ReplyFaker(seed), kind)().SerializeToString()
    at = int(len(data) * cut)
    attempt(DECODERS[kind], data[:at] + noise + data[at:])
    attempt(DECODERS[kind], data[:at] + noise + data[at + len(noise) :])


def replies(kind: str, count: int) -> list[tuple[bytes, Any]]:
    """Replies with all that their kind can have, and the descriptor of each."""
    made = [getattr(faker, kind)() for faker in fakers(0)][:count]
    if kind == "search" and has("pymilvus:SearchAggregation"):
        for faker in fakers(1):
            reply = milvus_pb2.SearchResults()
            faker.aggregation(reply.results)
            made.append(reply)
            if len(made) == 2 * count:
                break
    return [(reply.SerializeToString(), reply.DESCRIPTOR) for reply in made]


@pytest.mark.parametrize("how", HARMFUL)
@pytest.mark.parametrize("kind", DECODERS)
def test_damaged_inside(kind: str, how: str) -> None:
    """Every message, text and run of numbers in turn: refused, or what is left of it decoded."""
    outcomes = [
        attempt(DECODERS[kind], data)
        for reply, descriptor in replies(kind, 6)
        for data in damaged(reply, descriptor, HARMFUL[how], leaves=True)
    ]
    assert how == "nothing" or not all(outcomes)


@pytest.mark.parametrize("how", HARMLESS)
@pytest.mark.parametrize("kind", DECODERS)
def test_unknown_fields_inside(kind: str, how: str) -> None:
    for reply, descriptor in replies(kind, 6):
        if not attempt(DECODERS[kind], reply):
            continue
        expected = repr(DECODERS[kind](reply))
        for data in damaged(reply, descriptor, HARMLESS[how], leaves=False):
            assert repr(DECODERS[kind](data)) == expected
