"""deploy/rbac.yaml is enough for the operator's whole job, and no more than that."""

from __future__ import annotations

import pytest

from tests.controlplane import audit
from tests.controlplane.kubectl import Kubectl
from tests.rig.stack import ROOT, SERVICE_ACCOUNT, Stack

pytestmark = pytest.mark.cluster

GRANTED = {
    ("list", "gpuinstances"),
    ("watch", "gpuinstances"),
    ("get", "gpuinstances"),
    ("patch", "gpuinstances"),
    ("delete", "gpuinstances"),
    ("patch", "gpuinstances/status"),
    ("list", "instanceupgrades"),
    ("watch", "instanceupgrades"),
    ("get", "instanceupgrades"),
    ("patch", "instanceupgrades"),
    ("delete", "instanceupgrades"),
    ("patch", "instanceupgrades/status"),
    ("get", "secrets"),
    ("get", "configmaps"),
    ("get", "namespaces"),
    ("create", "events"),
    *((verb, kind) for verb in ("get", "create", "patch", "delete") for kind in ("secrets", "services")),
    *((verb, "endpointslices") for verb in ("list", "create", "patch", "delete")),
}
DENIED = {
    ("create", "gpuinstances"),
    ("update", "gpuinstances"),
    ("create", "instanceupgrades"),
    ("update", "instanceupgrades"),
    ("list", "secrets"),
    ("watch", "secrets"),
    ("list", "configmaps"),
    ("update", "secrets"),
    ("deletecollection", "secrets"),
    ("list", "services"),
    ("watch", "endpointslices"),
    ("create", "pods"),
    ("list", "namespaces"),
    ("watch", "namespaces"),
    ("patch", "namespaces"),
    ("get", "leases"),
    ("list", "leases"),
}


def may(operator: Kubectl, verb: str, resource: str, namespace: str) -> bool:
    kind, _, subresource = resource.partition("/")
    flags = [f"--subresource={subresource}"] if subresource else []
    answer = operator.attempt("auth", "can-i", verb, kind, f"--namespace={namespace}", *flags)
    return answer.stdout.strip() == "yes"


def test_the_operator_may_do_what_it_needs_and_nothing_else(stack: Stack) -> None:
    """Each right that the role grants is there; rights that would be handy for a thief are not."""
    operator = Kubectl(stack.operator_kubeconfig())
    assert {right for right in GRANTED if may(operator, *right, "default")} == GRANTED
    assert {right for right in DENIED if may(operator, *right, "default")} == set()
    lease = ("auth", "can-i", "update", f"leases/{SERVICE_ACCOUNT}", f"--namespace={SERVICE_ACCOUNT}")
    assert operator.attempt(*lease).stdout.strip() == "yes"
    assert may(operator, "create", "leases", SERVICE_ACCOUNT)
    assert may(operator, "list", "leases", SERVICE_ACCOUNT)
    assert may(operator, "update", "leases", SERVICE_ACCOUNT), "those of shards, also of another number"
    assert not may(operator, "delete", "leases", SERVICE_ACCOUNT)


def test_a_role_in_a_namespace_is_enough_to_read_its_budget(stack: Stack, namespace: str) -> None:
    """An operator with rights in some namespaces only reads those Namespaces by their names, and no other."""
    where, who = f"--namespace={namespace}", "system:serviceaccount:somewhere:operator-of-some"
    stack.kubectl("create", "role", "budget", where, "--verb=get", "--resource=namespaces")
    stack.kubectl("create", "rolebinding", "budget", where, "--role=budget", f"--user={who}")
    assert namespace in stack.kubectl("get", "namespace", namespace, f"--as={who}")
    assert stack.kubectl.attempt("get", "namespace", "default", f"--as={who}").returncode != 0
    assert stack.kubectl.attempt("get", "namespaces", f"--as={who}").returncode != 0


def test_a_whole_life_passes_without_a_refusal(stack: Stack, namespace: str) -> None:
    """From apply to deletion the API server refuses the operator nothing, and it writes only what is its own."""
    if stack.cluster.audit_log is None:
        pytest.skip("the audit log of an existing cluster is not ours to read")
    where = f"--namespace={namespace}"
    stack.kubectl("apply", where, "-f", str(ROOT / "deploy" / "examples" / "novita" / "gpuinstance.yaml"))
    stack.kubectl("wait", where, "gpui/trainer", "--for=condition=Ready", "--timeout=60s")
    stack.kubectl("delete", where, "gpui/trainer", "--timeout=60s")
    asked = audit.requests(stack.cluster.audit_log, user=stack.operator_user)
    assert [request for request in asked if request.forbidden] == []
    here = [request for request in asked if request.namespace == namespace]
    written = {request.resource for request in here if request.verb not in audit.READS}
    assert written == {"gpuinstances", "gpuinstances/status", "events"}
