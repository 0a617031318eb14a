#!/usr/bin/env bash
# Validates the claims that changed since a git revision, as a pull request's check does: errors and
# warnings as annotations, changes that restart pods or rename a service flagged, and a SARIF file.
#
#   scripts/validate-changed-claims.sh BASE [SARIF]
#   EDS=path/to/eds scripts/...          with that binary instead of building the workspace's
#
# `eds` itself finds the changed files, whatever their names, and decides which of them hold claims; the
# test fixtures are left out, which are wrong on purpose. Nothing of the tree is run: no filter, hook or
# git of its own. FORMAT=text prints for a person. Exit 0: no errors, or nothing changed; 1: errors;
# 2: the check could not be made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
base=${1:?usage: scripts/validate-changed-claims.sh BASE [SARIF]}
sarif=${2:-}
case $sarif in '' | /*) ;; *) sarif=$PWD/$sarif ;; esac
. "$root/scripts/eds.sh"
case $EDS in /*) ;; */*) EDS=$PWD/$EDS ;; esac
cd "$root"

check() { "$EDS" validate "--changed-since=$base" --exclude=/platform/04-apis/tests/fixtures/ --format "$1"; }
status=0
check "${FORMAT:-github}" || status=$?
if [ -n "$sarif" ] && [ "$status" -le 1 ]; then
  check sarif >"$sarif" 2>/dev/null || [ $? -eq 1 ] || status=2
fi
exit "$status"
