#!/usr/bin/env bash
# Builds and runs csrc/tests/test_*.c, each a program of its own linked with all of csrc/core and
# csrc/rpc, with failing allocations switched on, and under the sanitizers that MVN_SANITIZE names:
# those of addresses and undefined behaviour if it is not set, none if it is empty.
set -euo pipefail
cd "$(dirname "$0")/.."

cc=${CC:-cc}
out=build/ctest
flags=(-std=c11 -g -O1 -Wall -Wextra -Werror -D_POSIX_C_SOURCE=200809L -DMVN_DEBUG -DMVN_FAULT_INJECTION)
sanitize=${MVN_SANITIZE-address,undefined}
if [ -n "$sanitize" ]; then
    flags+=("-fsanitize=$sanitize" -fno-sanitize-recover=all -fno-omit-frame-pointer)
fi

read -ra includes <<<"$(pkg-config --cflags libnghttp2 libprotobuf-c zlib)"
read -ra libraries <<<"$(pkg-config --libs libnghttp2 libprotobuf-c zlib)"
read -ra further <<<"${CFLAGS:-}"
flags+=("${includes[@]}" "${further[@]}")

mkdir -p "$out"
newest_header=$(find csrc/core csrc/rpc csrc/tests -name '*.h' -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2-)

objects=()
for source in csrc/core/*.c csrc/rpc/*.c; do
    object=$out/$(basename "$source" .c).o
    if [ ! "$object" -nt "$source" ] || [ ! "$object" -nt "$newest_header" ]; then
        "$cc" "${flags[@]}" -c "$source" -o "$object"
    fi
    objects+=("$object")
done

run=0
failed=()
for source in csrc/tests/test_*.c; do
    name=$(basename "$source" .c)
    "$cc" "${flags[@]}" "$source" "${objects[@]}" "${libraries[@]}" -lm -o "$out/$name"
    run=$((run + 1))
    "$out/$name" || failed+=("$name")
done

# What fuzzing has learnt and found, through the fuzz targets, without a fuzzer.
generated=()
for source in csrc/proto/*.c; do
    object=$out/$(basename "$source" .c).o
    if [ ! "$object" -nt "$source" ]; then
        "$cc" "${flags[@]}" -Wno-unused-parameter -c "$source" -o "$object"
    fi
    generated+=("$object")
done
for source in csrc/tests/fuzz_*.c; do
    name=$(basename "$source" .c)
    "$cc" "${flags[@]}" "$source" csrc/tests/replay.c "${objects[@]}" "${generated[@]}" "${libraries[@]}" -lm \
        -o "$out/$name"
    run=$((run + 1))
    "$out/$name" csrc/tests/corpus/"$name"/* || failed+=("$name")
done

if [ "$run" -eq 0 ]; then
    echo "no C test was found" >&2
    exit 1
fi
if [ ${#failed[@]} -gt 0 ]; then
    echo "C tests failed: ${failed[*]}" >&2
    exit 1
fi
echo "$run C test programs passed"
