# shellcheck shell=bash
# Sourced by the other scripts: sets EDS to the `eds` to use. In order: EDS if it is set, the release
# binary if it is there and newer than the sources, else a build.
#
# Callers must have set `root`.
if [ -z "${EDS:-}" ]; then
  EDS=$("$root/scripts/target.sh")/release/eds
  if [ ! -x "$EDS" ] || [ -n "$(find "$root"/crates/*/src \
    "$root/platform/04-apis/definitions" "$root/platform/04-apis/compositions" \
    "$root/Cargo.lock" -newer "$EDS" -type f -print -quit)" ]; then
    command -v cargo >/dev/null || {
      echo "eds: not built, and cargo is not installed; set EDS to the binary" >&2
      exit 2
    }
    echo "building eds" >&2
    cargo build --quiet --release --locked --manifest-path "$root/Cargo.toml" --bin eds >&2 || exit 2
  fi
fi
command -v "$EDS" >/dev/null || {
  echo "eds: $EDS is not a program" >&2
  exit 2
}
