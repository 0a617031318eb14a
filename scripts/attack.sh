#!/usr/bin/env bash
# Attacks our function and the Go function-patch-and-transform, each with the pod's memory, and compares.
#
#   scripts/attack.sh [--only TEXT]
#
# On loopback, for a few minutes. Root sets the memory limit (control groups); without it the run says so.
# Without the Go function ours is attacked alone, loudly. Table on stdout, JSON in bench/out/attack.json.
# Exit 0: held; 1: ours failed or was worse; 2: could not attack.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
go=()
if path=$("$root/scripts/tools.sh" function-patch-and-transform); then
  go=(--go-function "$path")
else
  echo 'attack: NOT COMPARED, the Go function is not here' >&2
fi
cd "$root"
echo 'attack: building what is shipped, and what attacks it' >&2
function=$(scripts/dist.sh eds-function)
cargo build --quiet --release --locked --workspace --bin eds-bench
target=$(scripts/target.sh)/release
exec "$target/eds-bench" attack --eds-function "$function" "${go[@]}" --out "$root/bench/out" "$@"
