#!/usr/bin/env bash
# Validates every fixture and example, and compares what is found with what each fixture announces:
# `# EDS104` at the end of a line, or `# file: EDS013` for the file as a whole.
#
#   platform/04-apis/tests/schema-validation.test.sh
#   EDS=path/to/eds platform/...         with that binary instead of building the workspace's
#
# Works from any directory, without network or cluster. Exit 0: all behave; 1: something does not;
# 2: the test could not run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
. "$root/scripts/eds.sh"
fixtures=$here/fixtures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

ok() {
  passed=$((passed + 1))
  printf 'ok      %s\n' "$1"
}
bad() {
  failed=$((failed + 1))
  printf 'FAILED  %s: %s\n' "$1" "$2"
}

# announced FILE: `line code` of each finding that it announces, sorted.
announced() {
  case $(basename "$1") in
    # These cannot hold a readable comment.
    binary.yaml) echo '2 EDS005' ;;
    utf16.yaml) echo '1 EDS005' ;;
    syntax-bracket.yaml) echo '11 EDS001' ;;
    syntax-tab.yaml) echo '6 EDS001' ;;
    *) LC_ALL=C awk '
        match($0, /# (file: )?EDS[0-9][0-9][0-9]( EDS[0-9][0-9][0-9])*\r?$/) {
          text = substr($0, RSTART + 2); sub(/\r$/, "", text); line = NR
          if (sub(/^file: /, "", text)) line = 0
          n = split(text, codes, " ")
          for (i = 1; i <= n; i++) print line, codes[i]
        }' "$1" ;;
  esac | sort
}

# check NAME FILE EXIT [OPTION...]: validates, and compares findings and exit status.
check() {
  local name=$1 file=$2 expected=$3 status=0
  shift 3
  "$EDS" validate --format github "$@" "$file" >"$work/out" 2>"$work/err" || status=$?
  # ::error file=…,line=7,…,title=EDS104 enum::…
  sed -n 's/^::[a-z]* file=[^,]*\(,line=\([0-9]*\)\)\{0,1\}.*,title=\(EDS[0-9]*\) .*/\2 \3/p' \
    "$work/out" | sed 's/^ /0 /' | sort >"$work/found"
  announced "$file" >"$work/announced"
  if [ "$status" -ne "$expected" ]; then
    bad "$name" "exit status $status instead of $expected: $(tail -1 "$work/err")"
  elif ! diff "$work/announced" "$work/found" >"$work/diff"; then
    bad "$name" "announced (<) and found (>) differ: $(grep '^[<>]' "$work/diff" | tr '\n' ';')"
  else
    ok "$name"
  fi
}

for file in "$fixtures"/valid/*; do check "valid/$(basename "$file")" "$file" 0; done
for file in "$fixtures"/invalid/*; do check "invalid/$(basename "$file")" "$file" 1; done
for file in "$fixtures"/warning/*; do
  check "warning/$(basename "$file")" "$file" 0
  check "warning/$(basename "$file") --strict" "$file" 1 --strict
done
for file in "$fixtures"/strict/*; do check "strict/$(basename "$file")" "$file" 1 --strict; done
for file in "$root"/platform/04-apis/examples/*.yaml; do
  check "examples/$(basename "$file")" "$file" 0 --strict
done

if "$root/scripts/publish-schema.sh" --check >"$work/out" 2>&1; then
  ok 'the committed schema is up to date'
else
  bad 'the committed schema is up to date' "$(tail -1 "$work/out")"
fi

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$passed" -gt 0 ] && [ "$failed" -eq 0 ]
