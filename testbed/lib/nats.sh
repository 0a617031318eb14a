# shellcheck shell=bash
# JetStream's own API, asked over the plain NATS protocol: no client needed.

# nats_request SUBJECT JSON: prints the answer. NATS_AT="HOST PORT" asks another than the testbed's,
# NATS_LOGIN=USER:PASSWORD logs in.
nats_request() {
  local host=${NATS_AT:-}
  [ -n "$host" ] || host="$(kc -n nats get service nats -o jsonpath='{.spec.clusterIP}') 4222" || return 1
  # shellcheck disable=SC2086 # host and port
  in_node "$TESTBED_DIR/lib/nats-request.sh" $host "$1" "$2"
}

# nats_ok SUBJECT JSON: the request succeeds or the test ends.
nats_ok() {
  local answer
  answer=$(nats_request "$1" "$2") || die "NATS does not answer $1"
  if [ "$(jq -r '.error.description // empty' <<<"$answer")" ]; then
    die "NATS refuses $1: $(jq -r '.error.description' <<<"$answer")"
  fi
}

# stream_with_consumer STREAM SUBJECT CONSUMER
stream_with_consumer() {
  nats_ok "\$JS.API.STREAM.CREATE.$1" "{\"name\":\"$1\",\"subjects\":[\"$2\"],\"storage\":\"file\",\"retention\":\"limits\",\"num_replicas\":1}"
  nats_ok "\$JS.API.CONSUMER.DURABLE.CREATE.$1.$3" "{\"stream_name\":\"$1\",\"config\":{\"durable_name\":\"$3\",\"ack_policy\":\"explicit\",\"deliver_policy\":\"all\"}}"
}

delete_stream() { nats_request "\$JS.API.STREAM.DELETE.$1" '' >/dev/null || true; }
