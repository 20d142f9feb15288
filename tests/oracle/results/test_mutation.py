"""Random MutationResults, decoded by us and by pymilvus."""

from __future__ import annotations

import pickle

import pytest
from pymilvus.client.abstract import MutationResult
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import _core

from .faker import fakers
from .scramble import scramble


@pytest.mark.parametrize("batch", range(4))
def test_equals_pymilvus(batch: int) -> None:
    for faker in fakers(batch):
        reply = faker.mutation()
        theirs = MutationResult(reply)
        for data in (reply.SerializeToString(), scramble(faker.random, reply)):
            ours = _core.decode_mutation(data)
            assert type(ours.ids) is list
            assert ours.ids == list(theirs.primary_keys)
            assert ours.insert_count == theirs.insert_count
            assert ours.delete_count == theirs.delete_count
            assert ours.upsert_count == theirs.upsert_count
            assert ours.timestamp == theirs.timestamp
            assert ours.cost == theirs.cost
            assert pickle.loads(pickle.dumps(ours)) == ours


def test_other_information_is_no_cost() -> None:
    """pymilvus raises ValueError here, after the write has happened."""
    reply = milvus_pb2.MutationResult(insert_cnt=2)
    reply.status.extra_info["other"] = "1"
    with pytest.raises(ValueError, match="invalid literal"):
        MutationResult(reply)
    assert _core.decode_mutation(reply.SerializeToString()).cost == 0


def test_cost_that_is_no_number_counts_as_none() -> None:
    reply = milvus_pb2.MutationResult(insert_cnt=2)
    reply.status.extra_info["report_value"] = "much"
    assert _core.decode_mutation(reply.SerializeToString()).cost == 0
