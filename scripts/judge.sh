#!/usr/bin/env bash
# Does `eds validate` accept what the API server accepts, and refuse what it refuses?
#
#   scripts/judge.sh                 all fixtures and examples, and 1,000 mutated claims
#   COUNT=5000 SEED=7 scripts/judge.sh
#   EDS=path/to/eds scripts/...      with that binary instead of building the workspace's
#
# The judge is the API server's own code (tools/judge, k8s.io/apiextensions-apiserver, with the CEL
# rules and our admission policy), over the CRDs that `crossplane xrd convert` makes of the XRD. Needs
# Go, the Crossplane CLI (scripts/tools.sh says where it is looked for) and Python 3 with PyYAML.
# Exit 0: they agree, apart from the differences that tools/judge/compare.py lists with reasons;
# 1: they do not; 2: the comparison could not be made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/eds.sh"
api=$root/platform/04-apis
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

crossplane=$("$root/scripts/tools.sh" crossplane-cli) || exit 2
go=$("$root/scripts/tools.sh" go) || exit 2
python3 -c 'import yaml' 2>/dev/null || { echo 'judge: Python 3 with PyYAML is needed' >&2; exit 2; }

echo 'building the judge (minutes the first time)' >&2
(cd "$root/tools/judge" && CGO_ENABLED=0 "$go" build -o "$work/judge" .) || exit 2
"$crossplane" xrd convert "$api/definitions/xeventdrivenservices.yaml" > "$work/crds.yaml" || exit 2

compare() {
  python3 "$root/tools/judge/compare.py" --judge "$work/judge" --eds "$EDS" --crds "$work/crds.yaml" \
    --policies "$api/definitions/claim-names.yaml" "$@"
}
status=0
echo 'fixtures and examples'
compare "$api"/examples/*.yaml "$api"/tests/fixtures/{valid,warning,invalid}/* || status=$?
mkdir "$work/claims"
seed=${SEED:-1}
python3 "$root/tools/judge/claims.py" "$seed" "${COUNT:-1000}" "$work/claims" "$api"/examples/*.yaml
echo "mutated claims, seed $seed"
compare "$work"/claims/*.json || status=$?
exit "$status"
