#!/usr/bin/env bash
# What others say about what we publish, with the tools that people will use:
#
#   ajv, kubeconform,      read the published schema as we do: every example and valid fixture passes, and
#   check-jsonschema       every invalid one fails, apart from those whose reason stands below
#   check-jsonschema       `eds validate --format sarif` prints SARIF 2.1.0
#   yaml-language-server   an editor completes, explains and marks claims
#   actionlint             the workflows are sound, and every action is pinned by its whole commit
#
#   scripts/second-opinion.sh
#   EDS=path/to/eds scripts/...          with that binary instead of building the workspace's
#
# scripts/tools.sh gets the tools, pinned. One that cannot be had (no Node, no Python, no Go) is NOT
# ASKED, and the last line counts it. Exit 0: all agree; 1: not; 2: none could be asked.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
api=$root/platform/04-apis
schema=$api/schemas/eventdrivenservice.schema.json
. "$root/scripts/eds.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What JSON Schema cannot say, or YAML 1.2 reads otherwise: left to eds and the API server.
only_eds() {
  case $1 in
    cron.yaml | time-zone.yaml | same-place.yaml | field-key.yaml | refused-stream.yaml | hides-image.yaml | \
      duplicate-* | min-above-* | system-account.yaml | placeholder.yaml | unusable-image.yaml)
      echo 'rules that join fields, or are eds'"'"' own'
      ;;
    name-57-characters.yaml | name-with-dot.yaml | name-starts-with-digit.yaml | name-default.yaml | \
      name-kubernetes.yaml | namespace-*.yaml)
      echo 'the admission policy'
      ;;
    type-boolean-for-text.yaml | type-labels.yaml | yaml-1.1.yaml) echo 'YAML 1.1 booleans and numbers' ;;
    generate-name.yaml) echo 'the form of a prefix' ;;
    several-documents.yaml | list.yaml | same-consumer.yaml | same-name.yaml) echo 'more than one object in a file' ;;
    status.yaml) echo 'the API server drops the status' ;;
    alias-bomb.yaml | not-utf8.yaml | utf16.yaml | binary.yaml | too-deep.yaml | infinity.yaml)
      echo 'how the file is written'
      ;;
    not-an-object.yaml | merge-key.yaml) echo 'what only YAML knows' ;;
    # Editors would offer null everywhere; eds warns of it too.
    null-field.yaml) echo 'the API server drops a null of an optional field' ;;
    null-with-default.yaml) echo 'the API server puts the default in place of a null' ;;
    *) return 1 ;;
  esac
}

status=0 asked=0 not_asked=0
# tool NAME: sets `path`; false, and loud, where it cannot be had.
tool() {
  if path=$("$root/scripts/tools.sh" "$1"); then
    asked=$((asked + 1))
    return
  fi
  not_asked=$((not_asked + 1))
  echo "NOT ASKED: $1 is not here"
  return 1
}
# holds NAME COMMAND...: one question; its answer is shown when it is no.
holds() {
  if "${@:2}" >"$work/answer" 2>&1; then
    echo "ok      $1"
    return
  fi
  status=1
  echo "FAILED  $1"
  sed 's/^/        /' "$work/answer"
}
opinion() { # NAME COMMAND...: asks about every file; the command gets the file last
  local name=$1 agree=0 left=0 file base expected got
  shift
  for file in "$api"/examples/*.yaml "$api"/tests/fixtures/{valid,warning,invalid}/*; do
    base=$(basename "$file")
    if only_eds "$base" >/dev/null; then
      left=$((left + 1))
      continue
    fi
    case $file in */invalid/*) expected=refused ;; *) expected=accepted ;; esac
    if "$@" "$file" >"$work/answer" 2>&1; then got=accepted; else got=refused; fi
    if [ "$got" = "$expected" ]; then
      agree=$((agree + 1))
    else
      status=1
      printf 'FAILED  %s: %s %s: %s\n' "$name" "${file#"$api"/}" "$got" "$(tail -1 "$work/answer")"
    fi
  done
  printf '%s: %d agree, %d left to eds and the API server\n' "$name" "$agree" "$left"
}

if tool ajv; then
  opinion ajv "$path" validate --spec=draft2020 --strict=true --strict-types=false --strict-required=false \
    -s "$schema" -d
fi
if tool kubeconform; then opinion kubeconform "$path" -strict -schema-location "$schema"; fi
if tool check-jsonschema; then
  opinion check-jsonschema "$path" --schemafile "$schema"
  sarif() { "$path" --regex-variant python --schemafile "$root/tests/sarif/sarif-schema-2.1.0.json" "$1"; }
  "$EDS" validate --format sarif "$api/tests/fixtures" "$api/examples" >"$work/all.sarif" 2>/dev/null || [ $? -eq 1 ]
  "$EDS" validate --format sarif "$api/examples" >"$work/none.sarif" 2>/dev/null
  sed 's/"version": "2.1.0"/"version": "2"/' "$work/all.sarif" >"$work/wrong.sarif"
  holds 'SARIF of all findings fits the schema of SARIF 2.1.0' sarif "$work/all.sarif"
  holds 'SARIF without findings fits it' sarif "$work/none.sarif"
  not() { ! "$@"; }
  holds 'SARIF of another version does not' not sarif "$work/wrong.sarif"
fi
if tool yaml-language-server; then
  holds 'an editor helps with claims' node "$api/tests/editor.test.mjs" "$path"
  tail -1 "$work/answer" | sed 's/^/        /'
fi
if tool actionlint; then holds 'actionlint accepts the workflows' "$path" "$root"/.github/workflows/*.yml; fi

# A tag can be moved to other code; a commit cannot. The comment is for people, and for those who update.
pinned() {
  local loose
  grep -hE '^ *(- )?uses:' "$root"/.github/workflows/*.yml >"$work/uses" || return 1
  loose=$(grep -vE 'uses: [A-Za-z0-9._/-]+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+$' "$work/uses" || true)
  [ -z "$loose" ] || {
    echo "$loose"
    return 1
  }
}
holds "all actions are pinned by commit" pinned

printf '\n%d tools asked, %d not asked\n' "$asked" "$not_asked"
[ "$asked" -gt 0 ] || exit 2
exit "$status"
