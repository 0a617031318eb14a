# shellcheck shell=bash
# The node's services in the order they start. Each has its readiness check.

# shellcheck disable=SC2034 # read by the entry points
SERVICES=(etcd kube-apiserver kube-controller-manager kube-scheduler coredns registry containerd kubelet kube-proxy)

start_etcd() {
  # No fsync: a power cut may cost the data, and the data is a test's.
  start_service etcd 30 ready_etcd - "$(part_dir etcd)/etcd" --data-dir="$STATE/etcd" --name="$NODE_NAME" \
    --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
    --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 \
    --initial-cluster="$NODE_NAME=http://127.0.0.1:2380" --unsafe-no-fsync
}
ready_etcd() { in_node curl -fsS -m 2 http://127.0.0.1:2379/health; }

start_kube_apiserver() {
  # InternalIP: else logs and exec look the node's name up. The front-proxy
  # certificates and aggregator routing serve KEDA's metrics API.
  start_service kube-apiserver 90 ready_apiserver - "$(part_dir kubernetes)/kube-apiserver" \
    --etcd-servers=http://127.0.0.1:2379 --advertise-address="$NODE_IP" --bind-address=0.0.0.0 --secure-port=6443 \
    --service-cluster-ip-range="$SERVICE_CIDR" --authorization-mode=Node,RBAC \
    --allow-privileged=true --profiling=false \
    --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
    --service-account-issuer=https://kubernetes.default.svc \
    --kubelet-client-certificate="$PKI/admin.crt" --kubelet-client-key="$PKI/admin.key" \
    --kubelet-preferred-address-types=InternalIP \
    --requestheader-client-ca-file="$PKI/ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$PKI/front-proxy.crt" --proxy-client-key-file="$PKI/front-proxy.key" \
    --enable-aggregator-routing=true
}
ready_apiserver() { kc get --raw /readyz; }

start_kube_controller_manager() {
  # Short horizontal autoscaling periods keep a scaling test under two minutes.
  start_service kube-controller-manager 60 ready_controller_manager - "$(part_dir kubernetes)/kube-controller-manager" \
    --kubeconfig="$ADMIN_CONF" --root-ca-file="$PKI/ca.crt" --service-account-private-key-file="$PKI/sa.key" \
    --use-service-account-credentials=true --cluster-cidr="$POD_CIDR" --allocate-node-cidrs=false --leader-elect=false \
    --horizontal-pod-autoscaler-sync-period=5s --horizontal-pod-autoscaler-downscale-stabilization=20s
}
ready_controller_manager() { in_node curl -kfsS -m 2 https://127.0.0.1:10257/healthz; }

start_kube_scheduler() {
  start_service kube-scheduler 60 ready_scheduler - "$(part_dir kubernetes)/kube-scheduler" \
    --kubeconfig="$ADMIN_CONF" --leader-elect=false
}
ready_scheduler() { in_node curl -kfsS -m 2 https://127.0.0.1:10259/healthz; }

start_coredns() {
  # Crossplane finds its functions by DNS. Names outside the cluster do not
  # exist here, and are said not to, rather than left to time out. That is a
  # server block of its own: in one block, template answers before kubernetes.
  write_if_changed "$ETC/Corefile" <<C || true
cluster.local:53 in-addr.arpa:53 {
    bind $NODE_IP
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {
        kubeconfig $ADMIN_CONF testbed
        pods insecure
        ttl 5
    }
    cache 5
}
.:53 {
    bind $NODE_IP
    errors
    template ANY ANY . {
        rcode NXDOMAIN
    }
}
C
  echo "nameserver $NODE_IP" >"$ETC/resolv.conf"
  start_service coredns 60 ready_coredns "$ETC/Corefile" "$(part_dir coredns)/coredns" -conf "$ETC/Corefile"
}
# Asked as a pod would ask.
ready_coredns() { in_node curl -fsS -m 2 http://127.0.0.1:8181/ready && resolves kubernetes.default.svc.cluster.local; }
resolves() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  in_node timeout 3 unshare --mount sh -c 'mount --bind "$1" /etc/resolv.conf && getent ahostsv4 "$2"' \
    resolves "$ETC/resolv.conf" "$1"
}

start_registry() {
  mkdir -p "$STATE/registry"
  write_if_changed "$ETC/registry.yml" <<C || true
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $STATE/registry}
  delete: {enabled: true}
http: {addr: "$REGISTRY"}
C
  start_service registry 30 ready_registry "$ETC/registry.yml" "$(command -v docker-registry)" serve "$ETC/registry.yml"
}
ready_registry() { in_node curl -fsS -m 2 "http://$REGISTRY/v2/"; }

start_containerd() {
  mkdir -p "$STATE/certs.d/_default" "$STATE/containerd"
  # Every registry is this registry: an image named ghcr.io/x/y is pulled as
  # x/y from it, so that claims keep the names they have elsewhere. Without
  # `server`, what it does not hold would be looked for outside, in vain.
  write_if_changed "$STATE/certs.d/_default/hosts.toml" <<C || true
server = "http://$REGISTRY"
[host."http://$REGISTRY"]
  capabilities = ["pull", "resolve"]
C
  # restrict_oom_score_adj: not every root may lower its own.
  write_if_changed "$ETC/containerd.toml" <<C || true
version = 2
root = "$STATE/containerd"
state = "$RUN/containerd"
[grpc]
  address = "$RUN/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$STATE/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$(cni_bin)"
    conf_dir = "$STATE/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$STATE/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "$RUN/runc"
C
  start_service containerd 60 ready_containerd "$ETC/containerd.toml" \
    "$(command -v containerd)" --config "$ETC/containerd.toml"
}
# The socket answers before CRI does, and a kubelet that comes in between ends.
ready_containerd() { grep -q 'successfully booted' "$LOG/containerd.log" && node_ctr version; }
node_ctr() { ctr --address "$RUN/containerd.sock" --namespace k8s.io "$@"; }

start_kubelet() {
  write_if_changed "$ETC/kubelet.yaml" <<C || true
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$RUN/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
failCgroupV1: false
failSwapOn: false
clusterDomain: cluster.local
clusterDNS: [$NODE_IP]
resolvConf: $ETC/resolv.conf
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $PKI/kubelet.crt
tlsPrivateKeyFile: $PKI/kubelet.key
podLogsDir: $STATE/pod-logs
volumePluginDir: $STATE/kubelet/volume-plugins
evictionHard: {memory.available: 100Mi, nodefs.available: 1%}
imageGCHighThresholdPercent: 100
imageMinimumGCAge: 87600h
registryPullQPS: 0
serializeImagePulls: false
nodeStatusUpdateFrequency: 4s
C
  start_service kubelet 60 ready_kubelet "$ETC/kubelet.yaml" "$(part_dir kubernetes)/kubelet" \
    --config="$ETC/kubelet.yaml" --kubeconfig="$ETC/kubelet.conf" --hostname-override="$NODE_NAME" \
    --node-ip="$NODE_IP" --root-dir="$STATE/kubelet" --v=1
}
ready_kubelet() { in_node curl -fsS -m 2 http://127.0.0.1:10248/healthz; }

start_kube_proxy() {
  local masquerade=()
  # Without br_netfilter an answer between two pods on the bridge passes the
  # address translation by, unless the request was masqueraded.
  [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || masquerade=(--masquerade-all)
  start_service kube-proxy 60 ready_proxy - "$(part_dir kubernetes)/kube-proxy" --kubeconfig="$ADMIN_CONF" \
    --hostname-override="$NODE_NAME" --cluster-cidr="$POD_CIDR" --proxy-mode=iptables --conntrack-max-per-core=0 \
    "${masquerade[@]}"
}
ready_proxy() { in_node curl -fsS -m 2 http://127.0.0.1:10256/healthz; }

start_one() { "start_${1//-/_}"; }
ready_one() {
  case $1 in
    kube-apiserver) ready_apiserver ;;
    kube-controller-manager) ready_controller_manager ;;
    kube-scheduler) ready_scheduler ;;
    kube-proxy) ready_proxy ;;
    *) "ready_${1//-/_}" ;;
  esac
}

node_ready() { kc wait --for=condition=Ready "node/$NODE_NAME" --timeout=1s; }
