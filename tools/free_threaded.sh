#!/usr/bin/env bash
# Builds a CPython without the GIL from Debian's sources, in build/pythons, and runs on it the tests
# with threads that need no other package, and those of the native transport, plain and over TLS:
# orjson and grpcio switch the GIL on again, if they can be had at all. The sources come from the
# mirror that apt is set up with here.
#
#     tools/free_threaded.sh [SUITE [VERSION]]        forky 3.13
#
# CONFIGURE adds options of CPython's configure.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${1:-forky}
version=${2:-3.13}
name=${version}t
home=$PWD/build/pythons
prefix=$home/cpython-$name
sources=$home/sources-$suite
read -ra configure <<<"${CONFIGURE:-}"

tools/system_packages.sh openssl
if [ ! -x "$prefix/bin/python$name" ]; then
    tools/system_packages.sh libbz2-dev libffi-dev liblzma-dev libsqlite3-dev libssl-dev xz-utils
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Created-By: Packages' | sed -n 1p)
    rm -rf "$sources"
    mkdir -p "$sources/lists/partial"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb-src [signed-by=$keys] ${mirror:?"apt has no index of Debian: run apt-get update"} $suite main" \
        >"$sources/sources.list"
    options=(-qq -o "Dir::Etc::SourceList=$sources/sources.list" -o Dir::Etc::SourceParts=- -o Dir::Cache::pkgcache=
        -o Dir::Cache::srcpkgcache= -o "Dir::State::Lists=$sources/lists" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update
    (cd "$sources" && apt-get "${options[@]}" source --download-only --tar-only "python$version")
    tar -xf "$sources/python${version}"_*.orig.tar.* -C "$sources"
    (cd "$sources"/Python-"$version".* && ./configure -q --disable-gil --disable-test-modules "--prefix=$prefix" "${configure[@]}" &&
        make -s "-j$(nproc)" && make -s install) >"$prefix.log" 2>&1 || { tail -20 "$prefix.log" >&2; exit 1; }
    rm -rf "$sources"
fi
tests=tests/hardening/test_threads_alone.py
for about in bytes flow lives outcomes; do
    tests+=" tests/transport/test_$about.py"
done
PYTHON_PACKAGES=hpack PYTEST_ARGS="--noconftest -k not(grpc) -W error::RuntimeWarning" PYTHON_TESTS=$tests \
    exec tools/pythons.sh "$prefix/bin/python$name"
