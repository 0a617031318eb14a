#!/usr/bin/env bash
# Sees to it that what a recipe needs is there. On Debian and Ubuntu root installs what is missing, and so does
# who may use sudo without a password; anybody else is told in one line what is missing, and how to get it.
#
#   scripts/needs.sh demo     Rust, a C compiler
#   scripts/needs.sh test     also rustfmt, clippy, shellcheck, shfmt, git, Go and jq, for lint, tests and conformance
#   scripts/needs.sh release  what make release needs: Rust and C for arm64, QEMU, jq, git, Go, Python
#   scripts/needs.sh ci       also make, xz and PostgreSQL, for what .ci/run adds
#
# Exit 0: all is there; 2: something is not.
set -euo pipefail

# Debian's packages for a command, after it.
wanted=('cc gcc libc6-dev')
case ${1:-} in
  demo) ;;
  # Any Go will do: scripts/tools.sh fetches the one that tools/conformance/go.mod asks for.
  test | ci) wanted+=('git git' 'go golang-go ca-certificates' 'jq jq' 'shellcheck shellcheck' 'shfmt shfmt') ;;&
  release)
    wanted+=('git git' 'go golang-go ca-certificates' 'jq jq' 'python3 python3 python3-venv'
      'aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross' 'qemu-aarch64-static qemu-user-static')
    ;;
  ci) wanted+=('make make' 'xz xz-utils' 'initdb postgresql') ;;
  test) ;;
  *)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

there() {
  command -v "$1" >/dev/null || { [ "$1" = initdb ] && [ -d /usr/lib/postgresql ]; }
}
commands=() packages=()
for line in "${wanted[@]}"; do
  read -ra words <<<"$line"
  there "${words[0]}" || {
    commands+=("${words[0]}")
    packages+=("${words[@]:1}")
  }
done
say() { echo "needs: $*" >&2; }
if [ ${#commands[@]} -gt 0 ]; then
  sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo -n)
  if command -v apt-get >/dev/null && "${sudo[@]}" true 2>/dev/null; then
    say "installing ${packages[*]}"
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
  else
    say "not installed: ${commands[*]}. Debian and Ubuntu: sudo apt-get install ${packages[*]}"
    exit 2
  fi
fi
command -v cargo >/dev/null || {
  say 'Rust is not installed: https://rustup.rs'
  exit 2
}
if [ "$1" = release ]; then
  target=aarch64-unknown-linux-gnu
  [ -d "$(rustc --print target-libdir --target $target)" ] || {
    command -v rustup >/dev/null || {
      say "Rust's target $target is not installed; it comes with Rust, of the same version"
      exit 2
    }
    rustup target add $target
  }
  exit
fi
if [ "$1" != demo ] && ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
  command -v rustup >/dev/null || {
    say 'rustfmt and clippy are not installed; they come with Rust, of the same version'
    exit 2
  }
  rustup component add rustfmt clippy
fi
