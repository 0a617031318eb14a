#!/usr/bin/env bash
# Makes a release twice: here, and from a copy of the sources in another place, with another umask, time zone and
# language. Every file must be the same byte for byte.
#
#   scripts/release-test.sh [OPTION...]        options of scripts/release.sh
#
# The copy is of what git knows. With `--binaries DIR` only what is made around the programs is compared.
# Exit 0: the same; 1: not; 2: could not be made.
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" && exit ;; esac
options=("$@")
if [ "${1:-}" = --binaries ]; then options[1]=$(realpath -- "${2:?}"); fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'git worktree remove --force "$work/elsewhere/sources" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/elsewhere"
changed=$(git stash create)
git worktree add --quiet --detach "$work/elsewhere/sources" "${changed:-HEAD}"
scripts/release.sh "${options[@]}" --out "$work/here" >/dev/null
(
  umask 077
  export CARGO_TARGET_DIR=$work/elsewhere/target TZ=Asia/Tokyo LANG=de_DE.UTF-8
  cd "$work/elsewhere/sources"
  scripts/release.sh "${options[@]}" --out "$work/there" >/dev/null
)
status=0
for file in "$work/here"/* "$work/there"/*; do
  name=${file##*/}
  cmp "$work/here/$name" "$work/there/$name" || status=1
done
[ $status != 0 ] || echo "release: $(find "$work/here" -type f | wc -l) files, the same from two places"
exit $status
