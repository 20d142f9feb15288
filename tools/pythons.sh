#!/usr/bin/env bash
# Builds the package for each CPython from 3.10 on that is found and runs the tests that need no
# real server on it:
#
#     tools/pythons.sh [INTERPRETER...]
#
# Without arguments: python3.10, python3.11, ... of PATH, those of pyenv, and Debian's debug builds
# (python3.11-dbg), on which every reference is counted. Each has a virtual environment of its own in
# build/pythons. PYTHON_TESTS says which tests, PYTEST_ARGS how, PYTHON_PACKAGES what they need.
set -uo pipefail
cd "$(dirname "$0")/.."

read -ra tests <<<"${PYTHON_TESTS:-tests/unit tests/hardening tests/property tests/oracle}"
read -ra arguments <<<"${PYTEST_ARGS:-}"
read -ra packages <<<"${PYTHON_PACKAGES:-pymilvus==3.0.2 milvus-lite==3.2.2 orjson hypothesis>=6.100 hpack ml_dtypes numpy \
    opentelemetry-api opentelemetry-sdk pytest-asyncio>=0.24 pytest-xdist scipy trustme uvloop}"

candidates() {
    local minor
    for minor in 10 11 12 13 13t 14 14t 15 15t; do
        command -v "python3.$minor"
        command -v "python3.$minor-dbg"
    done
    ls "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3
}

describe='import sys, sysconfig
if sys.version_info < (3, 10): raise SystemExit(1)
print(f"{sys.version_info[0]}.{sys.version_info[1]}"
      + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else "")
      + ("d" if hasattr(sys, "gettotalrefcount") else ""))'

if [ $# -gt 0 ]; then
    interpreters=("$@")
else
    mapfile -t interpreters < <(candidates 2>/dev/null)
fi

declare -A seen
failed=()
for interpreter in "${interpreters[@]}"; do
    name=$("$interpreter" -c "$describe" 2>/dev/null) || continue
    if [ -n "${seen[$name]:-}" ]; then
        continue
    fi
    seen[$name]=1
    tree=build/pythons/$name
    venv=$PWD/build/pythons/$name-venv
    echo "== $name: $interpreter"
    mkdir -p "$tree"
    for item in setup.py pyproject.toml README.md LICENSE csrc milvus_native tests tools; do
        rm -rf "${tree:?}/$item"
        cp -a "$item" "$tree/$item"
    done
    find "$tree" -name '_core.*.so' -delete
    # Made anew if it was made for other packages.
    if [ "$(cat "$venv/ready" 2>/dev/null)" != "${packages[*]}" ]; then
        "$interpreter" -m venv --clear "$venv" &&
            "$venv/bin/pip" install -qq --disable-pip-version-check "setuptools>=77" "pytest>=8" \
                pytest-timeout "${packages[@]}" && echo "${packages[*]}" >"$venv/ready"
    fi
    if ! [ -e "$venv/ready" ]; then
        failed+=("$name (its packages cannot be installed)")
        continue
    fi
    (cd "$tree" && "$venv/bin/python" setup.py --quiet build_ext --inplace &&
        PYTHONPATH=$PWD "$venv/bin/python" -m pytest -q -p no:cacheprovider --timeout 600 "${arguments[@]}" "${tests[@]}") ||
        failed+=("$name")
done

echo "run on: ${!seen[*]}"
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed on %s\n' "${failed[@]}" >&2
    exit 1
fi
