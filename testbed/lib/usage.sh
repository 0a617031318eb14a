# shellcheck shell=bash
# What the kernel counts for the platform's pods, from their cgroups, version 1 or 2.

# platform_pods: "name uid" of each part that composes, by the label that tells it.
platform_pods() {
  kc -n crossplane-system get pods -o json | jq -r '.items[] | select(.metadata.deletionTimestamp == null) | .metadata as $m |
        ($m.labels | if .app == "crossplane" then "crossplane"
            else .["pkg.crossplane.io/function"] // .["pkg.crossplane.io/provider"] // empty end) + " " + $m.uid'
}

# cgroup_of UID CONTROLLER: the pod's directory (version 1 has one a controller).
cgroup_of() {
  local root=/sys/fs/cgroup/$2/$CGROUP
  [ ! -f /sys/fs/cgroup/cgroup.controllers ] || root=/sys/fs/cgroup/$CGROUP
  find "$root" -type d -name "pod$1" -print -quit
}

# usage: {"part": {"cpu_s": CPU seconds so far, "memory_mib": working set, as the kubelet counts it}}
usage() {
  local name uid cpu memory cpu_s working
  while read -r name uid; do
    cpu=$(cgroup_of "$uid" cpuacct) memory=$(cgroup_of "$uid" memory)
    if [ -f "$cpu/cpuacct.usage" ]; then
      cpu_s=$(awk '{printf "%.3f", $1 / 1e9}' "$cpu/cpuacct.usage")
      working=$(($(cat "$memory/memory.usage_in_bytes") - $(awk '$1 == "total_inactive_file" {print $2}' "$memory/memory.stat")))
    else
      cpu_s=$(awk '$1 == "usage_usec" {printf "%.3f", $2 / 1e6}' "$cpu/cpu.stat")
      working=$(($(cat "$memory/memory.current") - $(awk '$1 == "inactive_file" {print $2}' "$memory/memory.stat")))
    fi
    jq -n --arg name "$name" --argjson cpu "$cpu_s" --argjson memory "$working" '{($name): {cpu_s: $cpu, memory_mib: ($memory / 1048576)}}'
  done < <(platform_pods) | jq -s add
}
