#!/usr/bin/env bash
# All static checks. Goes on after one that fails, and names the failed ones at the end.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
check() { # check NAME COMMAND...
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}

# Optimised, since some warnings need the flow analysis; the objects are not kept.
c_warnings() { # c_warnings COMPILER
    local status=0 include source
    include=$(python -c 'import sysconfig; print(sysconfig.get_path("include"))')
    while read -r source; do
        # shellcheck disable=SC2046 # pkg-config's output is several words
        "$1" -std=c11 -O2 -c -o /dev/null -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla \
            -Wpointer-arith -Wconversion -Werror -isystem "$include" \
            $(pkg-config --cflags "${libraries[@]}") "$source" || status=1
    done < <(find csrc -name '*.c' -not -path 'csrc/proto/*' -not -path 'csrc/tests/*' | sort)
    return $status
}

libraries=(libprotobuf-c libnghttp2 zlib)

check "ruff" ruff check .
check "ruff format" ruff format --check --quiet .
check "mypy --strict" mypy
check "stubtest" python -m mypy.stubtest --mypy-config-file pyproject.toml milvus_native._core
for compiler in gcc clang; do
    if command -v "$compiler" >/dev/null; then
        check "$compiler, warnings as errors" c_warnings "$compiler"
    else
        echo "== $compiler is not installed here, its warnings were not looked at"
    fi
done

if [ ${#failed[@]} -gt 0 ]; then
    printf 'lint failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "lint passed"
