"""Builds milvus_native._core from csrc/. Everything else is in pyproject.toml."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from setuptools import Extension, setup

ROOT = Path(__file__).parent
CSRC = ROOT / "csrc"
SOURCE_DIRS = ("core", "proto", "rpc", "py", "py/codecs")

# pkg-config name -> prefix of the environment variables that take its place.
LIBRARIES = {"libprotobuf-c": "PROTOBUF_C", "libnghttp2": "NGHTTP2", "zlib": "ZLIB"}

MISSING_LIBRARY = """
milvus_native needs the protobuf-c, nghttp2 and zlib libraries and their headers to build;
pkg-config does not find {library}.
Install the packages that have them and try again:
    Debian, Ubuntu    libprotobuf-c-dev libnghttp2-dev zlib1g-dev pkg-config
    Fedora, RHEL      protobuf-c-devel libnghttp2-devel zlib-devel pkgconf
    Alpine            protobuf-c-dev nghttp2-dev zlib-dev pkgconf
    macOS (Homebrew)  protobuf-c libnghttp2 zlib pkg-config
or set {prefix}_CFLAGS and {prefix}_LIBS to where {library} is.
"""


def flags(kind: str) -> list[str]:
    """Compiler ("CFLAGS") or linker ("LIBS") flags of the libraries, each from the environment or
    from pkg-config."""
    found: list[str] = []
    for library, prefix in LIBRARIES.items():
        text = os.environ.get(f"{prefix}_{kind}")
        if text is None:
            try:
                text = subprocess.run(
                    ["pkg-config", f"--{kind.lower()}", library],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            except (OSError, subprocess.CalledProcessError):
                message = MISSING_LIBRARY.format(library=library, prefix=prefix)
                raise SystemExit(message) from None
        found += shlex.split(text)
    return found


def extension() -> Extension:
    found = [path for folder in SOURCE_DIRS for path in (CSRC / folder).glob("*.c")]
    sources = sorted(str(path.relative_to(ROOT)) for path in found)
    headers = sorted(str(path.relative_to(ROOT)) for path in CSRC.rglob("*.h"))
    compile_args = ["-std=c11", "-O2", "-g", "-fvisibility=hidden", "-Wall", "-Wextra"]
    # Once more after ours: what the user says of optimisation counts, not what we do.
    compile_args += shlex.split(os.environ.get("CFLAGS", ""))
    if os.environ.get("MVN_WERROR"):
        compile_args.append("-Werror")
    macros: list[tuple[str, str | None]] = []
    if os.environ.get("MVN_DEBUG"):
        macros += [("MVN_DEBUG", "1"), ("MVN_FAULT_INJECTION", "1")]
        compile_args += ["-O0", "-UNDEBUG"]
    sanitize = os.environ.get("MVN_SANITIZE")
    sanitizer = [f"-fsanitize={sanitize}", "-fno-omit-frame-pointer"] if sanitize else []
    return Extension(
        "milvus_native._core",
        sources=sources,
        depends=headers,
        define_macros=macros,
        extra_compile_args=compile_args + sanitizer + flags("CFLAGS"),
        extra_link_args=sanitizer + flags("LIBS"),
    )


setup(ext_modules=[extension()])
