"""What making a request imports: nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from milvus_native import requests
assert "orjson" not in sys.modules
class Scope:
    cluster_id = None
    def last_write_ts(self, collection_name): return 0
requests.query(Scope(), "c", "id in {x}", filter_params={"x": [1, 2]})
requests.delete(Scope(), "c", "id > 1")
requests.search(Scope(), None, "c", [[0.5]], consistency_level="Strong")
assert "orjson" not in sys.modules
requests.search(Scope(), None, "c", ["text"], search_params={"params": {"ef": 3}}, ids=None)
requests.hybrid_search(Scope(), None, "c", [], None)
watched = {"orjson", "json", "pymilvus", "grpc", "google", "numpy", "pandas"}
print(*sorted(watched & set(sys.modules)))
"""


def test_requests_import_orjson_alone_and_that_late():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    # orjson imports json for the class of its exception.
    assert done.stdout.split() == ["json", "orjson"]
