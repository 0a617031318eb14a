#!/usr/bin/env python3
"""Writes claims for the judge and eds to disagree about: mutations of valid ones.

    claims.py SEED COUNT FOLDER FILE...

Reads the FILEs (YAML claims), and writes COUNT files into FOLDER, each a claim with one to three
mutations: values of other types, values around every bound, names that are nearly right, fields
that are gone, doubled, null, or unknown, duplicates across lists. The same seed gives the same files.
Needs PyYAML. Files are JSON, so that every reader sees the same values.
"""
import copy
import json
import random
import sys

import yaml

TEXTS = ["", " ", "a", "A", "a.b", "a b", "a/b", "a*", ">", "é", "日本", "x" * 56, "x" * 57, "x" * 62,
         "x" * 63, "x" * 64, "x" * 253, "x" * 255, "x" * 256, "-a", "a-", "1a", "$SYS", "$G", "true", "10",
         "nats://a:4222", "nats://a:4222,tls://b:1", "http://a", "a:8222", "a:123456", "[::1]:8222",
         "a.nats.svc:8222", "a.b.nats.svc.cluster.local:1", "a.nats.svc:65536", "a.b.svc:8222", "nats:///a:1",
         "nats://a:99999", "nats://u@:1", "nats://a:4222/", "A;B", "A=B@C",
         "registry:5000/a", "a/b:c@sha256:" + "0" * 64, "a:b:c", "UPPER/a", "a//b", "a@sha256:12", "small",
         "Medium", "NATS_URL", "NATS_STREAM_NAME", "A=B", ".a", "..a", "a\nb", "a\tb", "a\u0000b",
         "100m", "256Mi", "4Mi", "1Mi", "512m", "0", "0Mi", "1e3", "1.5Gi", "-1", "50%", "0%", "100%", "101%",
         "/etc/a", "/etc/a/b", "/", "/a/", "/a/../b", "/proc/x", "/run/secrets/x", "/var", "/run/eds", "0 7 * * *",
         "0 7 * *", "Europe/Berlin", "UTC", "metadata.name", "metadata.labels['a/b']", "status.podIP",
         "spec.containers", "30s", "1h30m", "0s", "Retain", "Delete", "Exists", "system-node-critical", "hard",
         "node-role.kubernetes.io/control-plane", "https://a.nats.svc:8222", "A" + "B" * 55, "NATS_CREDS", "NATS_CA",
         "x" * 512, "x" * 513, "Background", "Foreground", "Automatic", "0.5", "null"]
NUMBERS = [-1, 0, 1, 2, 5, 9, 10, 11, 999, 1000, 1001, 3600, 3601, 86400, 86401, 1000000000,
           1000000001, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 1.0, 1.5, -0.0, 1e20, 0.1]
OTHERS = [None, True, False, [], {}, [None], [[]], {"a": 1}, [1], ["a"], [{}]]
FIELDS = ["size", "image", "env", "secretRefs", "scaling", "initContainer", "imagePullSecrets", "nats",
          "stream", "name", "value", "envName", "secretKey", "command", "args", "minReplicas",
          "maxReplicas", "cooldownPeriod", "sise", "x-y", "labels", "annotations", "finalizers",
          "ownerReferences", "compositeDeletePolicy", "compositionRef", "writeConnectionSecretToRef",
          "resourceRef", "compositionSelector", "terminationGracePeriodSeconds", "creationTimestamp",
          "generateName", "namespace", "generation", "uid", "status", "resources", "health", "http", "port",
          "livenessCommand", "startupSeconds", "lifecycle", "files", "configMapRefs", "valueFrom", "secret",
          "configMap", "paused", "pausedReplicas", "minAvailable", "maxUnavailable", "kubernetes.io/arch",
          "app.kubernetes.io/part-of", "a.keda.sh/b", "keda.sh/a", "pod-template-hash", "a/b/c", "io.kubernetes.x",
          "prometheus.io/scrape", "sleep", "exec", "key", "operator", "create", "tls", "domain", "accountID"]


def places(value, at=()):
    """Every place in a value, with its parent."""
    found = []
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return found
    for key, child in items:
        found.append((value, key))
        found += places(child, (*at, key))
    return found


def any_value(rng):
    return copy.deepcopy(rng.choice([*TEXTS, *NUMBERS, *OTHERS]))


def near(rng, value):
    """A value that is nearly the one that stands there."""
    if isinstance(value, str) and value:
        i = rng.randrange(len(value))
        return rng.choice([value[:i] + value[i + 1:], value[:i] + value[i] + value[i:], value.upper(),
                           value.title(), value + rng.choice([" ", ".", "-", "/", ":", "\n", "x" * 60]),
                           rng.choice([" ", "-", ".", "_"]) + value, value * 20])
    if isinstance(value, bool):
        return rng.choice([str(value).lower(), int(value), not value])
    if isinstance(value, (int, float)):
        return rng.choice([str(value), value + 1, value - 1, -value, value * 1000, float(value), value + 0.5])
    if isinstance(value, list):
        return rng.choice([value * 2, value * 20, value[:1], [*value, copy.deepcopy(rng.choice(TEXTS))],
                           dict(enumerate(map(str, value)))])
    if isinstance(value, dict):
        return rng.choice([[value], list(value), {**value, rng.choice(FIELDS): any_value(rng)}])
    return any_value(rng)


def mutate(rng, claim):
    found = [p for p in places(claim) if p[1] not in ("apiVersion", "kind")]
    if not found:
        return
    parent, key = rng.choice(found)
    how = rng.randrange(7)
    if how == 0:
        del parent[key]
    elif how == 1:
        parent[key] = any_value(rng)
    elif how == 2:
        parent[key] = near(rng, parent[key])
    elif how == 3:
        parent[key] = rng.choice(TEXTS) if isinstance(parent[key], str) else rng.choice(NUMBERS)
    elif how == 4 and isinstance(parent, dict):
        parent[rng.choice(FIELDS)] = any_value(rng)
    elif how == 5 and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    else:
        parent[key] = copy.deepcopy(rng.choice([p[0][p[1]] for p in places(claim)]))


def main():
    seed, count, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    rng = random.Random(seed)
    seeds = []
    for file in sys.argv[4:]:
        with open(file, encoding="utf-8") as text:
            seeds += [d for d in yaml.safe_load_all(text) if d and d.get("kind") == "EventDrivenService"]
    for i in range(count):
        claim = copy.deepcopy(rng.choice(seeds))
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            mutate(rng, claim)
        with open(f"{folder}/{i:05}.json", "w", encoding="utf-8") as out:
            json.dump(claim, out, indent=1, default=str)


if __name__ == "__main__":
    main()
