"""Builds milvus_native._core from csrc/. Everything else is in pyproject.toml."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from setuptools import Extension, setup

ROOT = Path(__file__).parent
CSRC = ROOT / "csrc"
SOURCE_DIRS = ("core", "proto", "py", "py/codecs")

MISSING_LIBRARY = """
milvus_native needs the protobuf-c library and its headers to build.
Install the package that has them and try again:
    Debian, Ubuntu    libprotobuf-c-dev pkg-config
    Fedora, RHEL      protobuf-c-devel pkgconf
    Alpine            protobuf-c-dev pkgconf
    macOS (Homebrew)  protobuf-c pkg-config
or set PROTOBUF_C_CFLAGS and PROTOBUF_C_LIBS to where they are.
"""


def flags(kind: str, variable: str) -> list[str]:
    """Compiler or linker flags of libprotobuf-c, from the environment or pkg-config."""
    if variable in os.environ:
        return shlex.split(os.environ[variable])
    try:
        output = subprocess.run(
            ["pkg-config", kind, "libprotobuf-c"], check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit(MISSING_LIBRARY) from None
    return shlex.split(output)


def extension() -> Extension:
    found = [path for folder in SOURCE_DIRS for path in (CSRC / folder).glob("*.c")]
    sources = sorted(str(path.relative_to(ROOT)) for path in found)
    headers = sorted(str(path.relative_to(ROOT)) for path in CSRC.rglob("*.h"))
    compile_args = ["-std=c11", "-O2", "-g", "-fvisibility=hidden", "-Wall", "-Wextra"]
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
        extra_compile_args=compile_args + sanitizer + flags("--cflags", "PROTOBUF_C_CFLAGS"),
        extra_link_args=sanitizer + flags("--libs", "PROTOBUF_C_LIBS"),
    )


setup(ext_modules=[extension()])
