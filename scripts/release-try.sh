#!/usr/bin/env bash
# Tries the programs of a release: what they say about every example, and the function and the worker as far as they
# go without a cluster. What is printed depends on nothing but the programs, so two architectures can be compared.
#
#   scripts/release-try.sh DIR RUNNER...
#   scripts/release-try.sh bin/arm64 qemu-aarch64-static
#
# DIR holds eds, eds-function and agent-executor; RUNNER starts them (env, if they are this machine's own).
# Exit 0: all is well; 1: it is not; 2: could not be tried.
set -euo pipefail
[ $# -ge 2 ] || {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
bin=$(realpath -- "$1")
shift
runner=("$@")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
started=
trap '[ -z "$started" ] || kill "$started" 2>/dev/null || true; rm -rf "$work"' EXIT
fail() {
  printf 'release-try: %s\n' "$*" >&2
  exit 1
}
run() {
  local program=$1
  shift
  "${runner[@]}" "$bin/$program" "$@"
}

for program in eds eds-function agent-executor; do
  run "$program" --version || fail "$program does not say its version"
done
claims=0
run eds validate platform/04-apis/examples || fail 'the examples are refused'
for claim in platform/04-apis/examples/*.yaml; do
  for output in manifests objects xr; do
    run eds render --output "$output" "$claim" || fail "$claim is not rendered"
  done
  claims=$((claims + 1))
done
for claim in platform/04-apis/tests/fixtures/invalid/*.yaml; do
  status=0
  run eds validate --format json "$claim" || status=$?
  [ $status = 1 ] || fail "$claim ends with $status instead of 1"
  claims=$((claims + 1))
done

# The function, asked over the wire.
run eds-function --insecure --address 127.0.0.1:0 >"$work/function.log" 2>&1 &
started=$!
port=
for _ in $(seq 100); do
  port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]\{1,\}\).*/\1/p' "$work/function.log" | head -n 1)
  [ -z "$port" ] || [ "$port" = 0 ] || break
  kill -0 "$started" 2>/dev/null || fail "eds-function ended: $(cat "$work/function.log")"
  sleep 0.1
done
[ -n "$port" ] || fail "eds-function does not listen: $(cat "$work/function.log")"
run eds render --function "function-event-driven-service=127.0.0.1:$port" \
  platform/04-apis/examples/full-claim.yaml >"$work/asked" || fail 'the function does not answer'
run eds render platform/04-apis/examples/full-claim.yaml >"$work/built-in"
cmp "$work/asked" "$work/built-in" >&2 || fail 'the function answers otherwise than eds'
echo "$claims claims checked, the function answers as eds does"
