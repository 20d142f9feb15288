#!/usr/bin/env bash
# What of csrc and milvus_native the tests reach, by line and by branch. Builds with gcc --coverage
# in a copy of the tree, build/coverage/tree, runs the C tests and the tests given (all of them
# otherwise) there, and writes build/coverage/{c,python}.txt and, to look at, c.html and python/.
#
#     tools/coverage.sh [PYTEST ARGUMENTS]
#     tools/coverage.sh --report       once more, from what the last run has left
#
# Nothing is left out but what protoc-c has generated. Allocations can be made to fail in this build,
# so that what follows is counted too; assertions are off, whose other branch no test can take.
set -euo pipefail
cd "$(dirname "$0")/.."

python=$(realpath --no-symlinks "${PYTHON:-.venv/bin/python}")
out=$PWD/build/coverage
tree=$out/tree

status=0
if [ "${1:-}" != --report ]; then
    rm -rf "$out"
    mkdir -p "$tree"
    for item in setup.py pyproject.toml README.md LICENSE MANIFEST.in SECURITY.md CHANGELOG.md CONTRIBUTING.md \
        Makefile csrc milvus_native tests tools examples docs benchmarks; do
        cp -a "$item" "$tree/$item"
    done
    find "$tree" -name '_core.*.so' -delete
    cd "$tree"
    CC=gcc CFLAGS="-O0 -DNDEBUG --coverage -fprofile-update=atomic -DMVN_FAULT_INJECTION" LDFLAGS=--coverage \
        "$python" setup.py --quiet build_ext --inplace --parallel 2
    # As the extension is built, so that each line has the same branches in both: a sanitizer's own
    # checks, which sound code never fails, would be counted too.
    MVN_SANITIZE= CC=gcc CFLAGS="--coverage -O0 -fprofile-update=atomic -fwrapv -DNDEBUG" tools/ctest.sh
    # About the repository, about symbols that gcov adds, about interpreters that coverage.py cannot
    # start in.
    elsewhere=(--deselect tests/source/test_files.py::test_no_machine_paths
        --deselect tests/source/test_module.py::test_only_the_init_function_is_exported
        --deselect tests/unit/rows/test_schema_cache_apart.py::test_interpreters_have_caches_of_their_own
        --deselect tests/hardening/test_interpreters.py::test_side_by_side)
    # A process that is killed tells nothing; all others do, forked ones and those of examples too.
    "$python" -m coverage run -m pytest -p no:cacheprovider "${elsewhere[@]}" "$@" || status=$?
    "$python" -m coverage combine --quiet
    # Those that let Python's allocations fail: a tracer's would, too, so they count for C alone.
    "$python" -m pytest -p no:cacheprovider -q -n 0 tests/unit/results/test_out_of_memory.py \
        tests/unit/rows/test_out_of_memory.py tests/hardening/test_python_memory.py || status=$?
fi

cd "$tree"
"$python" -m coverage report --show-missing >"$out/python.txt"
"$python" -m coverage html --quiet --directory "$out/python"
"$python" -m gcovr --root . --filter csrc/ --exclude csrc/proto/ --exclude csrc/tests/ \
    --gcov-ignore-parse-errors=negative_hits.warn_once_per_file --merge-mode-functions=separate \
    --txt "$out/c.txt" --txt-metric line --html-details "$out/c.html" --json "$out/c.json" --print-summary
tail -1 "$out/python.txt"
exit $status
