#!/usr/bin/env bash
# Builds programs as they are shipped, and prints where they are, one a line.
#
#   scripts/dist.sh [--arch amd64|arm64] PROGRAM...        of eds, eds-function, agent-executor
#
# The profile is `dist` (Cargo.toml). The C library is inside, so that they start on an empty root and on any Linux;
# only the last step of a program's build knows, so what they depend on is built once for all three. For another
# architecture than this machine's, Rust's target for it and a C compiler are needed
# (`rustup target add aarch64-unknown-linux-gnu`; Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross).
# No path of this machine is in what is built: the same sources, Rust and C library give the same bytes.
# Exit 0: built; 2: could not build.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fail() {
  printf 'dist: %s\n' "$*" >&2
  exit 2
}
arch=
if [ "${1:-}" = --arch ]; then
  arch=${2:-}
  shift 2
fi
[ $# -gt 0 ] || {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
cd "$root"
target=$(scripts/target.sh)
host=$(rustc -vV | sed -n 's/^host: //p')
case $arch in
  '') triple=$host ;;
  amd64) triple=x86_64-unknown-linux-gnu ;;
  arm64) triple=aarch64-unknown-linux-gnu ;;
  *) fail "$(printf '%q is neither amd64 nor arm64' "$arch")" ;;
esac
options=() out=$target/dist
if [ "$triple" != "$host" ]; then
  [ -d "$(rustc --print target-libdir --target "$triple")" ] ||
    fail "Rust's target $triple is not installed: rustup target add $triple"
  gcc=${triple/-unknown/}-gcc
  command -v "$gcc" >/dev/null ||
    fail "$gcc is not installed; Debian and Ubuntu: apt-get install gcc-${triple%%-*}-linux-gnu libc6-dev-$arch-cross"
  linker=CARGO_TARGET_${triple//-/_}_LINKER
  export "${linker^^}=$gcc"
  options=(--target "$triple") out=$target/$triple/dist
fi
# Addresses that the loader has to adjust take a bit each instead of 24 bytes, a twentieth of a program, and functions
# that are the same are there once. Where Rust links by itself; not every other linker knows how.
packed=()
[ "$triple" != x86_64-unknown-linux-gnu ] ||
  packed=(-C 'link-arg=-Wl,-z,pack-relative-relocs' -C 'link-arg=-Wl,--icf=all')
# Panics name the file they are in. Where these files are is each machine's own affair.
sysroot=$(rustc --print sysroot)
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
CARGO_ENCODED_RUSTFLAGS=$(printf -- '--remap-path-prefix=%s\x1f' \
  "$root=/eds" "$target=/target" "${CARGO_HOME:-$HOME/.cargo}=/cargo" "$sysroot/lib/rustlib/src/rust=/rustc/$commit")
export CARGO_ENCODED_RUSTFLAGS=${CARGO_ENCODED_RUSTFLAGS%$'\x1f'}
for program; do
  case $program in
    eds) package=eds-cli ;;
    eds-function) package=eds-function ;;
    agent-executor) package=eds-worker ;;
    *) fail "$(printf '%q is none of eds, eds-function, agent-executor' "$program")" ;;
  esac
  cargo rustc --quiet --profile dist --locked "${options[@]}" -p "$package" --bin "$program" -- \
    -C target-feature=+crt-static "${packed[@]}" >&2 || exit 2
  echo "$out/$program"
done
