#!/usr/bin/env bash
# The main job, shown: a claim is checked, becomes its manifests, and a mistake in it is explained. Needs no cluster.
#
#   scripts/demo.sh
#   EDS=path/to/eds scripts/demo.sh             with that binary instead of building the workspace's
#   EDS_DEMO_PROFILE=dev scripts/demo.sh        built with another profile of Cargo.toml than `demo`
#
# Exit 0: shown; 1: not as it should be; 2: eds could not be built.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
if [ -z "${EDS:-}" ]; then
  scripts/needs.sh demo
  # eds alone, without optimization: what is shown takes milliseconds either way, and linking it all takes minutes.
  profile=${EDS_DEMO_PROFILE:-demo}
  cargo build --locked --profile "$profile" --bin eds || exit 2
  [ "$profile" != dev ] || profile=debug
  EDS=$(scripts/target.sh)/$profile/eds
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
claim=platform/04-apis/examples/minimal-claim.yaml

bold() {
  local format='\n%s\n'
  if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then format='\n\033[1m%s\033[0m\n'; fi
  # shellcheck disable=SC2059 # one of the two above
  printf "$format" "$*"
}

bold "A claim, $claim"
grep -v '^#' "$claim"

bold '$ eds validate minimal-claim.yaml'
"$EDS" validate "$claim"

bold '$ eds render minimal-claim.yaml'
"$EDS" render "$claim" >"$work/manifests.yaml"
awk '/^kind:/ {kind = $2} /^  name:/ && kind {print "  " kind " " $2; kind = ""}' "$work/manifests.yaml"
echo '  ...of which the ScaledObject is'
sed -n '/^kind: ScaledObject/,$p' "$work/manifests.yaml" | sed -n '/^spec:/,$p' | sed 's/^/    /'

bold 'The same claim with a mistake: $ eds validate claim.yaml'
sed 's/stream:/streams:/' "$claim" >"$work/claim.yaml"
status=0
(cd "$work" && "$(cd "$root" && realpath "$EDS")" validate claim.yaml) || status=$?
[ $status = 1 ] || {
  echo "demo: eds found no mistake in it (exit status $status)" >&2
  exit 1
}

bold 'All of it'
echo "  $EDS render $claim"
echo "  $EDS --help"
