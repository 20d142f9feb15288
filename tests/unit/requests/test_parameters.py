"""The parameters of a search, however short the way to them."""

from __future__ import annotations

from typing import Any

import pytest

from milvus_native import requests
from milvus_native.parameters import ann_pairs
from milvus_native.scope import Scope

VALUES: dict[str, Any] = {
    "group_by_fields": ["a"],
    "json_type": 5,
    "page_retain_order": True,
    "offset": 7,
}


@pytest.mark.parametrize("keyword", sorted(requests.SEARCH_KEYWORDS | requests.HYBRID_KEYWORDS))
def test_every_keyword_counts(keyword: str) -> None:
    """One that says what is so anyway makes sure that all the others are looked at."""

    def pairs(**kwargs: Any) -> Any:
        return ann_pairs(Scope("a", "b", ""), {}, 10, -1, "vector", None, kwargs)

    alone = pairs(**{keyword: VALUES.get(keyword, "x")})
    assert alone == pairs(**{"ignore_growing": False, keyword: VALUES.get(keyword, "x")})
