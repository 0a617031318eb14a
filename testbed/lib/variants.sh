# shellcheck shell=bash
# The Composition in its four forms: through provider-kubernetes Objects or composed by Crossplane
# itself, with the Go function-patch-and-transform in step 1 or with ours in its place. A claim
# chooses one by the label platform.bizmatters.io/composes.
#
# shellcheck disable=SC2034 # read by who sources this
VARIANTS=(objects-go objects-ours direct-go direct-ours)
COMPOSITIONS=compositions.apiextensions.crossplane.io

# variant NAME DIRECTORY JQ: the Composition of a Kustomize directory, changed and chosen by a label.
variant() {
  kubectl kustomize "$REPO_DIR/platform/04-apis/$2" | kc create --dry-run=client -o json -f - |
    jq --arg n "$1" ".metadata.name = \"proof-\" + \$n |
            .metadata.labels = {\"platform.bizmatters.io/composes\": \$n, \"platform.bizmatters.io/proof\": \"compositions\"} | $3" |
    kc apply -f - >/dev/null || die "the Composition proof-$1 cannot be applied"
}

install_variants() {
  local ours='.spec.pipeline[0].functionRef.name = "function-event-driven-service"'
  variant objects-go compositions .
  variant objects-ours compositions "$ours"
  variant direct-go overlays/direct .
  variant direct-ours overlays/direct "$ours"
}

remove_variants() { kc delete "$COMPOSITIONS" -l platform.bizmatters.io/proof=compositions >/dev/null; }
