#!/usr/bin/env bash
# Commits what is made from the XRD (the schema, the page of fields) to a pull request's branch, if it
# changed. For CI.
#
#   BRANCH=feature OWN=true GH_TOKEN=… scripts/commit-schema.sh
#
# BRANCH: the pull request's branch; OWN: whether it is of this repository. GH_TOKEN is for the push
# alone; without it, git's own credentials are used. A fork's branch cannot be written: then a schema
# that changed is a failure that says what to do. Exit 0: up to date, or committed; 1: not.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
schemas=platform/04-apis/schemas
files=("$schemas/eventdrivenservice.schema.json" "$schemas/eventdrivenservice.namespaced.schema.json"
  platform/04-apis/docs/fields.md)
: "${BRANCH:?the branch to commit to}"
git check-ref-format --branch "$BRANCH" >/dev/null || {
  echo "commit-schema: $BRANCH is not a branch" >&2
  exit 1
}

# The branch is not ours: no hook, monitor or attribute of it has a say, and no link leads elsewhere.
git() { command git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.attributesFile=/dev/null "$@"; }
for file in "${files[@]}"; do
  [ ! -L "$file" ] || {
    echo "commit-schema: $file is a link" >&2
    exit 1
  }
done

if [ -z "$(git status --porcelain -- "${files[@]}")" ]; then
  echo 'the schema is up to date' >&2
  exit 0
fi
if [ "${OWN:-false}" != true ]; then
  for file in "${files[@]}"; do
    [ -n "$(git status --porcelain -- "$file")" ] || continue
    echo "::error file=$file::is not up to date; run scripts/publish-schema.sh and commit it"
  done
  git diff --stat -- "${files[@]}" >&2
  exit 1
fi
git add -- "${files[@]}"
git -c user.name='github-actions[bot]' -c user.email='41898282+github-actions[bot]@users.noreply.github.com' \
  commit --quiet -m 'Publish the schema of the changed definitions' -- "${files[@]}"
if [ -n "${GH_TOKEN:-}" ]; then
  # Over the environment: an argument would show in the process list.
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.https://github.com/.extraheader
  GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $(printf 'x-access-token:%s' "$GH_TOKEN" | base64 -w0)"
  export GIT_CONFIG_VALUE_0
fi
git push --quiet origin "HEAD:refs/heads/$BRANCH"
echo 'committed the schema' >&2
