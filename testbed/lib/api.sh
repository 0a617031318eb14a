# shellcheck shell=bash
# Our API onto the cluster: the function as a package, then platform/04-apis
# as it is committed.

FUNCTION_PACKAGE=bizmatters/function-event-driven-service
# The form of the API: claims or namespaced; empty for that which the node has.
API_FORM=
CLAIMS_XRD=xeventdrivenservices.platform.bizmatters.io
NAMESPACED_XRD=eventdrivenservices.platform.bizmatters.io

# choose_form: sets what depends on the form. A cluster has one, and going from one to the other is not an
# installation: it would delete every service.
choose_form() {
  local has=
  if kc get "xrd/$NAMESPACED_XRD" >/dev/null 2>&1; then
    has=namespaced
  elif kc get "xrd/$CLAIMS_XRD" >/dev/null 2>&1; then
    has=claims
  fi
  API_FORM=${API_FORM:-${has:-claims}}
  [ -z "$has" ] || [ "$has" = "$API_FORM" ] ||
    die "this node has the API in form $has: testbed/down --wipe, or testbed/proofs/namespaced-migration"
  PACKAGES=(function/function-patch-and-transform function/function-event-driven-service)
  case $API_FORM in
    claims)
      API_DIR=platform/04-apis API_XRD=$CLAIMS_XRD API_CONDITION=Offered
      PACKAGES+=(provider/provider-kubernetes)
      ;;
    namespaced)
      API_DIR=platform/04-apis/overlays/namespaced API_XRD=$NAMESPACED_XRD API_CONDITION=Established
      ;;
  esac
}

# The version that a release of these sources would have.
workspace_version() { sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$REPO_DIR/Cargo.toml"; }

# function_binary: the static binary, as it is shipped; built unless
# EDS_FUNCTION_BINARY names one.
function_binary() {
  if [ -n "${EDS_FUNCTION_BINARY:-}" ]; then
    [ -x "$EDS_FUNCTION_BINARY" ] || die "EDS_FUNCTION_BINARY ($EDS_FUNCTION_BINARY) is not a program"
    realpath "$EDS_FUNCTION_BINARY"
    return
  fi
  say "building eds-function (log: $LOG/cargo.log)"
  dist_build eds-function
}

# build_proofs: sets and exports E2E and EDS, the programs that carry proofs out; builds what is not set.
# With features of the whole workspace, as the tests are: so what is built serves both.
build_proofs() {
  if [ -z "${E2E:-}" ] || [ -z "${EDS:-}" ]; then
    local built
    (cd "$REPO_DIR" && cargo build --quiet --workspace --locked --bin e2e --bin eds) >&2 ||
      die "e2e or eds does not build"
    built=$("$REPO_DIR/scripts/target.sh")/debug
    E2E=${E2E:-$built/e2e} EDS=${EDS:-$built/eds}
  fi
  export E2E EDS
}

# dist_build BINARY: builds it as it is shipped, and prints where it is.
dist_build() {
  nice -n 10 "$REPO_DIR/scripts/dist.sh" "$1" 2>"$LOG/cargo.log" || {
    tail -n 20 "$LOG/cargo.log" >&2
    die "$1 does not build; the whole log is $LOG/cargo.log"
  }
}

# install_api: the API with the function's package set to what was just
# built. The tag carries the content's hash, so that Crossplane sees a new
# package whenever it is one.
install_api() {
  local binary package=$REPO_DIR/crates/eds-function/package key tag overlay=$ETC/api
  choose_form
  binary=$(function_binary)
  key=$(tool_key "$binary" "$package")
  # The part behind the dash must not look like a number with a leading zero.
  tag=v$(workspace_version)-k$key
  package_in_registry "$FUNCTION_PACKAGE:$tag" "$key" "$binary" "$package"
  rm -rf "$overlay"
  mkdir -p "$overlay"
  cat >"$overlay/kustomization.yaml" <<C
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - $(realpath --relative-to="$overlay" "$REPO_DIR/$API_DIR")
patches:
  - target: {kind: Function, name: function-event-driven-service}
    patch: |-
      - op: replace
        path: /spec/package
        value: xpkg.crossplane.io/$FUNCTION_PACKAGE:$tag
C
  kubectl kustomize "$overlay" >"$ETC/api.yaml" ||
    die "$API_DIR does not build with kubectl kustomize"
  # ProviderConfig's definition comes with the provider: everything else first.
  kubectl kustomize "$overlay" | without_kind ProviderConfig >"$ETC/api-first.yaml"
  apply_once api-first "$ETC/api-first.yaml"
  packages_healthy 180
  apply_once api "$ETC/api.yaml"
  api_offered 60
  say "the API is installed (form: $API_FORM): kubectl get eds"
}

# without_kind KIND: a stream of manifests without those of one kind.
without_kind() {
  awk -v kind="kind: $1" '
        function out() { if (!skip && doc != "") printf "%s---\n", doc; doc = ""; skip = 0 }
        $0 == "---" { out(); next }
        $0 == kind { skip = 1 }
        { doc = doc $0 "\n" }
        END { out() }'
}

# A package's Healthy may still be that of the revision before: it counts only
# once the package itself is the one asked for.
package_healthy() {
  kc get "$1" -o json | jq -e '
        .spec.package == .status.currentIdentifier and
        ([.status.conditions[] | select(.type == "Healthy" or .type == "Installed") | select(.status == "True")]
      | length == 2)'
}

packages_healthy() {
  local p name
  for p in "${PACKAGES[@]}"; do
    name=${p/\//.pkg.crossplane.io/}
    wait_for "$1" "the package ${p#*/}" package_healthy "$name" || {
      kc get functions.pkg.crossplane.io,providers.pkg.crossplane.io >&2
      kc get "$name" -o json | jq -r '.status.conditions[]? | "\(.type) \(.status): \(.message // .reason)"' >&2
      kc get "${p%%/*}revisions.pkg.crossplane.io" -o json |
        jq -r '.items[] | .metadata.name as $n | .status.conditions[]? |
          "\($n) \(.type) \(.status): \(.message // .reason)"' >&2
      evidence crossplane-system
      die "the package ${p#*/} was not healthy within $1 s"
    }
  done
  say "packages are healthy: ${PACKAGES[*]#*/}"
}

api_offered() {
  kc wait --for="condition=$API_CONDITION" "xrd/$API_XRD" --timeout="$1s" >/dev/null 2>&1 || {
    kc get xrd -o yaml | tail -n 40 >&2
    die "Crossplane does not offer EventDrivenServices within $1 s"
  }
}
