#!/usr/bin/env bash
# Writes a bill of materials (CycloneDX 1.5, JSON) for each program of a release: every crate in it, with version,
# licence and checksum. The same sources give the same bytes: neither time, serial number nor a path of this machine is
# in it. Each is validated against CycloneDX' own schema.
#
#   scripts/sbom.sh VERSION OUT-DIR
#
# Exit 0: written; 1: not valid; 2: could not be written.
set -euo pipefail
export LC_ALL=C
[ $# -eq 2 ] || {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
version=$1 out=$(realpath -m -- "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cyclonedx=$(scripts/tools.sh cargo-cyclonedx)
judge=$(scripts/tools.sh check-jsonschema)
go=$(scripts/tools.sh go)
# CycloneDX' own module; Go verifies it with its checksum database.
module=github.com/CycloneDX/cyclonedx-go@v0.9.3
schemas=$(cd / && "$go" mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/schema
[ -d "$schemas" ] || {
  echo "sbom: $module cannot be fetched" >&2
  exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The tool writes beside each Cargo.toml.
mkdir "$work/src" "$work/schema"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$work/src"
cp "$schemas/bom-1.5.schema.json" "$schemas/spdx.schema.json" "$work/schema"
cp "$schemas/jsf-0.82.schemax.json" "$work/schema/jsf-0.82.schema.json"
mkdir -p "$out"
for crate in eds-cli:eds eds-function:eds-function eds-worker:agent-executor; do
  program=${crate#*:} crate=${crate%:*}
  (cd "$work/src" && SOURCE_DATE_EPOCH=0 "$cyclonedx" cyclonedx --quiet --manifest-path "crates/$crate/Cargo.toml" \
    --format json --spec-version 1.5 --target x86_64-unknown-linux-gnu --no-build-deps --override-filename bom) >&2
  jq --arg src "$work/src" --arg version "$version" '
    walk(if type == "string" then gsub("file://" + $src; "file://") else . end)
    | del(.serialNumber, .metadata.timestamp)
    | .metadata.component.version = $version' \
    "$work/src/crates/$crate/bom.json" >"$out/$program-$version.cdx.json"
  "$judge" --schemafile "$work/schema/bom-1.5.schema.json" "$out/$program-$version.cdx.json" >&2 || exit 1
  ! grep -qF "$work" "$out/$program-$version.cdx.json" || {
    echo "sbom: a path of this machine is in $program's" >&2
    exit 1
  }
done
