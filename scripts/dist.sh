#!/usr/bin/env bash
# Builds programs as they are shipped, and prints where they are, one a line.
#
#   scripts/dist.sh PROGRAM...        of eds, eds-function, agent-executor
#
# The profile is `dist` (Cargo.toml). The two that run in containers have the C library inside, so that they start
# on an empty root; only the last step of their build knows, so what they depend on is built once for all three.
# Exit 0: built; 2: could not build.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ $# -gt 0 ] || {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
cd "$root"
target=$(scripts/target.sh)
for program; do
  static=(-C target-feature=+crt-static)
  case $program in
    eds) package=eds-cli static=() ;;
    eds-function) package=eds-function ;;
    agent-executor) package=eds-worker ;;
    *)
      printf 'dist: %q is none of eds, eds-function, agent-executor\n' "$program" >&2
      exit 2
      ;;
  esac
  cargo rustc --quiet --profile dist --locked -p "$package" --bin "$program" -- "${static[@]}" >&2 || exit 2
  echo "$target/dist/$program"
done
