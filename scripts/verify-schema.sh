#!/usr/bin/env bash
# Is the extracted schema usable? It must be there, be JSON Schema 2020-12, describe the claim of the
# XRD, be what the XRD gives, and tell good claims from bad ones.
#
#   scripts/verify-schema.sh
#   EDS=path/to/eds scripts/...          with that binary instead of building the workspace's
#
# Exit 0: it is; 1: it is not; 2: it could not be looked at.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/eds.sh"
export EDS
api=$root/platform/04-apis
schema=$api/schemas/eventdrivenservice.schema.json
fail() {
  echo "verify-schema: $*" >&2
  exit 1
}

[ -s "$schema" ] || fail "$schema was not made"
# shellcheck disable=SC2016 # as it stands there
grep -q '"\$schema": "https://json-schema.org/draft/2020-12/schema"' "$schema" || fail 'not JSON Schema 2020-12'
kind=$(sed -n '/^  claimNames:/,/^  [a-z]/s/^    kind: //p' "$api/definitions/xeventdrivenservices.yaml" | head -1)
grep -q "\"const\": \"$kind\"" "$schema" || fail "does not describe $kind"
"$root/scripts/publish-schema.sh" --check || fail 'differs from what the XRD gives'
"$api/tests/schema-validation.test.sh" >/dev/null ||
  fail 'fixtures do not behave: run platform/04-apis/tests/schema-validation.test.sh'
echo 'the schema is usable' >&2
