# shellcheck shell=bash
# The binaries the node runs: each part is a Go module under parts/ whose
# go.mod and go.sum are its pins. Built once per set of pins, into
# $CACHE/parts/NAME-KEY, together with the files of the module that are needed
# at run time, so that a later `up` needs neither Go nor its module cache.

# shellcheck disable=SC2034 # read by the entry points
PARTS=(etcd pause nats coredns kubernetes provider-kubernetes keda)
# Built only where they are asked for.
# shellcheck disable=SC2034
OPTIONAL_PARTS=(argocd external-secrets)

# What each part must have in its directory once it is built.
part_outputs() {
  case $1 in
    etcd) echo etcd ;;
    pause) echo pause ;;
    nats) echo nats-server ;;
    coredns) echo coredns ;;
    kubernetes) echo kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet ;;
    provider-kubernetes) echo provider package/crossplane.yaml ;;
    keda) echo operator adapter webhooks config/default/kustomization.yaml ;;
    argocd) echo argocd kustomize manifests/crds/kustomization.yaml ;;
    external-secrets) echo external-secrets crds/external-secrets.io_externalsecrets.yaml ;;
  esac
}

# The module whose version is the part's version.
part_module() {
  case $1 in
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    nats) echo github.com/nats-io/nats-server/v2 ;;
    coredns) echo github.com/coredns/coredns ;;
    kubernetes) echo k8s.io/kubernetes ;;
    provider-kubernetes) echo github.com/crossplane-contrib/provider-kubernetes ;;
    keda) echo github.com/kedacore/keda/v2 ;;
    argocd) echo github.com/argoproj/argo-cd/v3 ;;
    external-secrets) echo github.com/external-secrets/external-secrets ;;
  esac
}

part_version() {
  local module
  module=$(part_module "$1")
  [ -n "$module" ] || { echo local && return; }
  awk -v m="$module" '$1 == m && $2 ~ /^v/ {print $2; exit} $1 == "require" && $2 == m {print $3; exit}' \
    "$TESTBED_DIR/parts/$1/go.mod"
}

# The key covers the pins and the part's own source, not the Go release: a new
# compiler is no reason to spend half an hour.
part_key() {
  (cd "$TESTBED_DIR/parts/$1" && find . -type f \( -name 'go.*' -o -name '*.go' \) | LC_ALL=C sort | xargs sha256sum) |
    sha256sum | cut -c1-12
}

part_dir() { echo "$CACHE/parts/$1-$(part_version "$1")-$(part_key "$1")"; }

part_built() {
  local dir out
  dir=$(part_dir "$1")
  for out in $(part_outputs "$1"); do
    [ -e "$dir/$out" ] || return 1
  done
}

# part_source: External Secrets Operator's source in ./source, with no provider but the one for tests: with all of
# them it is ten times as large. What is downloaded must have the hash in go.source.
part_source() {
  local module version sum found
  read -r module version sum <go.source
  found=$(cd / && "$go" mod download -json "$module@$version") || return 1
  [ "$(jq -r .Sum <<<"$found")" = "$sum" ] || { echo "$module $version is not what go.source says" && return 1; }
  cp -r --no-preserve=mode "$(jq -r .Dir <<<"$found")" source
  printf 'package register\n\nimport _ "%s/pkg/provider/fake"\n' "$module" >source/pkg/provider/register/register.go
  printf 'package register\n' >source/pkg/generator/register/register.go
}

# part_build NAME: builds it if it is not there. The directory appears whole or
# not at all: a killed build leaves only a temporary directory behind.
part_build() (
  set -euo pipefail
  name=$1
  part_built "$name" && return 0
  go=$("$REPO_DIR/scripts/tools.sh" go) ||
    die "$name $(part_version "$name") is not built yet: it needs Go, or an EDS_TESTBED_CACHE that holds it"
  mkdir -p "$CACHE/parts" "$CACHE/log"
  exec 9>"$CACHE/parts/.$name.lock"
  flock -n 9 || say "waiting for another build of $name"
  flock 9
  part_built "$name" && return 0
  dir=$(part_dir "$name")
  log=$CACHE/log/build-$name.log
  rm -rf "$CACHE/parts/.tmp-$name".*
  tmp=$(mktemp -d "$CACHE/parts/.tmp-$name.XXXXXX")
  # From a copy: a checkout that changes branches meanwhile does no harm.
  cp -r "$TESTBED_DIR/parts/$name" "$tmp/module"
  say "building $name $(part_version "$name") (log: $log)"
  cd "$tmp/module"
  flags='-s -w' version=$(part_version "$name") what=tool
  case $name in
    etcd | pause) what=. ;;
    kubernetes) flags+=" -X k8s.io/component-base/version.gitVersion=$version" ;;
    keda)
      flags+=" -X github.com/kedacore/keda/v2/version.Version=${version#v}"
      flags+=" -X github.com/kedacore/keda/v2/version.GitCommit=$version"
      ;;
  esac
  start=$(date +%s)
  if [ -e go.source ] && ! part_source >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    die "the source of $name $version cannot be had; the whole log is $log"
  fi
  if ! CGO_ENABLED=0 GOFLAGS="-buildvcs=false -mod=readonly" nice -n 10 \
    "$go" build -trimpath -p "${EDS_TESTBED_JOBS:-2}" -ldflags "$flags" -o "$tmp/" "$what" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -rf "$tmp"
    die "$name $version does not build; the whole log is $log"
  fi
  module=$(part_module "$name")
  if [ -n "$module" ]; then
    source=$("$go" list -m -f '{{.Dir}}' "$module")
    case $name in
      keda) cp -r --no-preserve=mode "$source/config" "$tmp/config" ;;
      argocd) cp -r --no-preserve=mode "$source/manifests" "$tmp/manifests" && mv "$tmp/cmd" "$tmp/argocd" ;;
      external-secrets) cp -r --no-preserve=mode "$source/config/crds/bases" "$tmp/crds" ;;
      provider-kubernetes) cp -r --no-preserve=mode "$source/package" "$tmp/package" ;;
    esac
  fi
  rm -rf "$dir" "$tmp/module"
  mv "$tmp" "$dir"
  chmod 755 "$dir"
  say "built $name $version in $(($(date +%s) - start)) s"
)
