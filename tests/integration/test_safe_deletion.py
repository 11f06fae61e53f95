"""Deletion forgets no machine: without its API key an object waits, says why, and has one documented way out."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.controlplane.kubectl import Kubectl, kubectl_path
from tests.integration.manifests import Manifest, instance, serving
from tests.integration.world import World, condition, until
from tests.rig.simulator import API_KEY
from tests.rig.stack import ROOT, Stack

pytestmark = pytest.mark.cluster

SECRET = "novita-credentials"
FINALIZER = "gpuinstance.dev/machine"
NOTICED_SECONDS = 25.0
"""A Secret is read every ten seconds at most; the rest is slack for a busy machine."""


def gpu(kubectl: Kubectl, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `kubectl gpu` as that user, in that namespace: the plugin is found on PATH, as anywhere."""
    kubectl.env["PATH"] = os.pathsep.join([str(Path(kubectl_path()).parent), os.environ["PATH"]])
    command = [kubectl_path(), "gpu", *arguments]
    return subprocess.run(
        command, env=kubectl.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )


def gone(world: World, name: str) -> None:
    """Wait until the object is gone."""
    world.kubectl("wait", f"gpui/{name}", "--for=delete", "--timeout=60s")


@pytest.fixture(scope="module")
def ending(stack: Stack) -> World:
    """A namespace that is deleted where the policy for its Secret is missing, and a provider that deletes nothing.

    What follows takes its time and goes on beside the other tests.
    """
    ending = World(stack, "ending")
    stack.create_namespace("ending")
    ending.apply(serving())
    ending.ready("trainer")
    ending.fault({"kind": "answer", "status": 503}, "trainer", operation="delete", count=None, id="ending")
    policy = "gpuinstance-credentials-protection"
    stack.kubectl("delete", "validatingadmissionpolicybinding", policy)
    ending.kubectl("delete", "namespace", "ending", "--wait=false")
    until(lambda: SECRET not in ending.kubectl("get", "secrets", "-o", "name"), "the Secret is gone")
    stack.kubectl("apply", "-f", str(ROOT / "deploy" / "policies.yaml"))
    return ending


@pytest.mark.usefixtures("ending")
def test_a_secret_that_vanishes_is_missed_and_nothing_is_forgotten(world: World) -> None:
    """It is said within seconds, of a Ready instance as well; what is being deleted then waits.

    With the Secret back, deletion is completed as if nothing had been, and so is everything else.
    """
    world.apply(serving("leaving"), serving("living"))
    world.ready("leaving", "living")
    machine = world.machine("leaving")["id"]
    world.kubectl("delete", "secret", SECRET)
    vanished = time.monotonic()
    assert SECRET in world.reason("living", "CredentialsUnavailable")
    assert time.monotonic() - vanished < NOTICED_SECONDS
    world.wait("living", "condition=Stalled", "jsonpath={.status.outcome}=Failed")
    world.kubectl("delete", "gpui/leaving", "--wait=false")
    world.wait("leaving", "jsonpath={.status.phase}=Terminating")
    assert_held(world, "leaving", machine)
    assert world.machine("leaving")["id"] == machine
    world.set_secret(SECRET, apiKey=API_KEY)
    gone(world, "leaving")
    world.ready("living")
    assert world.machines("leaving") == []
    assert world.done("leaving") == Counter(create=1, delete=1)
    assert world.done("living") == Counter(create=1)


def assert_held(world: World, name: str, machine: str) -> None:
    """The object is still there, knows its machine, and tells what it waits for and what that costs."""
    held = world.get(name)
    assert held["metadata"]["finalizers"] == [FINALIZER]
    assert held["status"]["instance"]["id"] == machine
    ready = condition(held["status"], "Ready")
    assert ready["reason"] == "CredentialsUnavailable"
    for words in (SECRET, f"machine {machine} may be billed", f"`kubectl gpu abandon {name} -n {world.namespace}`"):
        assert words in ready["message"]


def test_a_namespace_takes_its_machines_with_it(world: World) -> None:
    """Secret and instances are deleted at once, and the provider is slow: the key stays until the machines are gone."""
    world.apply(serving("one"), serving("two"))
    world.ready("one", "two")
    world.fault({"kind": "answer", "status": 503}, "one", operation="delete")
    world.kubectl("delete", "namespace", world.namespace, "--timeout=100s")
    for name in ("one", "two"):
        assert world.machines(name) == []
        assert world.done(name) == Counter(create=1, delete=1)


def test_without_its_key_an_object_outlasts_its_namespace_until_it_is_abandoned(ending: World) -> None:
    """It stays, across a restart, and holds the namespace, where no Secret can be created any more.

    Abandoned, it goes, and the machine is what the command has said: still there, and untouched.
    """
    ending.reason("trainer", "CredentialsUnavailable")
    machine = ending.machine("trainer")["id"]
    ending.stack.operator.kill()
    ending.stack.start_operator()
    assert_held(ending, "trainer", machine)
    done = gpu(ending.kubectl, "abandon", "trainer", "--namespace", "ending", "--confirm", "trainer")
    assert done.returncode == 0, done.stderr
    assert machine in done.stderr
    ending.stack.kubectl("wait", "namespace/ending", "--for=delete", "--timeout=100s")
    assert ending.machine("trainer")["id"] == machine
    assert ending.done("trainer") == Counter(create=1)
    ending.console("trainer", "delete")
    until(lambda: ending.machines("trainer") == [], "the machine is gone")


def test_abandoning_takes_a_typed_name_and_no_more_rights_than_the_user_has(world: World) -> None:
    """Whoever may change and delete instances may do it; a name that is not typed right, or a right that is missing,
    leaves everything as it was.
    """
    world.apply(instance("trainer", powerState="Stopped"))
    world.outcome("trainer", "Stopped")
    before = world.get("trainer")["metadata"]["resourceVersion"]
    owner, editor, remover = users(world, owner="get,patch,delete", editor="get,patch", remover="get,delete")
    attempts: list[tuple[Kubectl, list[str], int, str]] = [
        (owner, [], 4, "nothing was changed"),
        (owner, ["--confirm", "trainers"], 4, "nothing was changed"),
        (editor, ["--confirm", "trainer"], 1, "forbidden"),
        (remover, ["--confirm", "trainer"], 1, "forbidden"),
    ]
    for kubectl, confirmation, code, words in attempts:
        done = gpu(kubectl, "abandon", "trainer", "--namespace", world.namespace, *confirmation)
        assert (done.returncode, done.stdout) == (code, "")
        assert words in done.stderr
    assert world.get("trainer")["metadata"]["resourceVersion"] == before
    done = gpu(owner, "abandon", "trainer", "--namespace", world.namespace, "--confirm", "trainer")
    assert done.returncode == 0, done.stderr
    gone(world, "trainer")


def users(world: World, **verbs: str) -> list[Kubectl]:
    """Return kubectl as service accounts, each of which may do this with instances and nothing else."""
    group = "rbac.authorization.k8s.io"
    objects: list[Manifest] = []
    for name, may in verbs.items():
        rule = {"apiGroups": ["gpuinstance.dev"], "resources": ["gpuinstances"], "verbs": may.split(",")}
        head = {"apiVersion": f"{group}/v1", "metadata": {"name": name}}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": world.namespace}
        role = {"apiGroup": group, "kind": "Role", "name": name}
        objects += [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
            {**head, "kind": "Role", "rules": [rule]},
            {**head, "kind": "RoleBinding", "subjects": [subject], "roleRef": role},
        ]
    world.apply(*objects)
    cluster = world.stack.cluster
    return [Kubectl(cluster.service_account_kubeconfig(world.namespace, name)) for name in verbs]
