"""The literals of primary_key_expression, read back by real servers: a row with such a key is
found by it, and by it alone."""

from __future__ import annotations

import pytest
from pymilvus import DataType, MilvusClient, MilvusException

from milvus_native._core import primary_key_expression
from tests.seeds import random_source
from tests.servers import Server

KEYS = [
    "plain",
    "O'Brien",
    'say "hi"',
    "both ' and \"",
    "x'] or id != ['",
    'x"] or id != ["',
    "back\\slash",
    "\\",
    "\\'",
    '\\"',
    "'\\",
    "\\n",
    "line\nend",
    "carriage\rreturn",
    "\r\n\t\\'\"",
    "tab\t",
    "bell\a and escape\x1b",
    "{template}",
    "100%",
    "é",
    "中文",
    "中'文\"",
    "😀",
    " leading and trailing ",
    "\u2028",
    "\u0600\u200f",
]
# U+20000. Servers since 2.4 find it only by an escape that milvus-lite does not know.
IDEOGRAPH = "\U00020000"


def collection(server: Server, keys: list[str]) -> tuple[MilvusClient, str]:
    # Its connection is no other channel's: milvus-lite ends those for the PINGs of idle ones.
    unshared = {"grpc.use_local_subchannel_pool": 1}
    client = MilvusClient(server.uri, dedicated=True, grpc_options=unshared, **server.options)
    name = f"keys_{len(keys)}"
    client.drop_collection(name)
    schema = client.create_schema()
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=200)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
    index = client.prepare_index_params("v", index_type="FLAT", metric_type="L2")
    client.create_collection(name, schema=schema, index_params=index, consistency_level="Strong")
    client.insert(name, [{"id": key, "v": [0.0, 1.0]} for key in keys])
    return client, name


def found(client: MilvusClient, name: str, keys: list[str]) -> list[str]:
    expression = primary_key_expression("id", keys, DataType.VARCHAR)
    rows = client.query(name, filter=expression, output_fields=["id"], consistency_level="Strong")
    return sorted(row["id"] for row in rows)


@pytest.mark.parametrize("fixture", ["lite_server", "milvus_server"])
def test_every_key_finds_its_row_and_no_other(fixture: str, request: pytest.FixtureRequest):
    client, name = collection(request.getfixturevalue(fixture), KEYS)
    assert found(client, name, KEYS) == sorted(KEYS)
    wrong = [key for key in KEYS if found(client, name, [key]) != [key]]
    assert wrong == []
    for key in KEYS:
        client.delete(name, filter=primary_key_expression("id", [key], DataType.VARCHAR))
    assert client.query(name, filter="id != ''", output_fields=["id"], limit=100) == []
    client.drop_collection(name)
    client.close()


@pytest.mark.parametrize("fixture", ["lite_server", "milvus_server"])
def test_random_keys(fixture: str, request: pytest.FixtureRequest):
    rng = random_source()
    letters = "'\"\\\n\r\t\0 ,[]{}()aunxU07=!\u2028\x7f\x85\x1bé中😀"
    keys = sorted({"".join(rng.choices(letters, k=rng.randint(1, 12))) for _ in range(300)})
    client, name = collection(request.getfixturevalue(fixture), keys)
    assert found(client, name, keys) == keys
    for chosen in (rng.sample(keys, rng.randint(1, 3)) for _ in range(30)):
        assert found(client, name, chosen) == sorted(chosen)
    client.drop_collection(name)
    client.close()


def test_an_ideograph_outside_the_basic_plane(milvus_server: Server, lite_server: Server):
    keys = [IDEOGRAPH, "\0", "x"]
    client, name = collection(milvus_server, keys)
    for key in keys:
        assert found(client, name, [key]) == [key]
    client.drop_collection(name)
    client.close()
    client, name = collection(lite_server, keys)
    with pytest.raises(MilvusException, match="unknown escape sequence"):
        found(client, name, [IDEOGRAPH])
    client.drop_collection(name)
    client.close()
