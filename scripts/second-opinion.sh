#!/usr/bin/env bash
# Do independent validators read the published schema as we do? Every example and valid fixture must
# pass ajv, and every invalid one must fail, apart from those whose reason stands below.
#
#   scripts/second-opinion.sh
#   AJV=… KUBECONFORM=… CHECK_JSONSCHEMA=… scripts/second-opinion.sh      which programs to ask
#
# Asks ajv-cli 5 (ajv on PATH, from `npm install ajv-cli@5`) and, where they are at hand, kubeconform
# and check-jsonschema. Exit 0: all agree; 1: not; 2: ajv is not there.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
api=$root/platform/04-apis
schema=$api/schemas/eventdrivenservice.schema.json
ajv=${AJV:-ajv}
command -v "$ajv" > /dev/null || { echo "second-opinion: $ajv is not there; npm install ajv-cli@5" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What JSON Schema cannot say, or YAML 1.2 reads otherwise: left to eds and the API server.
only_eds() {
  case $1 in
    duplicate-*|min-above-*|system-account.yaml) echo 'rules that join fields' ;;
    name-57-characters.yaml|name-with-dot.yaml|name-starts-with-digit.yaml) echo 'the admission policy' ;;
    type-boolean-for-text.yaml|type-labels.yaml|yaml-1.1.yaml) echo 'YAML 1.1 booleans and numbers' ;;
    generate-name.yaml) echo 'the form of a prefix' ;;
    several-documents.yaml|list.yaml) echo 'more than one object in a file' ;;
    status.yaml) echo 'the API server drops the status' ;;
    alias-bomb.yaml|not-utf8.yaml|utf16.yaml|binary.yaml|too-deep.yaml|infinity.yaml) echo 'how the file is written' ;;
    not-an-object.yaml|null-field.yaml|merge-key.yaml) echo 'what only YAML knows' ;;
    *) return 1 ;;
  esac
}

status=0
opinion() { # NAME COMMAND...: asks about every file; the command gets the file last
  local name=$1 agree=0 left=0 file base expected got
  shift
  for file in "$api"/examples/*.yaml "$api"/tests/fixtures/{valid,warning,invalid}/*; do
    base=$(basename "$file")
    if only_eds "$base" > /dev/null; then left=$((left + 1)); continue; fi
    case $file in */invalid/*) expected=refused ;; *) expected=accepted ;; esac
    if "$@" "$file" > "$work/answer" 2>&1; then got=accepted; else got=refused; fi
    if [ "$got" = "$expected" ]; then
      agree=$((agree + 1))
    else
      status=1
      printf 'FAILED  %s: %s %s: %s\n' "$name" "${file#"$api"/}" "$got" "$(tail -1 "$work/answer")"
    fi
  done
  printf '%s: %d agree, %d left to eds and the API server\n' "$name" "$agree" "$left"
}

opinion ajv "$ajv" validate --spec=draft2020 --strict=true --strict-types=false --strict-required=false -s "$schema" -d
if command -v "${KUBECONFORM:-kubeconform}" > /dev/null; then
  opinion kubeconform "${KUBECONFORM:-kubeconform}" -strict -schema-location "$schema"
else
  echo 'kubeconform: not asked, it is not there'
fi
if command -v "${CHECK_JSONSCHEMA:-check-jsonschema}" > /dev/null; then
  opinion check-jsonschema "${CHECK_JSONSCHEMA:-check-jsonschema}" --schemafile "$schema"
else
  echo 'check-jsonschema: not asked, it is not there'
fi
exit "$status"
