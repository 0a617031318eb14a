#!/usr/bin/env bash
# Measures our command and our function beside their peers, in one run; prints ratios.
#
#   scripts/bench.sh [--runs N] [--rounds N] [--seconds S] [--claim FILE]
#
# Needs the Crossplane CLI, Crossplane core and the Go function (scripts/tools.sh says where it looks), and
# measures ajv-cli and check-jsonschema where Node and Python are.
# Table on stdout, JSON in bench/out/summary.json; bench/README.md says what the figures mean.
# Exit 0: measured, targets met or not (the table says it); 1: could not measure; 2: a tool is missing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
api=$root/platform/04-apis
tool() { "$root/scripts/tools.sh" "$1" || {
  echo "bench: NOT RUN, $1 is not here" >&2
  exit 2
}; }
go_function=$(tool function-patch-and-transform)
cli=$(tool crossplane-cli)
core=$(tool crossplane)
kubeconform=$(tool kubeconform)
# Without Node or Python these are left out, and the table says so.
validators=()
for name in ajv check-jsonschema; do
  if path=$("$root/scripts/tools.sh" "$name"); then
    validators+=("--$name" "$path")
  else
    echo "bench: NOT MEASURED: $name is not here" >&2
  fi
done

cd "$root"
echo 'bench: building what is shipped, and what measures it' >&2
eds=$(scripts/dist.sh eds)
function=$(scripts/dist.sh eds-function)
cargo build --quiet --release --locked --workspace --bin eds-bench
target=$(scripts/target.sh)/release

exec "$target/eds-bench" run \
  --eds "$eds" --eds-function "$function" \
  --go-function "$go_function" --crossplane-cli "$cli" --crossplane "$core" \
  --claim "$api/examples/full-claim.yaml" \
  --composition "$api/compositions/event-driven-service-composition.yaml" \
  --xrd "$api/definitions/xeventdrivenservices.yaml" \
  --schema "$api/schemas/eventdrivenservice.schema.json" --kubeconform "$kubeconform" "${validators[@]}" \
  --out "$root/bench/out" "$@"
