#!/usr/bin/env bash
# clang-tidy on one source: tidy.sh COMPILER-FLAG... SOURCE. Its checks are in .clang-tidy.
set -euo pipefail
source=${*: -1}
flags=("${@:1:$#-1}")
clang-tidy --quiet "$source" -- "${flags[@]}" 2>/dev/null
