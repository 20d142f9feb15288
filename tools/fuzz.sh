#!/usr/bin/env bash
# Builds csrc/tests/fuzz_*.c with clang's libFuzzer and the sanitizers, and runs each for
# FUZZ_SECONDS (60). What was learnt stays in build/fuzz/<name>.corpus for the next run; an input
# that fails stays in build/fuzz/<name>.crash-*.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}
out=build/fuzz
flags=(-std=c11 -g -O1 -Wall -Wextra -Werror -D_POSIX_C_SOURCE=200809L -DMVN_DEBUG
       -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
read -ra libraries <<<"$(pkg-config --cflags --libs libnghttp2 zlib)"

mkdir -p "$out"
for source in csrc/tests/fuzz_*.c; do
    name=$(basename "$source" .c)
    clang "${flags[@]}" "$source" csrc/core/*.c csrc/rpc/*.c "${libraries[@]}" -lm -o "$out/$name"
    mkdir -p "$out/$name.corpus"
    "$out/$name" -max_total_time="$seconds" -max_len=2048 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$out/$name." "$out/$name.corpus"
done
