#!/usr/bin/env bash
# Publishes a release that scripts/release.sh made: signs its checksums, puts its files on GitHub, pushes and signs its
# images and packages. Signatures are keyless: the workflow's identity is in them, no key is anywhere.
#
#   scripts/release-publish.sh [--dry-run] DIR
#
# --dry-run checks DIR and prints the commands instead. Otherwise cosign, gh and skopeo are needed, and in the
# environment GH_TOKEN, GITHUB_ACTOR, GITHUB_REF_NAME (the tag) and RELEASE_REGISTRY.
# Exit 0: published; 2: could not be.
set -euo pipefail
fail() {
  printf 'release-publish: %s\n' "$*" >&2
  exit 2
}
dry=no
[ "${1:-}" != --dry-run ] || { dry=yes && shift; }
[ $# -eq 1 ] && [ -f "$1/SHA256SUMS" ] || {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
cd "$1"
sha256sum --check --strict --quiet SHA256SUMS || fail 'the files are not those of SHA256SUMS'
archive=$(find . -name 'event-driven-service-api-*.tar.gz' -printf '%f')
version=${archive#event-driven-service-api-} version=${version%.tar.gz}
if [ $dry = yes ]; then
  GITHUB_REF_NAME=v$version GITHUB_ACTOR='you' RELEASE_REGISTRY=${RELEASE_REGISTRY:-registry.example.org/platform}
else
  : "${GH_TOKEN:?}" "${GITHUB_ACTOR:?}" "${GITHUB_REF_NAME:?}" "${RELEASE_REGISTRY:?}"
fi
[ "$GITHUB_REF_NAME" = "v$version" ] ||
  fail "$(printf 'the tag is %q, the files are of %s' "$GITHUB_REF_NAME" "$version")"
registry=${RELEASE_REGISTRY,,}
# run COMMAND...: runs it, or says it.
run() {
  if [ $dry = yes ]; then
    printf 'would run: %s\n' "${*@Q}"
  else
    "$@"
  fi
}

# Where cosign looks as well.
export REGISTRY_AUTH_FILE=${DOCKER_CONFIG:-$HOME/.docker}/config.json
if [ $dry = yes ]; then
  printf 'would log in to %s\n' "${registry%%/*}"
else
  mkdir -p "$(dirname "$REGISTRY_AUTH_FILE")"
  skopeo login --username "$GITHUB_ACTOR" --password-stdin "${registry%%/*}" <<<"$GH_TOKEN"
fi
run cosign sign-blob --yes --bundle SHA256SUMS.sigstore.json SHA256SUMS
for archive in *.oci.tar; do
  name=${archive%"-$version.oci.tar"}
  run skopeo copy --all --digestfile "$name.digest" "oci-archive:$archive" "docker://$registry/$name:v$version"
  if [ $dry = yes ]; then
    digest=sha256:$(tar -xOf "$archive" index.json | sed 's/.*"digest":"sha256:\([0-9a-f]*\)".*/\1/')
  else
    digest=$(cat "$name.digest") && rm "$name.digest"
  fi
  run cosign sign --yes "$registry/$name@$digest"
done
# Last: whoever sees the release finds all that it speaks of.
run gh release create "v$version" --verify-tag --title "$version" --notes-file NOTES.md -- *
