# shellcheck shell=bash
# find_tool NAME: the path of a tool that no package registry serves. Looks in
# EDS_TOOLS_DIR, then in ../shared/tools, each for NAME or NAME.xz (unpacked
# into the cache), then on the PATH. Says on stderr which one it took.

TOOLS_REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

tool_roots() {
    [ -z "${EDS_TOOLS_DIR:-}" ] || echo "$EDS_TOOLS_DIR"
    echo "$TOOLS_REPO/../shared/tools"
}

# find_tool_file PATH: a file or directory that belongs to the tools.
find_tool_file() {
    local root
    while read -r root; do
        if [ -e "$root/$1" ]; then
            realpath "$root/$1"
            return 0
        fi
    done < <(tool_roots)
    echo "$1 is neither in EDS_TOOLS_DIR (${EDS_TOOLS_DIR:-not set}) nor in ../shared/tools" >&2
    return 1
}

find_tool() {
    local name=$1 root unpacked cache=${EDS_TESTBED_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/eds-testbed}
    while read -r root; do
        if [ -x "$root/$name" ] && [ ! -d "$root/$name" ]; then
            realpath "$root/$name"
            return 0
        fi
        if [ -f "$root/$name.xz" ]; then
            unpacked=$cache/tools/$name-$(sha256sum "$root/$name.xz" | cut -c1-12)/$name
            if [ ! -x "$unpacked" ]; then
                mkdir -p "$(dirname "$unpacked")"
                xz -dc "$root/$name.xz" >"$unpacked.$$"
                chmod 755 "$unpacked.$$"
                mv "$unpacked.$$" "$unpacked"
            fi
            echo "$unpacked"
            return 0
        fi
    done < <(tool_roots)
    command -v "$name" && return 0
    echo "$name is neither in EDS_TOOLS_DIR (${EDS_TOOLS_DIR:-not set}), nor in ../shared/tools, nor on the PATH" >&2
    return 1
}
