"""Dense vectors and full text in one search: python examples/hybrid_search.py [URI]

Needs a server with BM25: milvus-lite (the default, in ./hybrid.db) or Milvus 2.5 and later.
"""

import sys

import numpy as np

from milvus_native import (
    AnnSearchRequest,
    DataType,
    Function,
    FunctionType,
    MilvusClient,
    RRFRanker,
    WeightedRanker,
)

NAME = "hybrid_search"
TITLES = [
    "growing tomatoes on a balcony",
    "a balcony garden for the shade",
    "soup of roasted tomatoes",
    "repairing a bicycle wheel",
    "roasted vegetables in the oven",
]


def embed(text: str) -> np.ndarray:
    """Stands in for a model: the same words give nearby vectors."""
    total = np.zeros(32, dtype=np.float32)
    for word in text.split():
        seed = int.from_bytes(word.encode(), "little") % 2**32
        total += np.random.default_rng(seed).standard_normal(32, dtype=np.float32)
    return total / np.linalg.norm(total)


def main(uri: str) -> None:
    with MilvusClient(uri) as client:
        if client.has_collection(NAME):
            client.drop_collection(NAME)
        schema = client.create_schema()
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("title", DataType.VARCHAR, max_length=500, enable_analyzer=True)
        schema.add_field("dense", DataType.FLOAT_VECTOR, dim=32)
        schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function(
                name="bm25",
                function_type=FunctionType.BM25,
                input_field_names=["title"],
                output_field_names=["sparse"],
            )
        )
        index = client.prepare_index_params()
        index.add_index("dense", index_type="FLAT", metric_type="COSINE")
        index.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        client.create_collection(
            NAME, schema=schema, index_params=index, consistency_level="Strong"
        )
        client.insert(
            NAME,
            [{"id": i, "title": title, "dense": embed(title)} for i, title in enumerate(TITLES)],
        )

        question = "tomatoes on the balcony"
        by_meaning = AnnSearchRequest(
            [embed(question)], "dense", {"metric_type": "COSINE", "params": {}}, limit=5
        )
        by_words = AnnSearchRequest([question], "sparse", {"metric_type": "BM25"}, limit=5)
        for ranker in (RRFRanker(60), WeightedRanker(0.8, 0.2)):
            (hits,) = client.hybrid_search(
                NAME, [by_meaning, by_words], ranker, limit=3, output_fields=["title"]
            )
            print(type(ranker).__name__)
            for hit in hits:
                print(f"  {hit['distance']:.4f}  {hit['title']}")
        client.drop_collection(NAME)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "hybrid.db")
