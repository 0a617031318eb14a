#!/usr/bin/env bash
# Validates EventDrivenService claims: every finding, with its line, what is allowed, and the fix.
#
#   scripts/validate-claim.sh FILE|DIRECTORY|PATTERN|- ...   any options of `eds validate`
#   scripts/validate-claim.sh --format github claims/
#   EDS=path/to/eds scripts/...          with that binary instead of building the workspace's
#
# Works from any directory. Exit 0: no errors; 1: errors; 2: the check could not be made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ $# -eq 0 ]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
. "$root/scripts/eds.sh"
exec "$EDS" validate "$@"
