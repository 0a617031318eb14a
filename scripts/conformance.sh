#!/usr/bin/env bash
# Do outside judges accept what `eds render` prints?
#
#   scripts/conformance.sh            every example and every trap under platform/04-apis
#   EDS=path/to/eds scripts/...       with that binary instead of the workspace's debug build
#
# Judges: kubeconform with the strict schemas of tests/conformance/schemas (Kubernetes, KEDA,
# provider-kubernetes), and `crossplane resource validate`, which is the API server's own validation
# with CEL rules, over the XRD and the CRDs. The second is skipped, loudly, where its binary is not.
# First the judges themselves: each file of tests/conformance/fixtures/bad must be refused, for the
# reason that its first line expects. Works from any directory, and without network once the tools
# are built and the pinned modules downloaded.
# Exit 0: all accepted; 1: something was not; 2: the check could not be made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fixtures=$root/tests/conformance/fixtures
examples=$root/platform/04-apis/examples
kubernetes=1.34.4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

ok() {
  passed=$((passed + 1))
  printf 'ok      %s\n' "$1"
}
bad() {
  failed=$((failed + 1))
  printf 'FAILED  %s\n' "$1"
  sed 's/^/        /' "$2"
}
unable() {
  printf 'conformance: %s\n' "$*" >&2
  exit 2
}

# judge FILE: kubeconform's answer in $work/answer; a kind without schema is an error, not a skip.
judge() {
  "$kubeconform" -strict -summary -kubernetes-version "$kubernetes" \
    -schema-location "$root/tests/conformance/schemas" "$1" >"$work/answer" 2>&1
}

# accepted LABEL FILE COUNT: exactly COUNT resources, each valid.
accepted() {
  local all="^Summary: $3 resources\\? found .*Valid: $3, Invalid: 0, Errors: 0, Skipped: 0"
  if judge "$2" && grep -q "$all" "$work/answer"; then
    ok "$1: $3 accepted"
  else
    bad "$1: $3 resources expected, all valid" "$work/answer"
  fi
}

# refused FILE: not valid, and the answer matches the file's `# expect:` line.
refused() {
  local name expect
  name=$(basename "$1" .yaml)
  expect=$(sed -n '1s/^# expect: //p' "$1")
  [ -n "$expect" ] || unable "$1 has no '# expect:' on its first line"
  if ! judge "$1" && grep -q -e "$expect" "$work/answer"; then
    ok "kubeconform refuses $name"
  else
    bad "kubeconform refuses $name: $expect" "$work/answer"
  fi
}

kubeconform=$("$root/scripts/tools.sh" kubeconform) || exit 2
go=$("$root/scripts/tools.sh" go) || exit 2

# The schemas say what their pinned sources say, and the CRDs among those serve the second judge.
extensions=$work/extensions
if (
  cd "$root/tools/conformance" &&
    "$go" run ./cmd/manifest-schemas -check -crds "$extensions" -out "$root/tests/conformance/schemas"
) 2>"$work/answer"; then
  ok "schemas equal their sources"
else
  bad "schemas equal their sources" "$work/answer"
fi

accepted "kubeconform, fixtures/good/worker" "$fixtures/good/worker.yaml" 5
for file in "$fixtures"/bad/*.yaml; do refused "$file"; done

if [ -z "${EDS:-}" ]; then
  (cd "$root" && cargo build --quiet --bin eds) >&2 || unable "eds does not build"
  EDS=$("$root/scripts/target.sh")/debug/eds
fi

# render OUTPUT CLAIM FILE
render() { "$EDS" render --output "$1" "$2" >"$3" 2>"$work/answer" || {
  bad "eds render --output $1 $2" "$work/answer"
  return 1
}; }

claims=("$examples"/*.yaml)
for golden in "$root"/platform/04-apis/tests/golden/*.claim.yaml; do
  # A claim with an error beside it must be refused; the Rust tests see to that.
  [ -e "${golden%.claim.yaml}.error.txt" ] || claims+=("$golden")
done
[ -e "${claims[0]}" ] || unable "no examples in $examples"
mkdir "$work/rendered"
for claim in "${claims[@]}"; do
  name=$(basename "$claim" .yaml)
  # Four each, unless the claim says otherwise.
  count=$(sed -n 's/^# manifests: //p' "$claim")
  count=${count:-$((4 * $(grep -c '^kind: EventDrivenService$' "$claim" || true)))}
  [ "$count" -gt 0 ] || unable "$claim holds no EventDrivenService"
  for output in manifests objects; do
    rendered=$work/rendered/$name-$output.yaml
    render "$output" "$claim" "$rendered" && accepted "kubeconform, $name as $output" "$rendered" "$count"
  done
done

if cli=$("$root/scripts/tools.sh" crossplane-cli); then
  # Given a schema for Crossplane's own kinds, even an empty one, the CLI asks no registry for it.
  mkdir -p "$work/cache/xpkg.crossplane.io/crossplane/crossplane@stable"
  echo '---' >"$work/cache/xpkg.crossplane.io/crossplane/crossplane@stable/package.yaml"
  cp "$root/platform/04-apis/definitions/xeventdrivenservices.yaml" "$extensions"
  for resources in "$examples" "$work/rendered"; do
    all='^Total [1-9][0-9]* resources: 0 missing schemas, [1-9][0-9]* success cases, 0 failure cases'
    if "$cli" resource validate --cache-dir "$work/cache" --error-on-missing-schemas "$extensions" "$resources" \
      >"$work/answer" 2>&1 && grep -q "$all" "$work/answer"; then
      ok "crossplane resource validate, $(basename "$resources"): $(tail -1 "$work/answer")"
    else
      bad "crossplane resource validate, $(basename "$resources")" "$work/answer"
    fi
  done
else
  skipped=$((skipped + 1))
  printf 'SKIPPED crossplane resource validate: the crossplane-cli binary is not here (see scripts/tools.sh)\n'
fi

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
