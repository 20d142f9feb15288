#!/usr/bin/env bash
# Runs tools/pythons.sh on the CPythons of another Debian, newer ones and debug builds, in a root of
# its own under build/pythons (a gigabyte and a half). Needs root, and debootstrap.
#
#     tools/debian_pythons.sh [SUITE [VERSION...]]       sid; 3.13-dbg 3.14 3.14-dbg 3.15
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${1:-sid}
shift || true
versions=("$@")
if [ ${#versions[@]} -eq 0 ]; then
    versions=(3.13-dbg 3.14 3.14-dbg 3.15)
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "only root can make a Debian of its own and run programs in it" >&2
    exit 1
fi
tools/system_packages.sh debootstrap

root=$PWD/build/pythons/$suite-root
packages=gcc,pkg-config,libprotobuf-c-dev,libnghttp2-dev,zlib1g-dev,ca-certificates
interpreters=()
for version in "${versions[@]}"; do
    packages+=",python${version%-dbg}-dev,python${version%-dbg}-venv,python$version"
    interpreters+=("python$version")
done
if [ ! -e "$root/ready" ]; then
    mkdir -p "$(dirname "$root")"
    rm -rf "$root"
    debootstrap --variant=minbase "--include=$packages" "$suite" "$root" >"$root.log" ||
        { tail -5 "$root.log" >&2; exit 1; }
    touch "$root/ready"
fi

# Packages come from where this machine gets them.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mkdir -p "$root/milvus_native"
for item in setup.py pyproject.toml README.md LICENSE csrc milvus_native tests tools; do
    rm -rf "${root:?}/milvus_native/$item"
    cp -a "$item" "$root/milvus_native/$item"
done

# /proc and /dev, seen from this process and its children alone.
unshare --mount --propagation private bash -euc '
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    exec chroot "$0" /milvus_native/tools/pythons.sh "${@:1}"' "$root" "${interpreters[@]}"
