"""Fields that a row may leave out: python examples/dynamic_and_nullable.py [URI]

Nullable fields, fields with a default value, and keys that the schema does not know. Needs a
server with nullable fields: milvus-lite (the default, in ./fields.db) or Milvus 2.5 and later.
"""

import sys

from milvus_native import DataType, MilvusClient

NAME = "dynamic_and_nullable"


def main(uri: str) -> None:
    with MilvusClient(uri) as client:
        if client.has_collection(NAME):
            client.drop_collection(NAME)
        schema = client.create_schema(enable_dynamic_field=True)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
        schema.add_field("rating", DataType.INT64, nullable=True)
        schema.add_field("language", DataType.VARCHAR, max_length=10, default_value="en")
        index = client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="L2")
        client.create_collection(
            NAME, schema=schema, index_params=index, consistency_level="Strong"
        )

        client.insert(
            NAME,
            [
                {"id": 1, "vector": [0.0, 1.0], "rating": 5, "language": "fr"},
                {"id": 2, "vector": [1.0, 0.0]},
                {"id": 3, "vector": [1.0, 1.0], "rating": None, "tags": ["new", "long"]},
                {"id": 4, "vector": [0.5, 0.5], "author": {"name": "O'Brien", "born": 1911}},
            ],
        )
        rows = client.query(NAME, filter="id > 0", output_fields=["*"])
        for row in sorted(rows, key=lambda row: row["id"]):
            print({key: value for key, value in row.items() if key != "vector"})

        unrated = client.query(NAME, filter="rating is null", output_fields=["id"])
        print("not rated:", sorted(row["id"] for row in unrated))
        (hits,) = client.search(
            NAME, [[1.0, 1.0]], limit=1, output_fields=["tags", "rating", "language"]
        )
        print("nearest:", hits[0].id, hits[0].fields)
        client.drop_collection(NAME)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "fields.db")
