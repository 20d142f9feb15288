#!/usr/bin/env bash
# Builds csrc/tests/fuzz_*.c with clang's libFuzzer and the sanitizers, and runs each for
# FUZZ_SECONDS (60), starting from the inputs in csrc/tests/corpus. What is learnt stays in
# build/fuzz/NAME.corpus for the next run; an input that fails stays in build/fuzz/NAME.crash-*.
#
#     tools/fuzz.sh [NAME...]       all targets, or those named (fuzz_wire)
#     tools/fuzz.sh --merge         then replaces csrc/tests/corpus by the least that covers as much
#     tools/fuzz.sh --coverage      runs what was learnt once more and shows what of csrc it reaches
set -euo pipefail
cd "$(dirname "$0")/.."

mode=
if [[ ${1:-} == --* ]]; then
    mode=$1
    shift
fi
seconds=${FUZZ_SECONDS:-60}
longest=2048
out=build/fuzz
flags=(-std=c11 -g -O1 -Wall -Wextra -Werror -D_POSIX_C_SOURCE=200809L -DMVN_DEBUG)
sanitizers=(-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
read -ra libraries <<<"$(pkg-config --cflags --libs libnghttp2 libprotobuf-c zlib)"
generated=(-Wno-unused-parameter) # of protoc-c

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for source in csrc/tests/fuzz_*.c; do
        targets+=("$(basename "$source" .c)")
    done
fi

build() { # build NAME OUTPUT FLAG...
    local name=$1 output=$2
    shift 2
    clang "${flags[@]}" "${generated[@]}" "$@" "csrc/tests/$name.c" csrc/core/*.c csrc/rpc/*.c csrc/proto/*.c \
        "${libraries[@]}" -lm -o "$output"
}

mkdir -p "$out"
for name in "${targets[@]}"; do
    seeds=csrc/tests/corpus/$name
    learnt=$out/$name.corpus
    mkdir -p "$learnt" "$seeds"
    case $mode in
    --coverage)
        build "$name" "$out/$name.cov" -fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping
        LLVM_PROFILE_FILE=$out/$name.profraw "$out/$name.cov" -runs=0 -verbosity=0 "$learnt" "$seeds"
        ;;
    --merge)
        build "$name" "$out/$name" "${sanitizers[@]}"
        rm -rf "$out/$name.merged"
        mkdir -p "$out/$name.merged"
        "$out/$name" -merge=1 -max_len=512 -verbosity=0 "$out/$name.merged" "$seeds" "$learnt"
        rm -rf "$seeds"
        mv "$out/$name.merged" "$seeds"
        ;;
    *)
        build "$name" "$out/$name" "${sanitizers[@]}"
        "$out/$name" -max_total_time="$seconds" -max_len=$longest -timeout=10 -rss_limit_mb=1024 \
            -verbosity=0 -print_final_stats=1 -artifact_prefix="$out/$name." "$learnt" "$seeds"
        ;;
    esac
done

if [ "$mode" = --coverage ]; then
    version=$(clang -dumpversion | cut -d. -f1)
    profdata=$(command -v llvm-profdata || echo "llvm-profdata-$version")
    cov=$(command -v llvm-cov || echo "llvm-cov-$version")
    "$profdata" merge -sparse "$out"/*.profraw -o "$out/all.profdata"
    objects=()
    for name in "${targets[@]:1}"; do
        objects+=(-object "$out/$name.cov")
    done
    "$cov" report "$out/${targets[0]}.cov" "${objects[@]}" -instr-profile="$out/all.profdata" \
        csrc/core csrc/rpc
fi
