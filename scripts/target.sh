#!/usr/bin/env bash
# Prints the folder that cargo builds into, whichever way that was chosen. Needs no cargo where nothing is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if command -v cargo >/dev/null; then
  cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
else
  echo "${CARGO_TARGET_DIR:-$PWD/target}"
fi
