#!/usr/bin/env bash
# Does `eds validate` accept what the API server accepts, and refuse what it refuses?
#
#   scripts/judge.sh                 all fixtures and examples, and 1,000 mutated claims
#   scripts/judge.sh --api-server    the same, asked of a real kube-apiserver (scripts/api-server.sh)
#   COUNT=5000 SEED=7 scripts/judge.sh
#   EDS=path/to/eds scripts/...      with that binary instead of building the workspace's
#
# The judge (tools/judge) is the API server's own code (k8s.io/apiextensions-apiserver, with the CEL
# rules and our admission policy), or the server itself, by dry-run creates with field validation
# Strict; over the CRDs that `crossplane xrd convert` makes of the XRD. Needs Go, the Crossplane CLI
# (scripts/tools.sh says where it is looked for) and Python 3; --api-server also the testbed's etcd and
# kubernetes parts. Exit 0: they agree, apart from the differences that tools/judge/disagreements.txt
# and compare.py list with reasons; 1: they do not; 2: the comparison could not be made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${1:-} in
  --api-server)
    # This script again, beside the server.
    [ -n "${API_SERVER:-}" ] || exec "$root/scripts/api-server.sh" "$0" --api-server
    ;;
  '') unset API_SERVER ;;
  *)
    echo "judge: no such option: $1" >&2
    exit 2
    ;;
esac
. "$root/scripts/eds.sh"
api=$root/platform/04-apis
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

crossplane=$("$root/scripts/tools.sh" crossplane-cli) || exit 2
go=$("$root/scripts/tools.sh" go) || exit 2
python=$("$root/scripts/tools.sh" python) || exit 2

echo 'building the judge (minutes the first time)' >&2
(cd "$root/tools/judge" && CGO_ENABLED=0 "$go" build -o "$work/judge" .) || exit 2
"$crossplane" xrd convert "$api/definitions/xeventdrivenservices.yaml" >"$work/crds.yaml" || exit 2

judge=(--judge "$work/judge" "--judge-arg=-crds=$work/crds.yaml"
  "--judge-arg=-policies=$api/definitions/claim-names.yaml")
if [ -n "${API_SERVER:-}" ]; then
  judge+=("--judge-arg=-server=$API_SERVER" "--judge-arg=-ca=$API_SERVER_CA"
    "--judge-arg=-refused=$api/tests/fixtures/invalid/name-57-characters.yaml")
fi
compare() { "$python" "$root/tools/judge/compare.py" "${judge[@]}" --eds "$EDS" "$@"; }
status=0
echo 'fixtures and examples'
compare --listed "$root/tools/judge/disagreements.txt" \
  "$api"/examples/*.yaml "$api"/tests/fixtures/{valid,warning,invalid,strict}/* || status=$?
mkdir "$work/claims"
seed=${SEED:-1}
"$python" "$root/tools/judge/claims.py" "$seed" "${COUNT:-1000}" "$work/claims" "$api"/examples/*.yaml
echo "mutated claims, seed $seed"
compare "$work"/claims/*.json || status=$?
exit "$status"
