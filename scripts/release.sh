#!/usr/bin/env bash
# Makes everything that a release consists of, from the sources alone, into one directory. The same sources, Rust,
# C library and tools give the same bytes (scripts/release-test.sh).
#
#   scripts/release.sh [--arch amd64|arm64]... [--binaries DIR] [--without-sbom] [--out DIR]
#
#   --arch           only this architecture; without it amd64 and arm64
#   --binaries DIR   takes DIR/ARCH/eds, eds-function and agent-executor instead of building them
#   --without-sbom   leaves the bills of materials out, which need cargo-cyclonedx
#   --out DIR        instead of release-VERSION in cargo's target directory
#
# eds-V-linux-ARCH.tar.gz                    eds, its completions and man pages
# eds.krew.yaml                              installs it as `kubectl eds`
# function-event-driven-service-V*, configuration-event-driven-service-V*
#                                            Crossplane packages: .xpkg, and .oci.tar for all architectures
# agent-executor-V.oci.tar                   the reference worker's image, for all architectures
# event-driven-service-api-V.tar.gz          platform/04-apis, for Kustomize
# PROGRAM-V.cdx.json                         bills of materials (CycloneDX)
# NOTES.md, SHA256SUMS
# RELEASE_TAG: the tag that is being released; the workspace must have its version.
# RELEASE_REGISTRY: where function and Configuration will be found (xpkg.crossplane.io/bizmatters); the API names it.
# Programs for another architecture are tried with qemu-user where it is installed.
# Prints the directory. Exit 0: made; 1: a program made does not behave; 2: could not be made.
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf 'release: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 2
}
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
tag=${RELEASE_TAG:-v$version} archs=() binaries='' out='' sbom=yes
while [ $# -gt 0 ]; do
  case $1 in
    --arch) archs+=("${2:?}") && shift 2 ;;
    --binaries) binaries=$(realpath -- "${2:?}") && shift 2 ;;
    --out) out=$(realpath -m -- "${2:?}") && shift 2 ;;
    --without-sbom) sbom=no && shift ;;
    *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
done
[ "$tag" = "v$version" ] || fail "$(printf 'the tag is %q, and Cargo.toml says %s' "$tag" "$version")"
[ ${#archs[@]} -gt 0 ] || archs=(amd64 arm64)
notes=$(awk -v head="## $version" 'index($0, head) == 1 { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md)
[ -n "$notes" ] || fail "CHANGELOG.md has no section ## $version"
[ -n "$out" ] || out=$(scripts/target.sh)/release-$version
# Where the release is found, for krew; the workflow knows.
downloads=https://github.com/${GITHUB_REPOSITORY:-bizmatters/event-driven-service}/releases/download/$tag
programs=(eds eds-function agent-executor)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/out"

# pack DIR OUT.tar.gz: everything in DIR, with nothing in it that differs between two machines.
pack() {
  tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar --mode='u=rwX,go=rX' -C "$1" -c . |
    gzip -n -9 >"$2"
}

for arch in "${archs[@]}"; do
  mkdir -p "$work/bin/$arch"
  for program in "${programs[@]}"; do
    if [ -n "$binaries" ]; then
      built=$binaries/$arch/$program
      [ -x "$built" ] || fail "$(printf '%q is no program' "$built")"
    else
      say "building $program for $arch"
      built=$(scripts/dist.sh --arch "$arch" "$program")
    fi
    cp "$built" "$work/bin/$arch/$program"
  done
done

# How a program of each architecture runs here, if it does.
declare -A runner=()
case $(uname -m) in
  x86_64) runner[amd64]='env' ;;
  aarch64) runner[arm64]='env' ;;
esac
for pair in amd64:x86_64 arm64:aarch64; do
  [ -n "${runner[${pair%:*}]:-}" ] || runner[${pair%:*}]=$(command -v "qemu-${pair#*:}-static" || true)
done
eds=
for arch in "${archs[@]}"; do
  if [ -n "${runner[$arch]}" ]; then
    scripts/release-try.sh "$work/bin/$arch" "${runner[$arch]}" >"$work/tried-$arch" || exit
    say "$arch: $(tail -n 1 "$work/tried-$arch")"
    eds=${eds:-"${runner[$arch]} $work/bin/$arch/eds"}
  else
    say "NOT TRIED: nothing here runs $arch programs (Debian: qemu-user-static)"
  fi
done
[ -n "$eds" ] || fail 'none of the programs runs here, so man pages and completions cannot be made'
# The same input gives the same output, whatever it runs on.
for tried in "$work"/tried-*; do
  cmp "$work/tried-${archs[0]}" "$tried" >&2 || {
    say "what $tried says differs"
    exit 1
  }
done

# The command, its completions and man pages: the same for all architectures.
mkdir -p "$work/shared/completions"
read -ra eds <<<"$eds"
"${eds[@]}" man "$work/shared/man"
for shell in bash:eds.bash zsh:_eds fish:eds.fish elvish:eds.elv powershell:eds.ps1; do
  "${eds[@]}" completions "${shell%%:*}" >"$work/shared/completions/${shell#*:}"
done
cp LICENSE CHANGELOG.md "$work/shared"
platforms=()
for arch in "${archs[@]}"; do
  archive=eds-$version-linux-$arch.tar.gz
  mkdir "$work/tree"
  cp -r "$work/shared/." "$work/bin/$arch/eds" "$work/tree"
  pack "$work/tree" "$work/out/$archive"
  rm -r "$work/tree"
  platforms+=("    - selector: {matchLabels: {os: linux, arch: $arch}}" "      uri: $downloads/$archive"
    "      sha256: $(sha256sum <"$work/out/$archive" | cut -d' ' -f1)" '      bin: eds')
done
# krew installs what bin names as kubectl-eds.
cat >"$work/out/eds.krew.yaml" <<C
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: eds
spec:
  version: $tag
  homepage: ${downloads%/releases/*}
  shortDescription: Validate, render and diagnose EventDrivenServices
  description: |
    Checks claims of the EventDrivenService API with line and fix, shows the manifests that they become, compares
    them with what runs, turns a worker's manifests into a claim, and finds out why a claim is not ready.
  platforms:
$(printf '%s\n' "${platforms[@]}")
C

# Images and packages, under the names that they are pushed to.
registry=${RELEASE_REGISTRY:-xpkg.crossplane.io/bizmatters}
registry=${registry,,}
function=function-event-driven-service configuration=configuration-event-driven-service
images=() packages=()
for arch in "${archs[@]}"; do
  image=$work/$arch-function.tar package=$work/out/$function-$version-linux-$arch.xpkg
  package/image --arch "$arch" "$registry/$function:$tag" "$image" /function "$work/bin/$arch/eds-function=/function"
  package/xpkg "$registry/$function:$tag" crates/eds-function/package "$package" "$image"
  packages+=("$package")
  images+=("$work/$arch-worker.tar")
  package/image --arch "$arch" "$registry/agent-executor:$tag" "$work/$arch-worker.tar" /agent-executor \
    "$work/bin/$arch/agent-executor=/agent-executor"
done
package/index "$registry/$function:$tag" "$work/out/$function-$version.oci.tar" "${packages[@]}"
package/index "$registry/agent-executor:$tag" "$work/out/agent-executor-$version.oci.tar" "${images[@]}"
package/configuration "$registry/$configuration:$tag" "$work/out/$configuration-$version.xpkg" >/dev/null
package/index "$registry/$configuration:$tag" "$work/out/$configuration-$version.oci.tar" \
  "$work/out/$configuration-$version.xpkg"

# The API, as Kustomize reads it. What only tests need stays out.
package/platform "$registry" "$tag" "$work/api"
cp LICENSE CHANGELOG.md "$work/api"
pack "$work/api" "$work/out/event-driven-service-api-$version.tar.gz"

if [ $sbom = yes ]; then
  scripts/sbom.sh "$version" "$work/out"
else
  say 'NOT MADE: bills of materials (--without-sbom)'
fi
printf '%s\n' "$notes" | sed '/./,$!d' >"$work/out/NOTES.md"
(cd "$work/out" && sha256sum -- * >"$work/sums" && mv "$work/sums" SHA256SUMS)
chmod 644 "$work/out"/*

mkdir -p "$(dirname "$out")"
rm -rf -- "$out"
mv "$work/out" "$out"
# What the workflow does with it, said instead of done.
scripts/release-publish.sh --dry-run "$out" >&2
echo "$out"
