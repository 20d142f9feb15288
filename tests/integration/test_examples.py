"""Each example runs as its reader would run it, and prints what it says it prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.servers import Server

from .scripts import run

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"

# Lines that the output must hold.
EXPECTED = {
    "quickstart_sync": [
        "inserted 1000",
        "row 7 is green",
        "yellow: [7]",
        "after the delete: []",
    ],
    "quickstart_async": [
        "inserted 5000",
        f"found itself: {list(range(0, 5000, 250))}",
        f"page 3: {list(range(30, 40))}",
        "left of ten: []",
    ],
    "migrate_one_line": ["{'insert_count': 3, 'ids': ['a', 'b', 'c']}"],
    "hybrid_search": ["RRFRanker", "WeightedRanker"],
    "dynamic_and_nullable": [
        "{'id': 2, 'rating': None, 'language': 'en'}",
        "not rated: [2, 3, 4]",
        "nearest: 3 {'rating': None, 'language': 'en', 'tags': ['new', 'long']}",
    ],
}


def test_every_example_is_tested() -> None:
    scripts = {path.stem for path in EXAMPLES.glob("*.py")}
    assert scripts == {*EXPECTED, "concurrent_insert"}


@pytest.mark.parametrize("name", EXPECTED)
def test_example(name: str, lite_server: Server, tmp_path: Path) -> None:
    lines = run(EXAMPLES / f"{name}.py", lite_server.uri, cwd=tmp_path).splitlines()
    for line in EXPECTED[name]:
        assert line in lines


def test_embedded_server(tmp_path: Path) -> None:
    """Without a URI: milvus-lite in a file of the current folder."""
    lines = run(EXAMPLES / "quickstart_sync.py", cwd=tmp_path).splitlines()
    assert EXPECTED["quickstart_sync"][0] in lines
    assert (tmp_path / "quickstart.db").exists()


def test_migrated_program_prints_the_same(lite_server: Server, tmp_path: Path) -> None:
    ours = EXAMPLES / "migrate_one_line.py"
    text = ours.read_text()
    assert text.count("from milvus_native import ") == 1
    theirs = tmp_path / "before.py"
    theirs.write_text(text.replace("from milvus_native import ", "from pymilvus import "))
    printed = run(ours, lite_server.uri, cwd=tmp_path)
    assert printed == run(theirs, lite_server.uri, cwd=tmp_path)


def readme_blocks() -> list[str]:
    text = (ROOT / "README.md").read_text()
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_readme(lite_server: Server, tmp_path: Path) -> None:
    """The README's sync example as it stands, its async one on the collection it made, and the
    sync one once more as a program for pymilvus that ours were put into."""
    sync, in_async, install = readme_blocks()
    sync_script = tmp_path / "sync.py"
    sync_script.write_text(sync.replace("demo.db", lite_server.uri))
    assert run(sync_script, cwd=tmp_path).startswith("7 ")
    async_script = tmp_path / "async.py"
    async_script.write_text(
        in_async.replace("http://localhost:19530", lite_server.uri)
        + "batches = [[{'id': 5000 + i, 'vector': [1.0] * 64, 'even': True}] for i in range(3)]\n"
        + "print(len(asyncio.run(main(batches, [[1.0] * 64, [0.5] * 64]))))\n"
    )
    assert run(async_script, cwd=tmp_path) == "2\n"
    installed = tmp_path / "installed.py"
    theirs = sync.replace("from milvus_native import", "from pymilvus import")
    installed.write_text(
        install
        + theirs.replace("demo.db", lite_server.uri).replace('"demo"', '"demo_installed"')
        + "assert MilvusClient is milvus_native.MilvusClient\n"
    )
    assert run(installed, cwd=tmp_path).startswith("7 ")


@pytest.mark.parametrize("client", ["milvus_native", "pymilvus"])
@pytest.mark.parametrize("server", ["lite_server", "milvus_server"])
def test_concurrent_insert(
    client: str, server: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    uri = request.getfixturevalue(server).uri
    report = tmp_path / "steps.json"
    size = ["--rows", "5000", "--batch", "250", "--dim", "32"]
    run(
        EXAMPLES / "concurrent_insert.py",
        *["--uri", uri, "--client", client, "--json", str(report), *size],
        cwd=tmp_path,
    )
    steps = json.loads(report.read_text())
    assert [step["step"] for step in steps] == [
        *("import", "create", "insert", "flush", "search", "query", "delete", "close")
    ]
    assert steps[2]["remark"] == "5,000 vectors in 20 batches"
