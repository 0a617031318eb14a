"""Tries the admission policies of platform/04-apis at a running kube-apiserver: who may do what, row by row.

Run by scripts/policies.sh. Every refused try must leave the object as it was, to the resourceVersion.
Exit status: 0 every row as expected, 1 not so, 2 could not be tried.
"""

import copy
import json
import os
import pathlib
import re
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER, TOKEN = os.environ["API_SERVER"], os.environ["JUDGE_TOKEN"]
TLS = ssl.create_default_context(cafile=os.environ["API_SERVER_CA"])

ADMIN = None
CROSSPLANE = "system:serviceaccount:crossplane-system:crossplane"
PROVIDER = "system:serviceaccount:crossplane-system:provider-kubernetes"
COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
AUTOSCALER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
KEDA = "system:serviceaccount:keda:keda-operator"
DEVELOPER = "system:serviceaccount:shop:developer"  # all verbs on every kind here
GLASS = "system:serviceaccount:shop:break-glass"  # the same, and the right to override

OWNERSHIP, CONTENTS, AUTHORS, CLAIMS = (
    "eventdrivenservice-" + name for name in ("ownership", "contents", "authors", "claim-names"))
SECRETS = "provider-kubernetes-event-driven-services"

KINDS = {
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Service": ("/api/v1", "services"),
    "Secret": ("/api/v1", "secrets"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ScaledObject": ("/apis/keda.sh/v1alpha1", "scaledobjects"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "Object": ("/apis/kubernetes.crossplane.io/v1alpha2", "objects"),
    "ObservedObjectCollection": ("/apis/kubernetes.crossplane.io/v1alpha1", "observedobjectcollections"),
    "XEventDrivenService": ("/apis/platform.bizmatters.io/v1alpha1", "xeventdrivenservices"),
    "EventDrivenService": ("/apis/platform.bizmatters.io/v1alpha1", "eventdrivenservices"),
}
CLUSTER_SCOPED = {"Object", "ObservedObjectCollection", "XEventDrivenService"}
MADE = ["ServiceAccount", "Service", "Deployment", "ScaledObject", "PodDisruptionBudget"]
JSON = "application/json"


def call(method, path, body=None, who=ADMIN, kind=JSON, **query):
    """One request, as whoever; the status and the answer."""
    headers = {"Authorization": "Bearer " + TOKEN, "Content-Type": kind, "Accept": JSON}
    if who is not None:
        headers["Impersonate-User"] = who
    url = SERVER + path + ("?" + urllib.parse.urlencode(query) if query else "")
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    if who is not None:
        # urllib keeps one header of a name; the groups follow from the account.
        request.add_unredirected_header("Impersonate-Group", "system:serviceaccounts")
    try:
        with urllib.request.urlopen(request, context=TLS, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        text = error.read()
        try:
            return error.code, json.loads(text)
        except ValueError:
            return error.code, {"message": text.decode(errors="replace")}


def path_of(obj, named=True):
    kind = obj["kind"]
    base, plural = KINDS[kind]
    namespace = "" if kind in CLUSTER_SCOPED else "/namespaces/" + obj["metadata"]["namespace"]
    return f"{base}{namespace}/{plural}" + ("/" + obj["metadata"]["name"] if named else "")


def version_of(kind):
    return KINDS[kind][0].removeprefix("/apis/").removeprefix("/api/")


def thing(kind, name="orders", namespace="shop", **metadata):
    """A manifest as the Composition makes it, or its like."""
    metadata = {"name": name + ("-scaler" if kind == "ScaledObject" else ""), **metadata}
    if kind not in CLUSTER_SCOPED:
        metadata["namespace"] = namespace
    obj = {"apiVersion": version_of(kind), "kind": kind, "metadata": metadata}
    if kind == "ServiceAccount":
        # Who applies no field leaves no record.
        obj["automountServiceAccountToken"] = False
    elif kind == "Service":
        obj["spec"] = {"selector": {"app": name}, "ports": [{"port": 8080}]}
    elif kind == "Deployment":
        obj["spec"] = {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"serviceAccountName": name, "containers": [{"name": "main", "image": "x:1"}]},
            },
        }
    elif kind == "PodDisruptionBudget":
        obj["spec"] = {"minAvailable": 1, "selector": {"matchLabels": {"app": name}}}
    elif kind == "ScaledObject":
        obj["spec"] = {"scaleTargetRef": {"name": name}, "maxReplicaCount": 3}
    elif kind == "Object":
        obj["spec"] = {
            "providerConfigRef": {"name": "kubernetes-provider"},
            "forProvider": {"manifest": thing("Service", namespace=namespace)},
        }
    elif kind == "XEventDrivenService":
        obj["spec"] = {"image": "x:1", "claimRef": {"name": name, "namespace": namespace}}
    return obj


def with_pod(**fields):
    obj = thing("Deployment")
    obj["spec"]["template"]["spec"].update(fields)
    return obj


def with_container(**fields):
    return with_pod(containers=[{"name": "main", "image": "x:1", **fields}])


def with_spec(kind, **fields):
    obj = thing(kind)
    obj["spec"].update(fields)
    return obj


# What can be done to an object: each gives status and answer.
def create(obj, who, **query):
    return call("POST", path_of(obj, named=False), obj, who, **query)


def apply(manager, sub="", force="true", **query):
    def run(obj, who):
        return call("PATCH", path_of(obj) + sub, obj, who, "application/apply-patch+yaml",
                    fieldManager=manager, force=force, **query)
    return run


def patch(body, kind="merge-patch", sub="", **query):
    return lambda obj, who: call("PATCH", path_of(obj) + sub, body, who, f"application/{kind}+json", **query)


def put(change=lambda obj: None, sub="", **query):
    def run(obj, who):
        status, live = call("GET", path_of(obj) + sub)
        if status != 200:
            return status, live
        change(live)
        return call("PUT", path_of(obj) + sub, live, who, **query)
    return run


def delete(body=None, **query):
    return lambda obj, who: call("DELETE", path_of(obj), body, who, **query)


def delete_all(obj, who):
    return call("DELETE", path_of(obj, named=False), None, who)


def token(obj, who):
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    return call("POST", path_of(obj) + "/token", request, who)


LABEL = {"metadata": {"labels": {"touched": "yes"}}}
ADD_LABEL = [{"op": "add", "path": "/metadata/annotations", "value": {"touched": "yes"}}]


def touch(live):
    live["metadata"]["annotations"] = {"touched": "yes"}


# The ways in which an account could change or take an object, by kind.
def tries(kind, manager):
    yield "server-side apply, forced", apply(manager)
    yield "server-side apply", apply(manager, force="false")
    yield "server-side apply, dry run", apply(manager, dryRun="All")
    yield "server-side apply in the name of its maker", apply("kubectl")
    yield "server-side apply in the other's name", apply("before-first-apply")
    yield "merge patch", patch(LABEL)
    yield "merge patch with our field manager", patch(LABEL, fieldManager=manager)
    yield "json patch", patch(ADD_LABEL, "json-patch")
    if kind != "ScaledObject":
        yield "strategic merge patch", patch(LABEL, "strategic-merge-patch")
    yield "update", put(touch)
    yield "update that takes the managed fields away", put(lambda o: o["metadata"].update(managedFields=[{}]))
    yield "delete", delete()
    yield "delete in the foreground", delete({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"})
    yield "delete, dry run", delete(dryRun="All")
    yield "deletecollection", delete_all
    if kind != "ServiceAccount":
        yield "status", patch({"status": {"conditions": []}}, sub="/status")
        yield "status, applied", apply(manager, "/status")
    if kind == "Deployment":
        yield "scale", patch({"spec": {"replicas": 0}}, sub="/scale")
        yield "scale, updated", put(lambda o: o["spec"].update(replicas=0), "/scale")
    if kind == "ServiceAccount":
        yield "token", token


OURS = "provider-kubernetes/orders-x7k2p-1"
COMPOSED = "apiextensions.crossplane.io/composed/0a1b"
MANAGER = {PROVIDER: OURS, CROSSPLANE: COMPOSED}
FORGED = {
    "labels": {
        "app.kubernetes.io/managed-by": "crossplane", "crossplane.io/composite": "orders-x7k2p",
        "crossplane.io/claim-name": "orders", "crossplane.io/claim-namespace": "shop",
    },
    "annotations": {"crossplane.io/composition-resource-name": "service"},
}

failures = []
rows = 0


def row(what, expect, answer):
    """`expect`: None where it must succeed, else the policy that must refuse it."""
    global rows
    rows += 1
    status, said = answer
    message = str(said.get("message", ""))
    policy = re.search(r"ValidatingAdmissionPolicy '([^']+)'", message)
    found = None if status < 300 else policy.group(1) if policy else f"{status}: {message}"
    if found != expect:
        failures.append(f"{what}: {found or 'allowed'} instead of {expect or 'allowed'}"
                        + (f": {message}" if policy else ""))


def fresh(kind, who=ADMIN, manager="kubectl", **metadata):
    """The object made anew: by a person, or applied by an account."""
    obj = thing(kind, **metadata)
    gone = call("DELETE", path_of(obj), {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
    if gone[0] not in (200, 404) or call("GET", path_of(obj))[0] != 404:
        raise RuntimeError(f"cannot delete {kind}: {gone[1]}, {call('GET', path_of(obj))}")
    status, live = (create(obj, who, fieldManager=manager) if who is ADMIN else apply(manager)(obj, who))
    if status >= 300:
        raise RuntimeError(f"cannot make {kind}: {live}")
    return obj


def unchanged(what, obj, before):
    _, after = call("GET", path_of(obj))
    if after != before:
        failures.append(f"{what}: refused, and yet it changed")


def foreign_objects():
    for who in (PROVIDER, CROSSPLANE):
        for kind in MADE:
            for metadata in ({}, FORGED):
                obj = fresh(kind, **copy.deepcopy(metadata))
                _, before = call("GET", path_of(obj))
                for name, attempt in tries(kind, MANAGER[who]):
                    what = f"{who.split(':')[-1]}, foreign {kind}{' (forged)' if metadata else ''}, {name}"
                    row(what, OWNERSHIP, attempt(obj, who))
                    unchanged(what, obj, before)


def own_objects():
    other = {PROVIDER: "provider-kubernetes/other-abcde-1", CROSSPLANE: "apiextensions.crossplane.io/composed/ffff"}
    for who, stranger in ((PROVIDER, CROSSPLANE), (CROSSPLANE, PROVIDER)):
        short = who.split(":")[-1]
        for kind in MADE:
            obj = thing(kind)
            call("DELETE", path_of(obj))
            row(f"{short}, {kind}, create", None, apply(MANAGER[who])(obj, who))
            row(f"{short}, {kind}, dry run", None, apply(MANAGER[who], dryRun="All")(obj, who))
            changed = thing(kind, labels={"a": "b"})
            row(f"{short}, {kind}, apply again", None, apply(MANAGER[who])(changed, who))
            row(f"{short}, {kind}, by another Object or composite", OWNERSHIP, apply(other[who])(changed, who))
            row(f"{stranger.split(':')[-1]}, {kind} of {short}, apply", OWNERSHIP, apply(MANAGER[stranger])(changed, stranger))
            row(f"{stranger.split(':')[-1]}, {kind} of {short}, delete", OWNERSHIP, delete()(obj, stranger))
            # Crossplane takes its labels off before it deletes.
            row(f"{short}, {kind}, update", None, put(touch, fieldManager="crossplane")(obj, who))
            row(f"{short}, {kind}, delete", None, delete()(obj, who))
            # Released by its claim, taken by a person who strips the record.
            obj = fresh(kind, who, MANAGER[who])
            put(lambda o: o["metadata"].update(managedFields=[{}]))(obj, ADMIN)
            row(f"{short}, {kind} without its record, apply", OWNERSHIP, apply(MANAGER[who])(changed, who))


def handed_over():
    for who in (PROVIDER, CROSSPLANE):
        short = who.split(":")[-1]
        for kind in MADE:
            adopt = {"platform.bizmatters.io/adopt": "orders"}
            for annotations, expect in (
                (adopt, None),
                ({"platform.bizmatters.io/adopt": "other"}, OWNERSHIP),
                ({"platform.bizmatters.io/adopt": "orders-scaler"}, OWNERSHIP),
                ({"platform.bizmatters.io/adopt": ""}, OWNERSHIP),
                ({"adopt": "orders"}, OWNERSHIP),
            ):
                obj = fresh(kind, annotations=annotations)
                row(f"{short}, {kind} with {annotations}, apply", expect, apply(MANAGER[who])(obj, who))
                row(f"{short}, {kind} with {annotations}, delete", expect, delete()(obj, who))
            # Who may not write the object cannot hand it over.
            obj = fresh(kind)
            row(f"{short}, {kind}, writes the annotation itself", OWNERSHIP,
                patch({"metadata": {"annotations": adopt}})(obj, who))
    for kind in MADE:
        keep = {"platform.bizmatters.io/adopt": "orders", "platform.bizmatters.io/on-delete": "keep"}
        obj = fresh(kind, annotations=keep)
        row(f"provider, kept {kind}, apply", None, apply(OURS)(obj, PROVIDER))
        row(f"provider, kept {kind}, delete", OWNERSHIP, delete()(obj, PROVIDER))
        row(f"provider, kept {kind}, deletecollection", OWNERSHIP, delete_all(obj, PROVIDER))
        row(f"a person, kept {kind}, delete", None, delete()(obj, DEVELOPER))


def others_are_not_concerned():
    for kind in MADE:
        obj = fresh(kind)
        row(f"developer, {kind}, patch", None, patch(LABEL)(obj, DEVELOPER))
        row(f"garbage collector, {kind}, delete", None, delete()(obj, COLLECTOR))
    obj = fresh("Deployment")
    for who in (AUTOSCALER, KEDA):
        row(f"{who}, scale", None, patch({"spec": {"replicas": 2}}, sub="/scale")(obj, who))
    row("KEDA, its ScaledObject", None, patch({"metadata": {"finalizers": ["finalizer.keda.sh/x"]}})(fresh("ScaledObject"), KEDA))
    patch({"metadata": {"finalizers": None}})(thing("ScaledObject"), ADMIN)
    # What Crossplane makes of its packages.
    for kind in ("ServiceAccount", "Service", "Deployment"):
        obj = fresh(kind, name="package", namespace="crossplane-system")
        row(f"crossplane, its package's {kind}", None, patch(LABEL, fieldManager="crossplane")(obj, CROSSPLANE))
        row(f"provider, a package's {kind}", OWNERSHIP, patch(LABEL)(obj, PROVIDER))


def contents():
    bad = {"privileged": True}
    refused = [
        with_pod(hostPID=True), with_pod(hostNetwork=True), with_pod(hostIPC=True),
        with_pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
        with_container(securityContext=bad),
        with_container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
        with_container(ports=[{"containerPort": 80, "hostPort": 80}]),
        with_pod(initContainers=[{"name": "i", "image": "x:1", "securityContext": bad}]),
        with_pod(serviceAccountName="default"), with_pod(serviceAccountName="keda-operator"),
        with_pod(serviceAccountName=None),
        with_pod(priorityClassName="system-node-critical"),
        with_pod(tolerations=[{"operator": "Exists"}]),
        with_pod(tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]),
        with_spec("Service", type="LoadBalancer"), with_spec("Service", type="NodePort"),
        with_spec("Service", type="ExternalName", externalName="example.com"),
        with_spec("Service", externalIPs=["10.9.8.7"]),
    ] + [thing(kind, namespace=ns) for kind in MADE for ns in ("kube-system", "kube-public", "crossplane-system", "keda")]
    allowed = [
        with_pod(volumes=[{"name": "v", "emptyDir": {}}]),
        with_pod(tolerations=[{"key": "dedicated", "operator": "Exists"}]),
        with_container(securityContext={"privileged": False, "capabilities": {"drop": ["ALL"]}}),
        with_spec("Service", type="ClusterIP"),
    ] + [thing(kind) for kind in MADE]
    # The composite of a claim, and that of the namespaced form.
    owners = [[{"apiVersion": "platform.bizmatters.io/v1alpha1", "kind": kind, "name": "o", "uid": "u", "controller": True}]
              for kind in ("XEventDrivenService", "EventDrivenService")]
    for expect, objects in ((CONTENTS, refused), (None, allowed)):
        for obj in objects:
            name = json.dumps(obj.get("spec", obj["metadata"]))[:150]
            call("DELETE", path_of(obj))
            row(f"provider writes {obj['kind']} {name}", expect, apply(OURS)(obj, PROVIDER))
            call("DELETE", path_of(obj))
            for owner in owners:
                owned = copy.deepcopy(obj)
                owned["metadata"]["ownerReferences"] = owner
                row(f"crossplane writes {obj['kind']} {name} of a {owner[0]['kind']}", expect,
                    apply(COMPOSED)(owned, CROSSPLANE))
                call("DELETE", path_of(obj))
    # Not at first, but later; and for an API that is not ours.
    obj = fresh("Deployment", PROVIDER, OURS)
    row("provider changes to hostPID", CONTENTS, apply(OURS)(with_pod(hostPID=True), PROVIDER))
    call("DELETE", path_of(obj))
    row("crossplane, another API", None, apply(COMPOSED)(with_pod(hostPID=True), CROSSPLANE))
    call("DELETE", path_of(obj))
    row("provider writes a Secret", SECRETS, apply(OURS)(thing("Secret"), PROVIDER))


def authors():
    spec = {"spec": {"providerConfigRef": {"name": "other"}}}
    for kind in ("Object", "ObservedObjectCollection", "XEventDrivenService"):
        obj = thing(kind)
        for who in (DEVELOPER, PROVIDER, KEDA):
            row(f"{who}, create {kind}", AUTHORS, create(obj, who))
            row(f"{who}, apply new {kind}", AUTHORS, apply("crossplane")(obj, who))
        row(f"crossplane, create {kind}", None, create(obj, CROSSPLANE))
        for who in (DEVELOPER, KEDA) + ((PROVIDER,) if kind == "XEventDrivenService" else ()):
            _, before = call("GET", path_of(obj))
            for name, attempt in (
                ("patch", patch(LABEL)), ("json patch", patch(ADD_LABEL, "json-patch")), ("update", put(touch)),
                ("server-side apply", apply("apiextensions.crossplane.io/composite")),
                ("status", patch({"status": {"a": 1}}, sub="/status")), ("delete", delete()), ("deletecollection", delete_all),
            ):
                row(f"{who}, {kind}, {name}", AUTHORS, attempt(obj, who))
                unchanged(f"{who}, {kind}, {name}", obj, before)
        if kind == "Object":
            row("provider, Object, finalizer", None, patch({"metadata": {"finalizers": ["example.com/x"]}})(obj, PROVIDER))
            row("provider, Object, no finalizer", None, patch({"metadata": {"finalizers": None}})(obj, PROVIDER))
            row("provider, Object, status", None, patch({"status": {"a": 1}}, sub="/status")(obj, PROVIDER))
            row("provider, Object, spec", AUTHORS, patch(spec)(obj, PROVIDER))
            row("provider, Object, delete", AUTHORS, delete()(obj, PROVIDER))
        row(f"crossplane, {kind}, patch", None, patch(LABEL)(obj, CROSSPLANE))
        row(f"crossplane, {kind}, status", None, patch({"status": {"b": 1}}, sub="/status")(obj, CROSSPLANE))
        row(f"crossplane, {kind}, delete", None, delete()(obj, CROSSPLANE))
        for who in (GLASS, ADMIN):
            row(f"{who or 'system:masters'}, create {kind}", None, create(obj, who))
            row(f"{who or 'system:masters'}, delete {kind}", None, delete()(obj, who))
        create(obj, ADMIN)
        row(f"garbage collector, {kind}, delete", None, delete()(obj, COLLECTOR))
    secret = thing("Object")
    secret["spec"]["forProvider"]["manifest"] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}}
    row("crossplane, an Object that reads a Secret", AUTHORS, create(secret, CROSSPLANE))
    for namespace in ("kube-system", "crossplane-system", "keda"):
        row(f"crossplane, an Object in {namespace}", AUTHORS, create(thing("Object", namespace=namespace), CROSSPLANE))
        row(f"crossplane, a composite for {namespace}", AUTHORS, create(thing("XEventDrivenService", namespace=namespace), CROSSPLANE))
    composite = thing("XEventDrivenService")
    create(composite, CROSSPLANE)
    for claim in ({"name": "other"}, {"namespace": "other"}, None):
        row(f"crossplane, a composite's claim becomes {claim}", AUTHORS, patch({"spec": {"claimRef": claim}})(composite, CROSSPLANE))
    call("DELETE", path_of(composite))


def references():
    """In the namespaced form people write composites; what Crossplane made for them they do not."""
    refs = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders"}]
    more = refs + [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "billing"}]
    says = lambda refs: {"spec": {"crossplane": {"resourceRefs": refs}}}
    service = thing("EventDrivenService")
    service["spec"] = {"image": "x:1"}
    forged = copy.deepcopy(service)
    forged["spec"].update(says(refs)["spec"])
    for who in (DEVELOPER, PROVIDER, KEDA):
        row(f"{who}, create with references", AUTHORS, create(forged, who))
        row(f"{who}, apply with references", AUTHORS, apply("crossplane")(forged, who))
    row("developer, create", None, create(service, DEVELOPER))
    for name, attempt in (("patch", patch(says(refs))), ("apply", apply("kubectl")), ("update", put(lambda o: o["spec"].update(says(refs)["spec"])))):
        row(f"developer, {name} with references", AUTHORS, attempt(forged, DEVELOPER))
    row("crossplane, references", None, patch(says(refs))(service, CROSSPLANE))
    row("developer, another image", None, patch({"spec": {"image": "x:2"}})(service, DEVELOPER))
    row("developer, another Composition", None, patch({"spec": {"crossplane": {"compositionRef": {"name": "other"}}}})(service, DEVELOPER))
    row("developer, update as it is", None, put(touch)(service, DEVELOPER))
    row("developer, one reference more", AUTHORS, patch(says(more))(service, DEVELOPER))
    row("developer, another reference", AUTHORS, patch(says(more[1:]))(service, DEVELOPER))
    # As kubectl replace does: Crossplane finds them again.
    row("developer, none", None, patch(says(None))(service, DEVELOPER))
    row("break-glass, references", None, patch(says(more))(service, GLASS))
    row("developer, delete", None, delete()(service, DEVELOPER))


def claim_names():
    for name, namespace, expect in (
        ("orders", "shop", None), ("default", "shop", CLAIMS), ("kubernetes", "shop", CLAIMS), ("kubernetes", "default", CLAIMS),
        ("default-orders", "shop", None), ("orders", "kube-system", CLAIMS), ("orders", "kube-public", CLAIMS),
        ("orders", "crossplane-system", CLAIMS), ("orders", "keda", CLAIMS), ("o" * 57, "shop", CLAIMS),
    ):
        claim = thing("EventDrivenService", name=name, namespace=namespace)
        row(f"developer, claim {namespace}/{name}", expect, create(claim, DEVELOPER))
        row(f"developer, claim {namespace}/{name}, applied", expect, apply("kubectl")(claim, DEVELOPER))


def crd(kind):
    group_version = version_of(kind)
    group, version = group_version.split("/")
    plural = KINDS[kind][1]
    open_ = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group, "scope": "Cluster" if kind in CLUSTER_SCOPED else "Namespaced",
            "names": {"kind": kind, "listKind": kind + "List", "plural": plural, "singular": kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "subresources": {"status": {}},
                          "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": open_, "status": open_}}}}],
        },
    }


def install():
    """Kinds, accounts and policies; returns when the policies act."""
    def must(answer):
        if answer[0] >= 300:
            raise RuntimeError(f"cannot set up: {answer[1]}")
    # Policies look the namespace up.
    for name in ("shop", "keda", "crossplane-system"):
        must(call("POST", "/api/v1/namespaces", {"metadata": {"name": name}}))
    for kind in KINDS:
        if "." in KINDS[kind][0]:
            must(call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd(kind)))
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    groups = ["", "apps", "keda.sh", "policy", "kubernetes.crossplane.io"]
    rules = [{"apiGroups": groups, "resources": ["*"], "verbs": ["*"]},
             {"apiGroups": ["platform.bizmatters.io"], "verbs": ["*"],
              "resources": ["xeventdrivenservices", "xeventdrivenservices/status", "eventdrivenservices"]}]
    must(call("POST", rbac + "/clusterroles", {"metadata": {"name": "writers"}, "rules": rules}))
    override = [{"apiGroups": ["platform.bizmatters.io"], "resources": ["ownership"], "verbs": ["override"]}]
    must(call("POST", rbac + "/clusterroles", {"metadata": {"name": "glass"}, "rules": override}))
    for name, subjects in (("writers", [CROSSPLANE, PROVIDER, COLLECTOR, AUTOSCALER, KEDA, DEVELOPER, GLASS]), ("glass", [GLASS])):
        must(call("POST", rbac + "/clusterrolebindings", {
            "metadata": {"name": name}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": s} for s in subjects]}))
    policies = set()
    for file in ("functions/ownership.yaml", "functions/provider-kubernetes.yaml", "definitions/claim-names.yaml"):
        for document in (ROOT / "platform/04-apis" / file).read_text().split("\n---\n"):
            kind = re.search(r"^kind: (ValidatingAdmissionPolicy(?:Binding)?)$", document, re.M)
            if kind is None:
                continue
            plural = {"ValidatingAdmissionPolicy": "validatingadmissionpolicies"}.get(kind.group(1), "validatingadmissionpolicybindings")
            status, made = call("POST", "/apis/admissionregistration.k8s.io/v1/" + plural, document.encode(), kind="application/yaml")
            must((status, made))
            if plural == "validatingadmissionpolicies":
                policies.add(made["metadata"]["name"])
    if policies != {OWNERSHIP, CONTENTS, AUTHORS, CLAIMS, SECRETS}:
        raise RuntimeError(f"found {sorted(policies)}")
    probes = (
        lambda: apply(OURS)(fresh("Service"), PROVIDER),
        lambda: apply(OURS, dryRun="All")(thing("Service", namespace="keda"), PROVIDER),
        lambda: create(thing("Object", name="probe"), DEVELOPER, dryRun="All"),
        lambda: create(thing("EventDrivenService", name="default"), DEVELOPER, dryRun="All"),
        lambda: create(thing("Secret"), PROVIDER, dryRun="All"),
    )
    deadline = time.monotonic() + 60
    while any("ValidatingAdmissionPolicy" not in str(probe()[1].get("message", "")) for probe in probes):
        if time.monotonic() > deadline:
            raise RuntimeError("they do not act within 60 s")
        time.sleep(0.5)


def main():
    install()
    for part in (foreign_objects, own_objects, handed_over, others_are_not_concerned, contents, authors, references, claim_names):
        before = rows
        part()
        print(f"{part.__name__.replace('_', ' ')}: {rows - before} rows")
    for failure in failures:
        print("not so: " + failure)
    print(f"{rows} rows, {len(failures)} not as expected")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        code = main()
    except (OSError, RuntimeError) as error:
        print("\n".join(failures))
        print(f"policies: {error}", file=sys.stderr)
        code = 2
    sys.exit(code)
