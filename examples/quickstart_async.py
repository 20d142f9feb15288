"""The async client with many calls in flight: python examples/quickstart_async.py [URI]

Without a URI it uses an embedded milvus-lite in ./quickstart.db (pip install milvus-lite).
"""

import asyncio
import sys

import numpy as np

from milvus_native import AsyncMilvusClient, MilvusClient

NAME = "quickstart_async"


async def main(uri: str) -> None:
    random = np.random.default_rng(2)
    vectors = random.standard_normal((5000, 64), dtype=np.float32)
    batches = [
        [{"id": i, "vector": vectors[i], "page": i // 10} for i in range(start, start + 500)]
        for start in range(0, len(vectors), 500)
    ]

    with MilvusClient(uri) as setup:  # once, and so without asyncio
        if setup.has_collection(NAME):
            setup.drop_collection(NAME)
        setup.create_collection(NAME, dimension=64, consistency_level="Strong")

    async with AsyncMilvusClient(uri) as client:
        results = await asyncio.gather(*(client.insert(NAME, batch) for batch in batches))
        print("inserted", sum(result["insert_count"] for result in results))

        answers = await asyncio.gather(
            *(client.search(NAME, [vectors[i]], limit=1) for i in range(0, 5000, 250))
        )
        print("found itself:", [answer[0][0].id for answer in answers])

        rows = await client.query(NAME, filter="page == 3", output_fields=["id"])
        print("page 3:", sorted(row["id"] for row in rows))

        await client.delete(NAME, filter="id < 10")
        print("left of ten:", list(await client.get(NAME, ids=list(range(10)))))
        await client.drop_collection(NAME)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "quickstart.db"))
