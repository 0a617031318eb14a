# shellcheck shell=bash
# Images of the pinned binaries, and Crossplane packages, onto the node.

# shellcheck disable=SC2034 # read by containerd's configuration and by up
PAUSE_IMAGE=eds.local/pause:1

# pinned_tool NAME: its path; scripts/tools.sh finds it, checks its version and says where it is.
pinned_tool() {
  "$REPO_DIR/scripts/tools.sh" "$1" ||
    die "the testbed needs $1 $(tool_pin "$1" 2), which no package registry serves:" \
      "put it on PATH, or into a directory and set EDS_TOOLS_DIR"
}

# tools_file NAME: a directory of Crossplane's installation: its chart, rendered, and its CRDs.
tools_file() {
  local root
  for root in "${EDS_TOOLS_DIR:-}" "$REPO_DIR/../shared/tools"; do
    if [ -n "$root" ] && [ -e "$root/$1" ]; then
      realpath "$root/$1"
      return 0
    fi
  done
  die "$1 is neither in EDS_TOOLS_DIR (${EDS_TOOLS_DIR:-not set}) nor in ../shared/tools"
}

tool_pin() { awk -v n="$1" -v c="$2" '$1 == n {print $c}' "$TESTBED_DIR/parts/tools.pins"; }

# image_on_node REF KEY ENTRYPOINT FILE=/DEST...: makes and imports it, once
# per KEY. The key, not the reference, says whether the content is the same.
image_on_node() {
  local ref=$1 key=$2 stamp archive
  stamp=$STATE/images/${ref//[\/:]/_}
  if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && node_ctr images ls -q | grep -qxF "$ref"; then
    return 0
  fi
  shift 2
  mkdir -p "$STATE/images"
  archive=$(mktemp "$STATE/images/.tmp.XXXXXX")
  "$REPO_DIR/package/image" "$ref" "$archive" "$@"
  node_ctr images import "$archive" >/dev/null || die "containerd does not take the image $ref"
  rm -f "$archive"
  echo "$key" >"$stamp"
  say "image $ref is on the node"
}

# image_to_registry REF ENTRYPOINT FILE=/DEST...: makes it and pushes it to the
# node's registry under REF without its host, which is where the node pulls it.
image_to_registry() {
  local ref=$1 path archive=$STATE/images/.push.$$
  shift
  path=$REGISTRY/${ref#*/}
  mkdir -p "$STATE/images"
  "$REPO_DIR/package/image" "$path" "$archive" "$@"
  node_ctr images import "$archive" >/dev/null
  in_node ctr --address "$RUN/containerd.sock" --namespace k8s.io images push --plain-http "$path" >/dev/null ||
    die "the registry $REGISTRY does not take $path"
  # An older one of that name on the node would be used instead of pulled.
  node_ctr images rm "$path" "$ref" >/dev/null 2>&1 || true
  rm -f "$archive"
  say "image $ref is in the registry"
}

in_registry() {
  in_node curl -fsS -o /dev/null -H 'Accept: application/vnd.oci.image.index.v1+json' \
    -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
    -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
    "http://$REGISTRY/v2/$1/manifests/$2" 2>/dev/null
}

# package_in_registry NAME:TAG KEY BINARY PACKAGE-DIR: builds the .xpkg once
# per KEY into the cache, and pushes it if this registry does not hold it.
package_in_registry() {
  local name=${1%:*} tag=${1##*:} key=$2 binary=$3 package=$4 xpkg stamp
  xpkg=$CACHE/packages/$(basename "$name")-$key/$(basename "$name").xpkg
  stamp=$STATE/images/xpkg_${name//\//_}_$tag
  if [ ! -f "$xpkg" ]; then
    "$REPO_DIR/package/build" "$name:$tag" "$binary" "$package" "$(dirname "$xpkg")" >/dev/null 2>"$LOG/xpkg.log" || {
      cat "$LOG/xpkg.log" >&2
      die "the package $name does not build"
    }
    rm -f "${xpkg%.xpkg}.tar"
  fi
  if [ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || ! in_registry "$name" "$tag"; then
    in_node "$CROSSPLANE_CLI" xpkg push -f "$xpkg" "$REGISTRY/$name:$tag" >"$LOG/xpkg.log" 2>&1 || {
      cat "$LOG/xpkg.log" >&2
      die "the registry $REGISTRY does not take $name:$tag"
    }
    mkdir -p "$STATE/images"
    echo "$key" >"$stamp"
    say "package $name:$tag is in the registry"
  fi
}

# The binaries' own images.
node_images() {
  local keda
  image_on_node docker.io/library/nats:"$(part_image_tag nats)" "$(part_key nats)" \
    /nats-server "$(part_dir nats)/nats-server=/nats-server"
  keda=$(part_dir keda)
  image_on_node ghcr.io/kedacore/keda:"$(part_image_tag keda)" "$(part_key keda)" /keda "$keda/operator=/keda"
  image_on_node ghcr.io/kedacore/keda-metrics-apiserver:"$(part_image_tag keda)" "$(part_key keda)" \
    /keda-adapter "$keda/adapter=/keda-adapter"
  image_on_node ghcr.io/kedacore/keda-admission-webhooks:"$(part_image_tag keda)" "$(part_key keda)" \
    /keda-admission-webhooks "$keda/webhooks=/keda-admission-webhooks"
  local crds=$CROSSPLANE_INSTALL/crds webhooks=$CROSSPLANE_INSTALL/webhookconfigurations
  image_on_node xpkg.crossplane.io/crossplane/crossplane:"$(tool_pin crossplane 2)" \
    "$(tool_key "$CROSSPLANE" "$crds" "$webhooks")" \
    /crossplane "$CROSSPLANE=/crossplane" "$crds=/crds" "$webhooks=/webhookconfigurations"
}

part_image_tag() { part_version "$1" | sed 's/^v//'; }
tool_key() {
  find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | awk '{print $1}' | sha256sum | cut -c1-12
}

node_packages() {
  local dir
  dir=$(part_dir provider-kubernetes)
  package_in_registry crossplane-contrib/provider-kubernetes:"$(part_version provider-kubernetes)" \
    "$(part_key provider-kubernetes)" "$dir/provider" "$dir/package"
  package_in_registry crossplane-contrib/function-patch-and-transform:"$(tool_pin function-patch-and-transform 2)" \
    "$(tool_key "$FUNCTION_PT" "$FUNCTION_PT_PACKAGE")" "$FUNCTION_PT" "$FUNCTION_PT_PACKAGE"
}
