"""Replies decoded by us and by pymilvus."""

import milvus_native.results  # noqa: F401  (registers the types that _core's decoders need)
