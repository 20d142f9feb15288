"""Real Milvus servers for the tests, each a process of its own on free ports of this machine."""

from .lite import lite_spec, mortal_lite_spec
from .mortal import MortalServer
from .shared import Server, ServerSpec, join, wait_until_gone
from .standalone import auth_spec, milvus_spec, mortal_milvus_spec, mutual_tls_spec, tls_spec

__all__ = [
    "MortalServer",
    "Server",
    "ServerSpec",
    "auth_spec",
    "join",
    "lite_spec",
    "milvus_spec",
    "mortal_lite_spec",
    "mortal_milvus_spec",
    "mutual_tls_spec",
    "tls_spec",
    "wait_until_gone",
]
