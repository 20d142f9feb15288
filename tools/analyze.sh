#!/usr/bin/env bash
# Compilers that look for more than warnings: gcc and clang at -O0 and -O3 with warnings as errors,
# gcc's -fanalyzer, clang's static analyzer and clang-tidy. What each is told to leave alone, and
# why, is in docs/reliability.md.
set -uo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-.venv/bin/python}
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
read -ra libraries <<<"$(pkg-config --cflags libprotobuf-c libnghttp2 zlib)"
mapfile -t sources < <(find csrc -name '*.c' -not -path 'csrc/proto/*' -not -path 'csrc/tests/*' | sort)
common=(-std=c11 -isystem "$include" "${libraries[@]}")
strict=(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla -Wpointer-arith -Wconversion -Wformat=2
        -Wundef -Werror)

failed=()
each() { # each NAME COMMAND...: COMMAND with every source as its last argument, two at a time
    local name=$1
    shift
    echo "== $name"
    printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P 2 "$@" || failed+=("$name")
}

for compiler in gcc clang; do
    for level in -O0 -O3; do
        each "$compiler $level" "$compiler" "${common[@]}" "${strict[@]}" "$level" -c -o /dev/null
    done
done
# Built with assertions and failing allocations, too.
each "gcc -DMVN_DEBUG" gcc "${common[@]}" "${strict[@]}" -DMVN_DEBUG -DMVN_FAULT_INJECTION -O2 -c -o /dev/null
# Sizes are computed in size_t throughout: a build for a machine where it has 32 bits must say so
# where a value does not fit. Only the parts without Python, whose headers are for this machine.
if echo '#include <stdio.h>' | gcc -m32 -E - >/dev/null 2>&1 &&
    echo '#include <stdint.h>
#include <stdio.h>' | gcc -m32 -c -x c -o /dev/null - 2>/dev/null; then
    mapfile -t all < <(printf '%s\n' "${sources[@]}")
    mapfile -t sources < <(find csrc/core -name '*.c' | sort)
    each "gcc -m32" gcc -std=c11 "${strict[@]}" -m32 -O2 -c -o /dev/null
    sources=("${all[@]}")
fi
# Reference counts are beyond gcc's analyzer: it takes every PyObject for a block that is lost.
each "gcc -fanalyzer" gcc "${common[@]}" -O1 -fanalyzer -Wno-analyzer-malloc-leak -Werror -c -o /dev/null
each "clang --analyze" clang "${common[@]}" --analyze -Xclang -analyzer-werror \
    -Xclang -analyzer-disable-checker=deadcode.DeadStores --analyzer-output text
each "clang-tidy" tools/tidy.sh "${common[@]}"

if [ ${#failed[@]} -gt 0 ]; then
    printf 'analyze failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "analyze passed"
