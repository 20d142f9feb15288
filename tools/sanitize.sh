#!/usr/bin/env bash
# Builds the extension with a sanitizer in a copy of the tree, build/sanitize/KIND, and runs tests
# on it:
#
#     tools/sanitize.sh address [PYTEST ARGUMENTS]    AddressSanitizer and UndefinedBehaviorSanitizer
#     tools/sanitize.sh thread  [PYTEST ARGUMENTS]    ThreadSanitizer
#
# Fails if a test fails or a sanitizer has reported anything, in whatever process of the tests; the
# reports stay in build/sanitize/KIND.report*. The interpreter is not instrumented: its runtime comes
# in by LD_PRELOAD, and Python's own allocator is switched off so that each object is a block that
# AddressSanitizer knows.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:?"address or thread"}
shift
python=$(realpath --no-symlinks "${PYTHON:-.venv/bin/python}")
tree=build/sanitize/$kind
reports=$PWD/build/sanitize/$kind.report

case $kind in
address)
    sanitize=address,undefined
    debug=1 # assertions, and allocations that can be made to fail
    runtime=libasan.so
    # Leaks are told by tests/hardening: the interpreter itself leaves much behind when it ends.
    export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=1
    ASAN_OPTIONS+=:allocator_may_return_null=1:log_path=$reports
    export UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports
    ;;
thread)
    sanitize=thread
    debug=
    runtime=libtsan.so
    export TSAN_OPTIONS=halt_on_error=0:exitcode=0:report_signal_unsafe=0:log_path=$reports
    # Only our code is built with it: what others do to memory and sockets among themselves is theirs.
    TSAN_OPTIONS+=:ignore_noninstrumented_modules=1
    TSAN_OPTIONS+=:suppressions=$PWD/tools/tsan.supp:allocator_may_return_null=1
    ;;
*)
    echo "$kind is neither address nor thread" >&2
    exit 2
    ;;
esac

mkdir -p "$tree"
rm -f "$reports".*
# Times are kept, so that only what has changed is compiled again.
for item in setup.py pyproject.toml README.md LICENSE csrc milvus_native tests tools examples docs benchmarks; do
    rm -rf "${tree:?}/$item"
    cp -a "$item" "$tree/$item"
done
find "$tree" -name '_core.*.so' -delete
# -fno-sanitize-recover: what only undefined behaviour would tell ends the process, too.
(cd "$tree" && MVN_DEBUG=${debug:-} MVN_SANITIZE=$sanitize CFLAGS="-O1 -fno-sanitize-recover=all" \
    "$python" setup.py --quiet build_ext --inplace --parallel 2)

status=0
(cd "$tree" && LD_PRELOAD=$("${CC:-gcc}" -print-file-name=$runtime) PYTHONMALLOC=malloc \
    "$python" -m pytest -p no:cacheprovider "$@") || status=$?

# An allocation that is too large is only remarked on, and Python makes a MemoryError of it.
mapfile -t found < <(grep -lE 'ERROR: |runtime error|WARNING: ThreadSanitizer' "$reports".* 2>/dev/null)
if [ ${#found[@]} -gt 0 ]; then
    head -60 "${found[@]}" >&2
    echo "${#found[@]} reports of the $kind sanitizer, in $reports.*" >&2
    exit 1
fi
exit $status
