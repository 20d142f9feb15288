"""Does an installed milvus_native work? Run by tools/wheel.sh in an environment that has only the
wheel and its dependencies: python smoke.py FOLDER_OF_THE_ENVIRONMENT"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import milvus_native

environment = Path(sys.argv[1]).resolve()


def loaded_libraries(name: str) -> list[Path]:
    """Files mapped into this process whose name holds `name`."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        paths = {line.split()[-1] for line in maps if "/" in line}
    return [Path(path) for path in paths if name in Path(path).name]


def main() -> None:
    assert environment in Path(milvus_native.__file__).resolve().parents, milvus_native.__file__
    assert "pymilvus" not in sys.modules, "importing milvus_native imported pymilvus"

    from milvus_native import _core

    assert environment in Path(_core.__file__).resolve().parents, _core.__file__
    libraries = loaded_libraries("protobuf-c")
    assert libraries, "libprotobuf-c is not loaded"
    for library in libraries:
        assert environment in library.resolve().parents, f"{library} is not the wheel's own"
    assert (Path(milvus_native.__file__).parent / "py.typed").exists()
    assert (Path(milvus_native.__file__).parent / "_core.pyi").exists()

    with (
        tempfile.TemporaryDirectory() as folder,
        milvus_native.MilvusClient(f"{folder}/smoke.db") as client,
    ):
        client.create_collection("smoke", dimension=4, consistency_level="Strong")
        rows = [{"id": i, "vector": [float(i), 1.0, 0.0, 0.0], "name": f"n{i}"} for i in range(9)]
        assert client.insert("smoke", rows)["insert_count"] == 9
        (hits,) = client.search("smoke", [rows[8]["vector"]], limit=1, output_fields=["name"])
        assert (hits[0]["id"], hits[0]["entity"]["name"]) == (8, "n8")
        client.delete("smoke", ids=[8])
        assert len(client.query("smoke", filter="id >= 0")) == 8
    print(f"milvus_native {milvus_native.__version__} works in {environment}")


if __name__ == "__main__":
    main()
