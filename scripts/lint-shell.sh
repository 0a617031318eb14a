#!/usr/bin/env bash
# Every shell file of the repository, with or without .sh: shellcheck finds nothing, shfmt would change
# nothing (two spaces, as .editorconfig says), no line is longer than 120 characters.
#
#   scripts/lint-shell.sh           checks
#   scripts/lint-shell.sh --write   formats; shellcheck and long lines are left to you
#
# Exit 0: clean, 1: findings, 2: a tool is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in shellcheck shfmt git; do
  command -v "$tool" >/dev/null || {
    echo "lint-shell: $tool is not installed; Debian and Ubuntu: sudo apt-get install $tool" >&2
    exit 2
  }
done

# In git, or new and not ignored. By name, else by the interpreter of the first line.
files=()
while IFS= read -r -d '' file; do
  [ -f "$file" ] && [ ! -L "$file" ] || continue
  first=
  case ${file##*/} in
    *.sh) ;;
    *.*) continue ;;
    *) IFS= read -r first <"$file" 2>/dev/null || true ;;
  esac
  case $file:$first in
    *.sh:* | *:'#!'*/bash | *:'#!'*/sh | *:'#!'*' bash' | *:'#!'*' sh') files+=("$file") ;;
  esac
done < <(git ls-files -z --cached --others --exclude-standard)
[ ${#files[@]} -gt 0 ] || {
  echo 'lint-shell: no shell file was found' >&2
  exit 2
}

if [ "${1:-}" = --write ]; then
  shfmt -w "${files[@]}"
  exit
fi
status=0
shfmt -d "${files[@]}" || {
  echo 'lint-shell: scripts/lint-shell.sh --write formats them' >&2
  status=1
}
LC_ALL=C.UTF-8 awk '
  length > 120 {printf "%s:%d: %d characters, 120 at most\n", FILENAME, FNR, length; bad = 1}
  END {exit bad}' "${files[@]}" >&2 || status=1
# 0.9 knows codes up to SC2326. What newer versions have added is left out, so that all say the same.
newer=$(seq -s, -f 'SC%g' 2327 2399)
# Each file by itself: with all that it sources, this takes a minute and a half instead of eight seconds. What others
# assign is then unknown (SC1091, SC2153, SC2154); `set -u` says so when it is nobody.
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" \
  shellcheck --severity=info --format=gcc --exclude="SC1091,SC2153,SC2154,$newer" || status=1
exit $status
