"""A program written for pymilvus, moved by its import line:

    python examples/migrate_one_line.py [URI]

The line was:  from pymilvus import DataType, Function, FunctionType, MilvusClient
Everything that pymilvus exports is here under the same name, so nothing else changes.
"""

import sys

from milvus_native import DataType, Function, FunctionType, MilvusClient

NAME = "migrated"


def main(uri: str) -> None:
    client = MilvusClient(uri)
    if client.has_collection(NAME):
        client.drop_collection(NAME)

    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=50)
    schema.add_field("text", DataType.VARCHAR, max_length=1000, enable_analyzer=True)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(
        Function(
            name="bm25",
            function_type=FunctionType.BM25,
            input_field_names=["text"],
            output_field_names=["sparse"],
        )
    )
    index = client.prepare_index_params()
    index.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    client.create_collection(NAME, schema=schema, index_params=index, consistency_level="Strong")

    texts = {
        "a": "the quick brown fox jumps over the lazy dog",
        "b": "a database of vectors",
        "c": "a fox is not a dog",
    }
    print(client.insert(NAME, [{"id": key, "text": text} for key, text in texts.items()]))
    for hits in client.search(
        NAME, ["fox", "vectors"], anns_field="sparse", limit=2, output_fields=["text"]
    ):
        print([(hit["id"], round(hit["distance"], 3), hit["entity"]["text"]) for hit in hits])
    print(client.delete(NAME, ids=["a"]))
    print(client.query(NAME, filter='id != ""', output_fields=["text"]))
    client.drop_collection(NAME)
    client.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "migrated.db")
