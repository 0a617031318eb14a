#!/usr/bin/env bash
# Writes the claim's JSON Schema (2020-12), made from the XRD as the API server would serve it, to
# platform/04-apis/schemas/eventdrivenservice.schema.json.
#
#   scripts/publish-schema.sh            write it
#   scripts/publish-schema.sh --check    fail, and print the difference, if the file is not up to date
#   EDS=path/to/eds scripts/...          with that binary instead of building the workspace's
#
# Works from any directory. Exit 0: done; 1: the file differs; 2: the schema could not be made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/eds.sh"

api=$root/platform/04-apis
"$EDS" publish-schema --xrd "$api/definitions/xeventdrivenservices.yaml" \
  --output "$api/schemas/eventdrivenservice.schema.json" "$@"
