#!/usr/bin/env bash
# Makes sure that there is a Node of 18 or later with npm, Debian's if need be, and installs the
# packages that package-lock.json of FOLDER names, into FOLDER/node_modules.
# Usage: node_packages.sh FOLDER
set -euo pipefail

folder=$1

"$(dirname "$0")/system_packages.sh" nodejs npm
if ! node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'; then
    echo "The Node SDK needs Node 18 or later; this is $(node --version)." >&2
    exit 1
fi
cd "$folder"
npm ci --loglevel=error --no-audit --no-fund --ignore-scripts >/dev/null
