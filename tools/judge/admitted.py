#!/usr/bin/env python3
"""Is everything that a claim can become admitted where Pod Security `restricted` is enforced?

    admitted.py EDS SEED COUNT FILE...

Takes the FILEs' claims apart at random (fields left out, swapped, mutated as by claims.py), and lets
`eds render` make manifests of those that the API accepts. A real kube-apiserver (scripts/api-server.sh)
is asked, by dry-run creates with strict field validation in a namespace that enforces `restricted`, for
each manifest of Kubernetes' own, and for a pod of the Deployment's template. Every answer must be yes.

Exit status: 0 all admitted, 1 not so, 2 could not be tried. The same seed gives the same claims.
"""
import copy
import json
import os
import random
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import yaml

import claims

NAMESPACE = "restricted"
TLS = ssl.create_default_context(cafile=os.environ["API_SERVER_CA"])
PLURALS = {
    "Namespace": "/api/v1/namespaces",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "Pod": "/api/v1/namespaces/restricted/pods",
    "ServiceAccount": "/api/v1/namespaces/restricted/serviceaccounts",
    "Service": "/api/v1/namespaces/restricted/services",
    "Deployment": "/apis/apps/v1/namespaces/restricted/deployments",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/restricted/poddisruptionbudgets",
}
# Fewer than this share of the claims being valid would prove nothing.
LEAST_VALID = 0.25


def create(manifest, query):
    """Creates an object; an empty text, or why not, or what the server warned of."""
    request = urllib.request.Request(
        os.environ["API_SERVER"] + PLURALS[manifest["kind"]] + query, json.dumps(manifest).encode(),
        {"Authorization": "Bearer " + os.environ["JUDGE_TOKEN"], "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, context=TLS, timeout=30) as answer:
            return "; ".join(answer.headers.get_all("Warning") or [])
    except urllib.error.HTTPError as error:
        return json.loads(error.read())["message"]


def prune(rng, value, share):
    """Leaves out a share of all optional things."""
    if isinstance(value, dict):
        for key in list(value):
            if rng.random() < share and key not in ("spec", "image", "nats", "stream", "consumer", "name"):
                del value[key]
            else:
                prune(rng, value[key], share)
    elif isinstance(value, list):
        for item in value:
            prune(rng, item, share / 2)


def claim_of(rng, seeds):
    claim = copy.deepcopy(rng.choice(seeds))
    for key in list(claim["spec"]):
        other = rng.choice(seeds)["spec"]
        if rng.random() < 0.2 and key in other:
            claim["spec"][key] = copy.deepcopy(other[key])
    prune(rng, claim["spec"], rng.choice([0, 0.1, 0.4]))
    for _ in range(rng.choice([0, 0, 1])):
        claims.mutate(rng, claim["spec"])
    placement = claim["spec"].get("placement")
    if isinstance(placement, dict) and "priorityClassName" in placement:
        placement["priorityClassName"] = "high"  # any other would have to exist as well
    claim["metadata"] = {"name": rng.choice(["orders", "o", "x" * 56]), "namespace": NAMESPACE}
    return claim


def pod_of(deployment):
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": "pod", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def main():
    eds, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    seeds = []
    for file in sys.argv[4:]:
        with open(file, encoding="utf-8") as text:
            seeds += [d for d in yaml.safe_load_all(text) if d and d.get("kind") == "EventDrivenService"]
    enforced = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": enforced}}
    high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1}
    why = create(namespace, "") or create(high, "")
    if why:
        print(f"admitted: {why}", file=sys.stderr)
        sys.exit(2)
    # The wall stands: the same pod without its restrictions is refused.
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": NAMESPACE},
            "spec": {"containers": [{"name": "main", "image": "x:1"}]}}
    if "violates PodSecurity" not in create(bare, "?dryRun=All"):
        print("admitted: the namespace does not enforce restricted", file=sys.stderr)
        sys.exit(2)
    valid = asked = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for i in range(count):
            claim = claim_of(rng, seeds)
            path = os.path.join(folder, "claim.json")
            with open(path, "w", encoding="utf-8") as out:
                json.dump(claim, out, default=str)
            made = subprocess.run([eds, "render", path], capture_output=True, text=True, timeout=60, check=False)
            if made.returncode == 1:
                continue
            if made.returncode != 0:
                print(f"admitted: eds render: {made.stderr}", file=sys.stderr)
                sys.exit(2)
            valid += 1
            manifests = [m for m in yaml.safe_load_all(made.stdout) if m and m["kind"] in PLURALS]
            manifests += [pod_of(m) for m in manifests if m["kind"] == "Deployment"]
            for manifest in manifests:
                asked += 1
                why = create(manifest, "?dryRun=All&fieldValidation=Strict")
                if why:
                    refused += 1
                    print(f"claim {i}: {manifest['kind']}: {why}\n{json.dumps(claim, default=str)}")
    print(f"{count} claims, {valid} valid: {asked} objects asked for, {refused} refused")
    if valid < count * LEAST_VALID:
        print("admitted: too few of the claims were valid to prove anything", file=sys.stderr)
        sys.exit(2)
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
