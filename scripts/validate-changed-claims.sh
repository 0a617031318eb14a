#!/usr/bin/env bash
# Validates the claims that changed since a git revision, as a pull request's check does: errors and
# warnings as annotations, changes that restart pods or rename a service flagged, and a SARIF file.
#
#   scripts/validate-changed-claims.sh BASE [SARIF]
#   EDS=path/to/eds scripts/...          with that binary instead of building the workspace's
#
# Looks at changed YAML and JSON files that name the claim's kind, but for the test fixtures, which are
# wrong on purpose. FORMAT=text prints for a person. Exit 0: no errors, or nothing changed; 1: errors;
# 2: the check could not be made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
base=${1:?usage: scripts/validate-changed-claims.sh BASE [SARIF]}
sarif=${2:-}
case $sarif in '' | /*) ;; *) sarif=$PWD/$sarif ;; esac
. "$root/scripts/eds.sh"
case $EDS in /*) ;; */*) EDS=$PWD/$EDS ;; esac
cd "$root"

git rev-parse --verify --quiet "$base^{commit}" > /dev/null || {
  echo "validate-changed-claims: git does not know $base" >&2
  exit 2
}
fork=$(git merge-base "$base" HEAD) || exit 2
claims=()
while IFS= read -r -d '' file; do
  case $file in platform/04-apis/tests/fixtures/*) continue ;; esac
  # A name that could be an option or a pattern is taken as the file it is.
  if [ -f "$file" ] && grep -qE 'EventDrivenService' -- "$file" \
    && ! grep -qE '^kind: *(CompositeResourceDefinition|Composition|CustomResourceDefinition)' -- "$file"; then
    claims+=("./$file")
  fi
done < <(git diff -z --name-only --diff-filter=d "$fork" -- '*.yaml' '*.yml' '*.json')

if [ "${#claims[@]}" -eq 0 ]; then
  echo 'no claim changed' >&2
  [ -z "$sarif" ] || printf '{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"eds"}},"results":[]}]}\n' > "$sarif"
  exit 0
fi
status=0
"$EDS" validate --against "$fork" --format "${FORMAT:-github}" "${claims[@]}" || status=$?
# Files without a claim of ours (a mention in a comment) are not this check's to judge.
if [ -n "$sarif" ]; then
  "$EDS" validate --against "$fork" --format sarif "${claims[@]}" > "$sarif" 2> /dev/null || [ $? -eq 1 ] || status=2
fi
exit "$status"
