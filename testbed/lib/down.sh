# shellcheck shell=bash
# Taking the node apart, whatever state it is in.

# end_pods: every process in the testbed's own cgroup, then the containers'
# records, so that the next start finds a clean runtime.
end_pods() {
  local dir pid try
  for try in 1 2 3 4 5; do
    local found=no
    while read -r dir; do
      [ -d "$dir" ] || continue
      while read -r pid; do
        found=yes
        kill -KILL "$pid" 2>/dev/null || true
      done < <(find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null)
    done < <(cgroup_dirs)
    [ $found = yes ] || break
    sleep "0.$try"
  done
  [ -S "$RUN/containerd.sock" ] && service_pid containerd >/dev/null || return 0
  local name
  for name in $(node_ctr tasks ls -q 2>/dev/null); do
    timeout 10 ctr --address "$RUN/containerd.sock" --namespace k8s.io tasks rm --force "$name" >/dev/null 2>&1 || true
  done
  for name in $(node_ctr containers ls -q 2>/dev/null); do
    timeout 10 ctr --address "$RUN/containerd.sock" --namespace k8s.io containers rm "$name" >/dev/null 2>&1 || true
  done
}

our_mounts() {
  awk -v s="$STATE/" 'index($5, s) == 1 {print $5}' /proc/self/mountinfo | sed 's/\\040/ /g' | LC_ALL=C sort -r
}

unmount_all() {
  local mount
  while read -r mount; do
    umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || warn "$mount cannot be unmounted"
  done < <(our_mounts)
}

remove_network() {
  [ -e "/var/run/netns/$NETNS" ] || return 0
  local pid
  # What still runs in it would keep it alive without a name.
  for pid in $(ip netns pids "$NETNS" 2>/dev/null); do
    warn "pid $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-60)) still runs in the testbed's network"
  done
  ip netns del "$NETNS" 2>/dev/null || rm -f "/var/run/netns/$NETNS"
}

remove_cgroup() {
  local dir
  while read -r dir; do
    [ ! -d "$dir" ] || find "$dir" -depth -type d -exec rmdir {} \; 2>/dev/null || true
  done < <(cgroup_dirs)
}

# leftovers: a line for each thing that should be gone and is not.
leftovers() {
  our_mounts | sed 's/^/mounted: /'
  [ ! -e "/var/run/netns/$NETNS" ] || echo "network namespace: $NETNS"
  local dir
  while read -r dir; do
    [ ! -d "$dir" ] || echo "cgroup: $dir"
  done < <(cgroup_dirs)
}
