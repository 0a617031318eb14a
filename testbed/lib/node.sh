# shellcheck shell=bash
# The node's ground: machine checks, network namespace, certificates, cgroup.

DEBIAN_PACKAGES=(containerd runc containernetworking-plugins iptables conntrack docker-registry)

# What this machine lacks, one line each; nothing when it can run a node.
machine_lacks() {
  local p
  [ "$(uname -sm)" = 'Linux x86_64' ] || echo "this is $(uname -sm); the testbed runs on Linux x86_64"
  [ "$(id -u)" = 0 ] || echo "not root: a node needs network namespaces, mounts and cgroups; run it with sudo"
  for p in ip nsenter setsid unshare openssl curl kubectl jq tar xz flock pgrep; do
    command -v "$p" >/dev/null || echo "the command $p is not on the PATH"
  done
  if [ "$(id -u)" = 0 ]; then
    unshare --net true 2>/dev/null ||
      echo "network namespaces are not permitted (unshare --net fails; in a container this needs --privileged)"
    unshare --mount true 2>/dev/null || echo "mount namespaces are not permitted (unshare --mount fails)"
  fi
  if ! [ -f /sys/fs/cgroup/cgroup.controllers ] && ! [ -d /sys/fs/cgroup/memory ]; then
    echo "no cgroups: /sys/fs/cgroup holds neither cgroup v2 nor the v1 memory controller"
  elif [ "$(id -u)" = 0 ] && ! [ -w /sys/fs/cgroup ]; then
    echo "cgroups are read-only here: /sys/fs/cgroup cannot be written"
  fi
  grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || echo "the kernel has no overlay file system"
  missing_packages | sed 's/^/Debian package missing: /'
}

missing_packages() {
  local p
  for p in "${DEBIAN_PACKAGES[@]}"; do
    case $p in
      containernetworking-plugins) [ -x "$(cni_bin)/bridge" ] ;;
      git) [ -x "$(git --exec-path 2>/dev/null)/git-daemon" ] ;;
      *) PATH=$PATH:/usr/sbin:/sbin command -v "$p" >/dev/null ;;
    esac || echo "$p"
  done
}

# Debian puts the CNI plugins in /usr/lib/cni, most others in /opt/cni/bin.
cni_bin() { if [ -x /opt/cni/bin/bridge ]; then echo /opt/cni/bin; else echo /usr/lib/cni; fi; }

# install_packages [PACKAGE...]: by default what is missing.
install_packages() {
  local want=("$@")
  [ $# -gt 0 ] || mapfile -t want < <(missing_packages)
  [ ${#want[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "no apt-get here: install ${want[*]} by hand"
  say "installing ${want[*]}"
  mkdir -p "$LOG"
  # The packages' own services must not start: the testbed runs its own.
  if ! {
    apt-get update &&
      DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends "${want[@]}"
  } >"$LOG/apt.log" 2>&1; then
    tail -n 5 "$LOG/apt.log" >&2
    die "apt-get could not install ${want[*]}; the whole log is $LOG/apt.log"
  fi
}

# shellcheck disable=SC2034 # up asks whether this is a new start
FRESH_NODE=no

# shellcheck disable=SC2034
node_network() {
  # A killed run or a reboot can leave the name without the namespace.
  if [ -e "/var/run/netns/$NETNS" ] && ! in_node true 2>/dev/null; then
    ip netns del "$NETNS" 2>/dev/null || rm -f "/var/run/netns/$NETNS"
  fi
  if [ ! -e "/var/run/netns/$NETNS" ]; then
    ip netns add "$NETNS"
    # Nothing can hold an address in a network that did not exist, and no
    # pod of an earlier run can be alive.
    rm -rf "$STATE/cni/ipam"
    FRESH_NODE=yes
  fi
  ip -n "$NETNS" link set lo up
  # Both ends of the pair stay inside: there is no dummy device everywhere.
  if ! ip -n "$NETNS" link show node0 >/dev/null 2>&1; then
    ip -n "$NETNS" link add node0 type veth peer name node0p
  fi
  ip -n "$NETNS" link set node0p up
  ip -n "$NETNS" addr replace "$NODE_IP/24" dev node0
  ip -n "$NETNS" link set node0 up
  ip -n "$NETNS" route replace default dev node0
  in_node sysctl -qw net.ipv4.ip_forward=1
  mkdir -p "$STATE/cni/net.d"
  write_if_changed "$STATE/cni/net.d/10-testbed.conflist" <<C || true
{"cniVersion": "0.4.0", "name": "testbed", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$POD_CIDR"}]],
            "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "$STATE/cni/ipam"}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
C
}

# Certificates appear all at once: a killed run leaves none behind.
node_pki() {
  [ -f "$PKI/sa.pub" ] && return 0
  local tmp=$PKI.tmp
  rm -rf "$tmp" "$PKI"
  mkdir -p "$tmp"
  chmod 700 "$tmp"
  (
    cd "$tmp"
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=eds-testbed-ca -keyout ca.key -out ca.crt
    names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
    names+=,DNS:kubernetes.default.svc.cluster.local,DNS:localhost
    certificate apiserver /CN=kube-apiserver "$names,IP:127.0.0.1,IP:$NODE_IP,IP:$API_SERVICE_IP"
    certificate admin /O=system:masters/CN=admin DNS:admin
    certificate front-proxy /CN=front-proxy-client DNS:front-proxy
    certificate kubelet "/O=system:nodes/CN=system:node:$NODE_NAME" "DNS:$NODE_NAME,IP:$NODE_IP"
    openssl genrsa -out sa.key 2048
    openssl rsa -in sa.key -pubout -out sa.pub
  ) >"$LOG/pki.log" 2>&1 || die "openssl could not make the certificates; see $LOG/pki.log"
  mv "$tmp" "$PKI"
  # Kubeconfigs embed certificates: write them again.
  rm -f "$ADMIN_CONF" "$ETC/kubelet.conf"
}

# certificate NAME SUBJECT SANS: NAME.key and NAME.crt, signed by ca.
certificate() {
  openssl req -newkey rsa:2048 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out "$1.crt" \
    -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=clientAuth,serverAuth\n' "$3")
}

# kubeconfig NAME FILE
kubeconfig() {
  [ -f "$2" ] && return 0
  local tmp=$2.tmp
  rm -f "$tmp"
  {
    kubectl --kubeconfig="$tmp" config set-cluster testbed --server="https://$NODE_IP:6443" \
      --certificate-authority="$PKI/ca.crt" --embed-certs
    kubectl --kubeconfig="$tmp" config set-credentials "$1" --client-certificate="$PKI/$1.crt" \
      --client-key="$PKI/$1.key" --embed-certs
    kubectl --kubeconfig="$tmp" config set-context testbed --cluster=testbed --user="$1"
    kubectl --kubeconfig="$tmp" config use-context testbed
  } >/dev/null
  chmod 600 "$tmp"
  mv "$tmp" "$2"
}

# The pods live under a cgroup of the testbed's own, so that another kubelet's
# pods are never mistaken for ours when `down` ends them.
CGROUP=$NETNS
cgroup_dirs() {
  local d
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    echo "/sys/fs/cgroup/$CGROUP"
  else
    for d in /sys/fs/cgroup/*/; do
      # cpu,cpuacct and the like are also there under one name each.
      [ -L "${d%/}" ] || [ ! -e "$d/cgroup.procs" ] || echo "$d$CGROUP"
    done
  fi
}

node_cgroup() {
  local d f
  while read -r d; do
    mkdir -p "$d"
    for f in cpuset.cpus cpuset.mems; do
      # An empty cpuset (v1) takes no process.
      if [ -f "$d/$f" ] && [ ! -f /sys/fs/cgroup/cgroup.controllers ] && [ -z "$(tr -d '\n' <"$d/$f")" ]; then
        cat "$(dirname "$d")/$f" >"$d/$f"
      fi
    done
  done < <(cgroup_dirs)
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    for d in /sys/fs/cgroup "/sys/fs/cgroup/$CGROUP"; do
      while read -r f; do
        echo "+$f" >"$d/cgroup.subtree_control" 2>/dev/null ||
          warn "the cgroup controller $f cannot be delegated below $d"
      done < <(tr ' ' '\n' <"$d/cgroup.controllers")
    done
  fi
}
