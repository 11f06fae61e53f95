"""Rights as sets, from wherever they are written: roles, the table in docs/install.md, and the API server's word.

A right is API group, resource with its subresource, and verb. `asked` puts many questions to the API server at once,
as SubjectAccessReviews: what `kubectl auth can-i --as` asks one by one.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tests.chart.helm import ROOT, Manifest
from tests.controlplane.kubectl import Kubectl

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES = (
    *(("gpuinstance.dev", it) for it in ("gpuinstances", "instanceupgrades")),
    *(("gpuinstance.dev", f"{it}/status") for it in ("gpuinstances", "instanceupgrades")),
    *(("gpuinstance.dev", f"{it}/finalizers") for it in ("gpuinstances", "instanceupgrades")),
    *(("", it) for it in ("secrets", "configmaps", "services", "endpoints", "events", "namespaces", "pods")),
    *(("", it) for it in ("pods/exec", "pods/log", "serviceaccounts", "serviceaccounts/token", "nodes")),
    *(("", it) for it in ("persistentvolumes", "namespaces/finalize", "services/proxy")),
    ("discovery.k8s.io", "endpointslices"),
    ("events.k8s.io", "events"),
    ("coordination.k8s.io", "leases"),
    *(("apps", it) for it in ("deployments", "daemonsets")),
    ("batch", "jobs"),
    *(("rbac.authorization.k8s.io", it) for it in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("certificates.k8s.io", "certificatesigningrequests"),
)
"""What the operator uses, what stands beside it, and what a thief would like."""
_ROW = re.compile(r"^\| (core|`[\w.]+`) \| `([\w/]+)` \| ([a-z, ]+) \|", re.MULTILINE)


class Right(NamedTuple):
    """One verb on one resource; with subresource, if any, as `pods/log`."""

    group: str
    resource: str
    verb: str


EVERY_RIGHT = tuple(Right(*resource, verb) for resource, verb in itertools.product(RESOURCES, VERBS))


def granted(role: Manifest) -> set[Right]:
    """Return what a role allows without naming objects. Raises AssertionError where it has a wildcard."""
    found = set()
    for rule in role["rules"]:
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"]), "no wildcards"
        if "resourceNames" not in rule:
            found |= {Right(*it) for it in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])}
    return found


def documented() -> set[Right]:
    """Return what the table in docs/install.md says."""
    rows = _ROW.findall((ROOT / "docs/install.md").read_text())
    return {
        Right("" if group == "core" else group.strip("`"), resource, verb)
        for group, resource, verbs in rows
        for verb in verbs.split(", ")
    }


def asked(
    kubectl: Kubectl, user: str, rights: Iterable[Right], namespace: str | None, groups: Sequence[str] = ()
) -> set[Right]:
    """Return those of the rights that the API server says the user has, in a namespace; None: in all of them."""
    rights = list(rights)
    reviews = [_review(user, right, namespace, groups) for right in rights]
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    answers = kubectl("create", "-f", "-", "-o", 'jsonpath={.status.allowed}{"\\n"}', stdin=body).split()
    return {right for right, answer in zip(rights, answers, strict=True) if answer == "true"}


def _review(user: str, right: Right, namespace: str | None, groups: Sequence[str]) -> Manifest:
    resource, _, subresource = right.resource.partition("/")
    attributes = {"group": right.group, "resource": resource, "verb": right.verb, "subresource": subresource}
    if namespace is not None:
        attributes["namespace"] = namespace
    spec = {"user": user, "groups": list(groups), "resourceAttributes": attributes}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
