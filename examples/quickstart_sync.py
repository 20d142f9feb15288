"""The sync client, start to end: python examples/quickstart_sync.py [URI]

Without a URI it uses an embedded milvus-lite in ./quickstart.db (pip install milvus-lite).
"""

import sys

import numpy as np

from milvus_native import MilvusClient

NAME = "quickstart_sync"


def main(uri: str) -> None:
    random = np.random.default_rng(1)
    vectors = random.standard_normal((1000, 64), dtype=np.float32)
    rows = [
        {"id": i, "vector": vectors[i], "color": ("red", "green", "blue")[i % 3]}
        for i in range(len(vectors))
    ]

    with MilvusClient(uri) as client:
        if client.has_collection(NAME):
            client.drop_collection(NAME)
        client.create_collection(NAME, dimension=64, consistency_level="Strong")

        print("inserted", client.insert(NAME, rows)["insert_count"])

        (hits,) = client.search(
            NAME, [vectors[7]], limit=3, filter='color == "green"', output_fields=["color"]
        )
        print("nearest to row 7:", [(hit.id, hit["color"]) for hit in hits])

        (row,) = client.get(NAME, ids=7, output_fields=["color"])
        print("row 7 is", row["color"])

        client.upsert(NAME, {"id": 7, "vector": vectors[7], "color": "yellow"})
        found = client.query(NAME, filter='color == "yellow"', output_fields=["color"])
        print("yellow:", [row["id"] for row in found])

        client.delete(NAME, ids=[7])
        print("after the delete:", list(client.get(NAME, ids=7)))
        client.drop_collection(NAME)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "quickstart.db")
