# shellcheck shell=bash
# Argo CD, where it is asked for: repo-server and application-controller as
# processes of the node, redis, and a git daemon that serves what the tests commit.

# shellcheck disable=SC2034 # read by the entry points
ARGOCD_SERVICES=(argocd-redis argocd-git argocd-repo-server argocd-application-controller)
# shellcheck disable=SC2034
ARGOCD_PACKAGES=(redis-server git)
ARGOCD_HOME=$STATE/argocd
# How often Argo CD compares by itself, in seconds. Its default is 120.
ARGOCD_RESYNC=${EDS_ARGOCD_RESYNC:-10}

install_argocd() {
  mkdir -p "$ARGOCD_HOME"/{bin,tmp,tls,ssh,gpg,redis,git,.kube} "$ETC/argocd"
  local name
  # One binary, told apart by its name; here, so that `down` knows its processes by their path.
  for name in argocd-repo-server argocd-application-controller; do
    ln -sf "$(part_dir argocd)/argocd" "$ARGOCD_HOME/bin/$name"
  done
  ln -sf "$(part_dir argocd)/kustomize" "$ARGOCD_HOME/bin/kustomize"
  ln -sf "$ADMIN_CONF" "$ARGOCD_HOME/.kube/config"
  rm -rf "$ETC/argocd"
  cp -r "$TESTBED_DIR/manifests/argocd" "$ETC/argocd"
  cp -r "$(part_dir argocd)/manifests" "$ETC/argocd/upstream"
  cp "$REPO_DIR/platform/04-apis/argocd/argocd-cm.yaml" "$ETC/argocd/"
  kubectl kustomize "$ETC/argocd" >"$ETC/argocd.yaml" || die "Argo CD's manifests do not build in $ETC/argocd"
  apply_once argocd "$ETC/argocd.yaml"
  # Only Argo CD's own processes read it.
  if [ -z "$(kc -n argocd get secret argocd-secret -o jsonpath='{.data.server\.secretkey}')" ]; then
    kc -n argocd patch secret argocd-secret --type=merge \
      -p "{\"stringData\":{\"server.secretkey\":\"$(openssl rand -hex 32)\"}}" >/dev/null
  fi
  for name in "${ARGOCD_SERVICES[@]}"; do start_one "$name"; done
  say "Argo CD $(part_version argocd) is ready, and looks every $ARGOCD_RESYNC s"
}

start_argocd_redis() {
  start_service argocd-redis 30 ready_argocd_redis - "$(command -v redis-server)" \
    --port 6379 --bind 127.0.0.1 --save '' --appendonly no --dir "$ARGOCD_HOME/redis"
}
ready_argocd_redis() { in_node redis-cli -h 127.0.0.1 ping; }

start_argocd_git() {
  start_service argocd-git 30 ready_argocd_git - "$(git --exec-path)/git-daemon" \
    --export-all --reuseaddr --listen="$NODE_IP" --base-path="$ARGOCD_HOME/git" "$ARGOCD_HOME/git"
}
ready_argocd_git() { in_node timeout 2 bash -c "</dev/tcp/$NODE_IP/9418"; }

# Subshells: the environment is theirs alone. Pods keep such files in volumes.
start_argocd_repo_server() (
  argocd_environment
  start_service argocd-repo-server 60 ready_argocd_repo_server - "$ARGOCD_HOME/bin/argocd-repo-server" \
    --address 127.0.0.1 --metrics-address 127.0.0.1 --disable-tls --redis 127.0.0.1:6379 --loglevel warn
)
ready_argocd_repo_server() { in_node curl -fsS -m 2 http://127.0.0.1:8084/healthz; }

start_argocd_application_controller() (
  argocd_environment
  # In-cluster means, by its own test switch, the cluster of ~/.kube/config.
  export ARGOCD_FAKE_IN_CLUSTER=true
  start_service argocd-application-controller 60 ready_argocd_application_controller - \
    "$ARGOCD_HOME/bin/argocd-application-controller" --kubeconfig "$ADMIN_CONF" --namespace argocd \
    --repo-server 127.0.0.1:8081 --repo-server-plaintext --redis 127.0.0.1:6379 \
    --app-resync "$ARGOCD_RESYNC" --app-resync-jitter 0 --persist-resource-health --loglevel warn
)
ready_argocd_application_controller() { in_node curl -fsS -m 2 http://127.0.0.1:8082/healthz; }

argocd_environment() {
  export HOME=$ARGOCD_HOME TMPDIR=$ARGOCD_HOME/tmp PATH=$ARGOCD_HOME/bin:$PATH ARGOCD_GPG_ENABLED=false \
    ARGOCD_TLS_DATA_PATH=$ARGOCD_HOME/tls ARGOCD_SSH_DATA_PATH=$ARGOCD_HOME/ssh ARGOCD_GNUPGHOME=$ARGOCD_HOME/gpg
  unset KUBECONFIG
}

# argocd_runs: all of it does, and answers.
argocd_runs() {
  local service
  for service in "${ARGOCD_SERVICES[@]}"; do
    service_pid "$service" >/dev/null && ready_one "$service" >/dev/null 2>&1 || return 1
  done
}
