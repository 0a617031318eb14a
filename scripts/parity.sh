#!/usr/bin/env bash
# Does our engine answer as the real Go function-patch-and-transform does?
#
#   scripts/parity.sh [eds-parity's options]     see `scripts/parity.sh --help`
#
# Sends the same seeded requests to both over the wire and compares desired state, results and
# context. Exit 0: equal as far as promised; 1: a difference; 2: the Go function is not here.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
oracle=$("$root/scripts/tools.sh" function-patch-and-transform) || {
  echo 'parity: NOT RUN, the real function-patch-and-transform is not here (see scripts/tools.sh)' >&2
  exit 2
}
cd "$root"
echo 'parity: building release binaries' >&2
cargo build --quiet --release --locked --workspace --bin eds-function --bin eds-parity
target=$(scripts/target.sh)/release
exec "$target/eds-parity" --oracle "$oracle" --ours "$target/eds-function" "$@"
