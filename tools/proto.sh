#!/usr/bin/env bash
# Generates csrc/proto/control.pb-c.{c,h}. With --check: into a temporary folder, and compares.
set -euo pipefail
cd "$(dirname "$0")/.."

# Other versions of the generator lay the text out differently; the committed files are its 1.4.
wanted="protobuf-c 1.4"

if ! command -v protoc-c >/dev/null; then
    tools/system_packages.sh protobuf-c-compiler
fi
version=$(protoc-c --version)
case $version in
    "$wanted"*) ;;
    *) echo "protoc-c is '$version', the committed files are of $wanted" >&2; exit 2 ;;
esac

out=csrc/proto
if [ "${1:-}" = --check ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
protoc-c --proto_path=csrc/proto --c_out="$out" control.proto
if [ "${1:-}" = --check ]; then
    diff -u csrc/proto/control.pb-c.c "$out/control.pb-c.c"
    diff -u csrc/proto/control.pb-c.h "$out/control.pb-c.h"
fi
