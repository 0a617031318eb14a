#!/usr/bin/env bash
# Is YAML read as kubectl reads it: accepted or refused alike, with equal values?
#
#   scripts/yaml.sh                       5,000 generated oddities, seed 1
#   COUNT=50000 SEED=7 scripts/yaml.sh
#   RECORD=FILE scripts/yaml.sh           writes a corpus too (crates/kube-schema/tests/yaml/corpus.jsonl)
#
# The judge (tools/judge/yaml) is kubectl's own path from a file to objects. Needs Go. Exit 0: they
# agree, apart from what crates/kube-schema/tests/yaml/disagreements.txt lists with reasons; 1: they do
# not; 2: the comparison could not be made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

go=$("$root/scripts/tools.sh" go) || exit 2
echo 'building the judge (a minute the first time)' >&2
(cd "$root/tools/judge" && CGO_ENABLED=0 "$go" build -o "$work/judge" ./yaml) || exit 2
cd "$root"
cargo test --locked --quiet -p kube-schema --test yaml --no-run || exit 2
EDS_YAML_JUDGE=$work/judge EDS_YAML_COUNT=${COUNT:-5000} EDS_YAML_SEED=${SEED:-1} \
  ${RECORD:+env "EDS_YAML_RECORD=$RECORD"} \
  cargo test --locked --quiet -p kube-schema --test yaml new_questions -- --nocapture || exit 1
