#!/usr/bin/env bash
# Makes sure that the compiler, the protobuf-c library and Python's headers and venv are there.
# Looks for each by its effect; what is missing is installed with apt-get where that is possible,
# and named otherwise. Arguments: further Debian packages to install unless present.
set -euo pipefail

python=${PYTHON:-python3}
missing=()

need() { # need PACKAGE COMMAND...: PACKAGE is missing unless COMMAND succeeds
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

c_compiles() {
    echo '#include <stdio.h>' | cc -E -
}

python_has_headers() {
    "$python" -c 'import os, sysconfig
raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'
}

if ! "$python" -c 'import sys; raise SystemExit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "milvus_native needs Python 3.10 or later; '$python' is not. Set PYTHON=..." >&2
    exit 1
fi

need build-essential c_compiles
need pkg-config pkg-config --version
need libprotobuf-c-dev pkg-config --exists libprotobuf-c
need libnghttp2-dev pkg-config --exists libnghttp2
need zlib1g-dev pkg-config --exists zlib
need python3-dev python_has_headers
need python3-venv "$python" -c 'import ensurepip, venv'
for package in "$@"; do
    case $package in
    golang-go) need "$package" go version ;; # from wherever
    nodejs) need "$package" node --version ;;
    npm) need "$package" npm --version ;;
    *) need "$package" dpkg --status "$package" ;;
    esac
done

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
fi
if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    echo "Please install what these Debian packages have, then try again: ${missing[*]}" >&2
    exit 1
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
