"""What one call comes to when the server does a thing wrong, over each transport."""

from __future__ import annotations

import pytest

from milvus_native.transport.base import DEADLINE_EXCEEDED, RpcError
from tests.servers.faulty import FaultServer

from .cases import CASES, OK, Case
from .lines import ANSWER, KINDS, METHOD, open_line


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_outcome(case: Case, kind: str) -> None:
    native = kind.startswith("native")
    code_owed = case.code if native or case.grpc is None else case.grpc
    timeout = 1.0 if code_owed == DEADLINE_EXCEEDED else 30.0
    with (
        FaultServer(case.script, replies={METHOD: ANSWER}) as server,
        open_line(kind, server.uri) as line,
    ):
        code, text, sent = OK, "", True
        try:
            assert line.call(timeout=timeout) == ANSWER
        except RpcError as error:
            code, text, sent = error.code, error.details, error.sent
        assert (code, text) == (code_owed, text)
        if native:
            assert case.text in text
            assert sent == (sent if case.sent is None else case.sent)
            assert server.count(METHOD) <= 1
