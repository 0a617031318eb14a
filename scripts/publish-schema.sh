#!/usr/bin/env bash
# Writes what is made from the XRD, as the API server would serve it: the claim's JSON Schema (2020-12) to
# platform/04-apis/schemas/eventdrivenservice.schema.json, that of the namespaced form (as eds was built with it)
# beside it, and the fields to platform/04-apis/docs/fields.md.
#
#   scripts/publish-schema.sh            write them
#   scripts/publish-schema.sh --check    fail, and print the difference, if one is not up to date
#   EDS=path/to/eds scripts/...          with that binary instead of building the workspace's
#
# Works from any directory. Exit 0: done; 1: a file differs; 2: they could not be made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/eds.sh"

api=$root/platform/04-apis
worst=0
# publish FORMAT FILE ARGUMENT...
publish() {
  local status=0
  "$EDS" publish-schema --format "$1" --output "$2" "${@:3}" || status=$?
  [ $status -le $worst ] || worst=$status
}
xrd=(--xrd "$api/definitions/xeventdrivenservices.yaml")
publish json "$api/schemas/eventdrivenservice.schema.json" "${xrd[@]}" "$@"
publish json "$api/schemas/eventdrivenservice.namespaced.schema.json" --form namespaced "$@"
publish markdown "$api/docs/fields.md" "${xrd[@]}" "$@"
exit $worst
