#!/usr/bin/env bash
# Prints the path of a tool that the tests judge by, after building or unpacking it if need be.
#
#   scripts/tools.sh kubeconform | actionlint       built from tools/conformance/go.mod
#   scripts/tools.sh ajv | yaml-language-server     installed from tools/outside/package-lock.json
#   scripts/tools.sh check-jsonschema | python      installed from tools/outside/requirements.txt
#   scripts/tools.sh cargo-deny | cargo-cyclonedx   built from crates.io
#   scripts/tools.sh go                             the installed one, or what an old one fetches
#   scripts/tools.sh crossplane | crossplane-cli | function-patch-and-transform
#                                                   found: EDS_TOOLS_DIR, else PATH; in the version of
#                                                   testbed/parts/tools.pins, or not at all
#   scripts/tools.sh                                all of them, one a line
#
# Progress and the choice made go to stderr. Exit 2: not there, or not buildable. Nothing is written
# into the checkout: outputs stand in ${XDG_CACHE_HOME:-~/.cache}/eds, keyed by what they are made of.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/eds
cargo_deny_version=0.20.2
cargo_cyclonedx_version=0.5.9
go_version=1.26.8

say() { printf 'tools: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 2
}

# go_binary: a Go of version 1.21 or newer, which fetches by itself the toolchain that a go.mod asks
# for. Debian 12's 1.19 cannot, but it can download the toolchain's module; what is left to do is what
# Go's own switch does: files that a module zip could not carry get their names and modes back.
go_binary() {
  local dir=$cache/go$go_version source
  command -v go >/dev/null || fail 'Go is not installed (Debian: apt-get install golang-go)'
  if go version | grep -qE 'go1\.(2[1-9]|[3-9][0-9])'; then
    command -v go
    return
  fi
  if [ ! -x "$dir/bin/go" ]; then
    say "fetching Go $go_version into $dir, $(go version) is too old"
    source=$(cd / && go mod download -json "golang.org/toolchain@v0.0.1-go$go_version.$(go env GOOS)-$(go env GOARCH)" |
      sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    [ -n "$source" ] || fail "downloading Go $go_version failed"
    mkdir -p "$cache"
    rm -rf "$dir.tmp"
    cp -r --no-preserve=mode "$source" "$dir.tmp"
    chmod +x "$dir.tmp"/bin/* "$dir.tmp"/pkg/tool/*/*
    find "$dir.tmp" -name _go.mod -execdir mv {} go.mod \;
    mv "$dir.tmp" "$dir"
  fi
  printf '%s\n' "$dir/bin/go"
}

# key GO FILE...: a short name for the content of the files and the version of that Go.
key() {
  {
    cat "${@:2}"
    "$1" version
  } | sha256sum | cut -c1-16
}

# go_tool NAME: the tool of that name in tools/conformance/go.mod, built once per pin.
go_tool() {
  local name=$1 module=$root/tools/conformance go dir package
  go=$(go_binary)
  dir=$cache/go/$(key "$go" "$module/go.mod" "$module/go.sum")
  if [ ! -x "$dir/$name" ]; then
    package=$(cd "$module" && "$go" list -f '{{.ImportPath}}' tool | grep -E "/$name\$") ||
      fail "tools/conformance/go.mod has no tool $name"
    say "building $name ($package) into $dir"
    mkdir -p "$dir"
    (
      cd "$module" &&
        CGO_ENABLED=0 "$go" build -trimpath -buildvcs=false -ldflags '-s -w' -o "$dir/.$name.$$" "$package"
    ) >&2 ||
      fail "building $name failed"
    mv "$dir/.$name.$$" "$dir/$name"
  fi
  printf '%s\n' "$dir/$name"
}

# npm_tool NAME: a command of the packages that tools/outside pins. None of their own scripts is run.
npm_tool() {
  local pins=$root/tools/outside dir
  for need in node npm; do command -v "$need" >/dev/null || fail "$1 needs $need, which is not installed"; done
  dir=$cache/npm/$(sha256sum <"$pins/package-lock.json" | cut -c1-16)
  if [ ! -e "$dir/node_modules/.bin/$1" ]; then
    say "installing $1 and what else tools/outside/package.json names into $dir"
    mkdir -p "$dir"
    cp "$pins/package.json" "$pins/package-lock.json" "$dir"
    (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel error) >&2 || fail "installing $1 failed"
  fi
  printf '%s\n' "$dir/node_modules/.bin/$1"
}

# python_tool NAME: a command of an environment with the packages that tools/outside pins.
python_tool() {
  local pins=$root/tools/outside/requirements.txt dir
  command -v python3 >/dev/null || fail "$1 needs python3, which is not installed"
  dir=$cache/python/$({
    cat "$pins"
    python3 --version
  } | sha256sum | cut -c1-16)
  if [ ! -e "$dir/done" ]; then
    say "installing $1 and what else tools/outside/requirements.txt names into $dir"
    rm -rf "$dir"
    python3 -m venv "$dir" >&2 || fail "$1 needs Python's venv (Debian: apt-get install python3-venv)"
    "$dir/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$pins" >&2 ||
      fail "installing $1 failed"
    touch "$dir/done"
  fi
  printf '%s\n' "$dir/bin/$1"
}

# cargo_tool NAME VERSION: an installed one of any version, else the pinned one from crates.io.
cargo_tool() {
  local dir=$cache/$1-$2
  if command -v "$1"; then return; fi
  if [ ! -x "$dir/bin/$1" ]; then
    say "building $1 $2 into $dir (some minutes, once)"
    CARGO_TARGET_DIR=$dir/target cargo install --quiet --locked --root "$dir" \
      --version "$2" "$1" >&2 || fail "building $1 failed"
    rm -rf "$dir/target"
  fi
  printf '%s\n' "$dir/bin/$1"
}

# from_dir DIR NAME: DIR/NAME, or DIR/NAME.xz unpacked into the cache; status 1 if DIR has neither.
from_dir() {
  local packed=$1/$2.xz dir
  if [ -x "$1/$2" ]; then
    printf '%s\n' "$1/$2"
    return
  fi
  [ -f "$packed" ] || return 1
  dir=$cache/unpacked/$(sha256sum "$packed" | cut -c1-16)
  if [ ! -x "$dir/$2" ]; then
    command -v xz >/dev/null || fail "$packed needs xz to unpack"
    say "unpacking $packed into $dir"
    mkdir -p "$dir"
    xz -dc "$packed" >"$dir/.$2.$$"
    chmod +x "$dir/.$2.$$"
    mv "$dir/.$2.$$" "$dir/$2"
  fi
  printf '%s\n' "$dir/$2"
}

# version_of NAME FILE: the version that the program itself, or what Go wrote into it, gives.
version_of() {
  case $1 in
    crossplane) "$2" --version ;;
    crossplane-cli) "$2" version --client | sed -n 's/^Client Version: //p' ;;
    # It has no such option.
    function-patch-and-transform) "$(go_binary)" version -m "$2" | awk '$1 == "mod" { print $3 }' ;;
  esac </dev/null 2>/dev/null
}

# oracle NAME: a program that no package registry serves. Comparing with another version would find
# differences that are none, and a cluster's `crossplane` on PATH is often the CLI: neither is taken.
oracle() {
  local name=$1 path from accepted version
  if [ -n "${EDS_TOOLS_DIR:-}" ]; then
    from=EDS_TOOLS_DIR
    path=$(from_dir "$EDS_TOOLS_DIR" "$name") || fail "$name is not in EDS_TOOLS_DIR ($EDS_TOOLS_DIR)"
  else
    from=PATH
    path=$(command -v "$name") || fail "$name is not on PATH, and EDS_TOOLS_DIR is not set"
  fi
  accepted=$(awk -v n="$name" '$1 == n { print $3 }' "$root/testbed/parts/tools.pins")
  version=$(version_of "$name" "$path") || version=
  # shellcheck disable=SC2254 # a pattern
  case $version in
    $accepted) say "$name $version: $path (from $from)" ;;
    '(devel)') say "warning: $path (from $from) was built without its version; taken for $name $accepted" ;;
    *)
      fail "$path (from $from) is ${version:-something else}, wanted is $name $accepted:" \
        "put that one into a directory and set EDS_TOOLS_DIR"
      ;;
  esac
  printf '%s\n' "$path"
}

case ${1:-all} in
  kubeconform | actionlint) go_tool "$1" ;;
  ajv | yaml-language-server) npm_tool "$1" ;;
  check-jsonschema | python) python_tool "$1" ;;
  cargo-deny) cargo_tool cargo-deny "$cargo_deny_version" ;;
  # What it writes differs between versions: only the pinned one.
  cargo-cyclonedx) cargo_tool cargo-cyclonedx "$cargo_cyclonedx_version" ;;
  go) go_binary ;;
  crossplane | crossplane-cli | function-patch-and-transform) oracle "$1" ;;
  all)
    status=0
    for tool in kubeconform actionlint ajv yaml-language-server check-jsonschema \
      crossplane crossplane-cli function-patch-and-transform; do
      "${BASH_SOURCE[0]}" "$tool" || status=2
    done
    exit "$status"
    ;;
  *) fail "no such tool: $1 (see the head of $0)" ;;
esac
