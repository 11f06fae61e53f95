"""What deploy/policies.yaml makes the API server refuse, in words that say what to do; no operator runs here.

Also what happens where a policy is missing, and that policies which stay behind after an uninstall hinder nobody:
these tests take policies and CRDs away, so they keep to a control plane of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.controlplane.cluster import Cluster, LocalCluster
from tests.controlplane.kubectl import Kubectl
from tests.integration.manifests import instance
from tests.integration.world import condition, until
from tests.rig.stack import ROOT, install

pytestmark = pytest.mark.cluster

CRDS = ("gpuinstances.gpuinstance.dev", "instanceupgrades.gpuinstance.dev")
ANNOTATION = "gpuinstance.dev/confirm-deletion"
HELD, RELEASED = '{"metadata":{"finalizers":["example.dev/held"]}}', '{"metadata":{"finalizers":null}}'
UNPROTECTED = '{"spec":{"deletionProtection":false}}'


@pytest.fixture
def admin(api: Kubectl, cluster: Cluster) -> Kubectl:
    """An administrator of a control plane that nobody else needs."""
    if not isinstance(cluster, LocalCluster):
        pytest.skip("it would take CRDs and policies away from an existing cluster")
    return api


@contextmanager
def without(admin: Kubectl, policy: str) -> Iterator[None]:
    """Let the API server do without a policy for a while."""
    admin("delete", "validatingadmissionpolicybinding", policy)
    yield
    admin("apply", "-f", str(ROOT / "deploy" / "policies.yaml"))


@contextmanager
def namespace(admin: Kubectl, name: str) -> Iterator[Kubectl]:
    """Give a namespace with three Secrets and two instances, which two of the Secrets pay for.

    One of the instances is protected.
    """
    admin("create", "namespace", name)
    here = admin.within(name)
    metadata = [{"name": secret} for secret in ("novita-credentials", "own", "unrelated")]
    secrets = [{"apiVersion": "v1", "kind": "Secret", "metadata": it, "stringData": {"apiKey": "x"}} for it in metadata]
    instances = [instance("dear", deletionProtection=True), instance("cheap", credentialsRef={"name": "own"})]
    here("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": secrets + instances}))
    yield here
    here.attempt("patch", "gpui/dear", "--type=merge", "-p", UNPROTECTED)
    admin("delete", "namespace", name, "--ignore-not-found", "--wait=false")


def refusal(kubectl: Kubectl, *arguments: str) -> str:
    """Return in which words a rehearsed deletion is refused, empty if it is not."""
    done = kubectl.attempt("delete", *arguments, "--dry-run=server")
    return done.stderr if done.returncode else ""


def refused(kubectl: Kubectl, *arguments: str) -> Callable[[], str]:
    """Return the same as a condition: a policy takes effect a moment after it was applied."""
    return lambda: refusal(kubectl, *arguments)


def test_a_namespace_with_a_protected_instance_stays(admin: Kubectl) -> None:
    """Whoever deletes it reads which instance is in the way, and how to let it go. Its Secrets are not guarded.

    A Secret that goes by mistake can be created again, as long as the namespace lives.
    """
    with namespace(admin, "protected") as here:
        words = until(refused(admin, "namespace", "protected"), "the policy is in force")
        assert "GPUInstance dear in this namespace has spec.deletionProtection: set it to false before" in words
        assert "cheap" not in words
        assert refusal(here, "secret", "novita-credentials", "own", "unrelated") == ""
        here("patch", "gpui/dear", "--type=merge", "-p", UNPROTECTED)
        until(lambda: not refusal(admin, "namespace", "protected"), "unprotected instances are in nobody's way")


def test_what_a_protected_instance_does_to_a_namespace_without_that_policy(admin: Kubectl) -> None:
    """The deletion is accepted and hangs: the instance lives on, and nothing can be created beside it any more.

    The protection of the instance itself holds against the namespace controller as against everybody else, and
    what pays for the machine is not lost meanwhile.
    """
    with namespace(admin, "hanging") as here, without(admin, "gpuinstance-namespace-protection"):
        until(lambda: not refusal(admin, "namespace", "hanging"), "the policy is not in force")
        admin("delete", "namespace", "hanging", "--wait=false")
        until(lambda: "spec.deletionProtection is true" in complaint(admin, "hanging"), "it says why it hangs")
        assert not deleted(here, "dear")()
        done = here.attempt("create", "secret", "generic", "late", "--from-literal=apiKey=x")
        assert "because it is being terminated" in done.stderr
        assert here("get", "secret", "novita-credentials", "-o", "name")


def complaint(admin: Kubectl, namespace: str) -> str:
    """Return what a namespace says about content that cannot be deleted."""
    status = admin.json("get", "namespace", namespace)["status"]
    return str(condition(status, "NamespaceDeletionContentFailure").get("message", ""))


def deleted(here: Kubectl, name: str) -> Callable[[], bool]:
    """Return the condition that somebody has asked for the deletion of an instance."""
    return lambda: "deletionTimestamp" in here.json("get", f"gpui/{name}")["metadata"]


def test_the_keys_outlive_the_instances_of_a_namespace(admin: Kubectl) -> None:
    """In a namespace that is being deleted the Secrets of its instances go when the instances have gone.

    The default one counts as well as one that an instance names; any other is not concerned.
    """
    with namespace(admin, "ending") as here:
        for name in ("dear", "cheap"):  # held as the operator holds it
            here("patch", f"gpui/{name}", "--type=merge", "-p", HELD)
        here("patch", "gpui/dear", "--type=merge", "-p", UNPROTECTED)
        until(lambda: not refusal(admin, "namespace", "ending"), "the instance is unprotected")
        admin("delete", "namespace", "ending", "--wait=false")
        words = until(refused(here, "secret", "own"), "the Secret is held")
        assert "the API key that removes the machine of GPUInstance cheap, and goes when that has gone" in words
        assert "GPUInstance dear" in refusal(here, "secret", "novita-credentials")
        assert refusal(here, "secret", "unrelated", "--ignore-not-found") == ""
        until(lambda: "the API key" in complaint(admin, "ending"), "the namespace says what it waits for")
        for name in ("dear", "cheap"):
            until(deleted(here, name), "it is deleted")
            here("patch", f"gpui/{name}", "--type=merge", "-p", RELEASED)
        admin("wait", "namespace/ending", "--for=delete", "--timeout=60s")


def test_a_crd_is_deleted_by_nobody_who_has_not_typed_its_name(admin: Kubectl) -> None:
    """Each way to delete it is refused, in words that end in the command that confirms, and no other word does."""
    first, second = CRDS
    until(refused(admin, "crd", first), "the policy is in force")
    for way in (["crd", *CRDS], ["-f", str(ROOT / "crds")]):
        words = refusal(admin, *way)
        for crd, kind in zip(CRDS, ("GPUInstance", "InstanceUpgrade"), strict=True):
            assert f"deleting this CRD deletes every {kind} of the cluster, and machines may be billed on" in words
            assert f"type its name: kubectl annotate crd {crd} {ANNOTATION}={crd}" in words
    everything = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All"
    assert ANNOTATION in admin.attempt("delete", "--raw", everything).stderr
    for wrong in ("", "true", second):
        admin("annotate", "--overwrite", "crd", first, f"{ANNOTATION}={wrong}")
        assert ANNOTATION in refusal(admin, "crd", first)
    admin("annotate", "--overwrite", "crd", first, f"{ANNOTATION}={first}")
    assert refusal(admin, "crd", first) == ""
    assert ANNOTATION in refusal(admin, "crd", second)
    admin("annotate", "crd", first, f"{ANNOTATION}-")


def test_after_an_uninstall_the_policies_hinder_nobody(admin: Kubectl, cluster: Cluster) -> None:
    """CRDs that were confirmed go, protected instances with them; then namespaces and Secrets are nobody's.

    Applied again, the CRDs are guarded as before, and so are the instances.
    """
    with namespace(admin, "before") as before:
        for crd in CRDS:
            admin("annotate", "crd", crd, f"{ANNOTATION}={crd}")
        admin("delete", "-f", str(ROOT / "crds"), "--timeout=60s")
        until(lambda: not refusal(admin, "namespace", "before"), "namespaces can be deleted")
        assert refusal(before, "secret", "novita-credentials") == ""
    install(cluster.kubectl())
    with namespace(admin, "after"):
        until(refused(admin, "namespace", "after"), "instances are guarded again")
        assert ANNOTATION in refusal(admin, "crd", CRDS[0])
