"""`kubectl gpu` as people use it: machines are started, stopped and upgraded by typing, with operator and provider."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from gpuinstance.cli.endings import Exit
from tests.controlplane.kubectl import Kubectl
from tests.integration.keyboard import Keyboard
from tests.integration.manifests import serving
from tests.integration.saga import PAID_AND_DONE, Saga
from tests.integration.world import World

pytestmark = pytest.mark.cluster

TRAINER = "gpuinstance.gpuinstance.dev/trainer"


def keyboard(world: World) -> Keyboard:
    return Keyboard(world.stack.cluster.admin, world.namespace)


def test_a_life_by_hand(world: World) -> None:
    """Stopped, started, restarted, exited, started again, replaced: each once at the provider, and waited for."""
    gpu = keyboard(world)
    world.apply(serving())
    assert gpu("wait trainer --for Ready").code == Exit.OK
    machine = world.machine("trainer")["id"]

    stopped = gpu(f"stop --id {machine} --wait")
    assert (stopped.code, world.machine("trainer")["state"]) == (Exit.OK, "exited")
    assert stopped.out.startswith(f"{TRAINER}: stopping\n{TRAINER}: Stopped (Stopped: ")
    assert gpu("stop trainer --wait").out.startswith(f"{TRAINER} is stopped already\n")
    refused = gpu("restart trainer --wait")
    assert (refused.code, "kubectl gpu start trainer" in refused.err) == (Exit.REFUSED, True)

    assert gpu("start trainer --wait").code == Exit.OK
    assert world.machine("trainer")["state"] == "running"
    assert gpu("restart trainer --wait").code == Exit.OK
    assert world.done("trainer") == Counter(create=1, stop=1, start=1, restart=1)

    world.console("trainer", "stop")
    assert gpu("wait trainer --for Exited").code == Exit.OK
    assert gpu("wait trainer --for Ready --timeout 24h").code == Exit.IMPOSSIBLE
    assert gpu("start trainer --wait").code == Exit.OK

    assert gpu("recreate trainer --wait").code == Exit.NOT_CONFIRMED
    assert gpu("recreate trainer --wait --dry-run=server").code == Exit.OK
    assert world.machine("trainer")["id"] == machine
    replaced = gpu("recreate trainer --wait", answer="trainer\n")
    assert replaced.code == Exit.OK, replaced.err
    assert world.machine("trainer")["id"] != machine
    assert world.done("trainer") == Counter(create=2, stop=1, start=2, restart=1, delete=1)

    world.kubectl("delete", "gpui", "trainer", "--wait=false")
    assert gpu("stop trainer").code in {Exit.REFUSED, Exit.NOT_FOUND}
    assert gpu("wait trainer --for Deleted").code == Exit.OK


def test_an_upgrade_by_hand(saga: Saga) -> None:
    """Ordered, paid, told so, completed; each step tells the next, and what is too late is refused."""
    world, name = saga.world, saga.name
    gpu = keyboard(world)
    created = gpu(f"upgrade {saga.server} --plan 403 --max-total 5 --name {name}")
    assert (created.code, created.out) == (Exit.OK, f"instanceupgrade.gpuinstance.dev/{name} created\n")
    assert f"kubectl gpu confirm-payment {name}" in created.err
    assert gpu(f"wait {saga.reference} --for AwaitingPayment").code == Exit.OK
    due = gpu(f"wait {saga.reference} --for Completed --timeout 24h")
    assert (due.code, "AwaitingPayment" in due.err) == (Exit.IMPOSSIBLE, True)

    invoice = saga.status()["order"]["invoiceID"]
    assert gpu(f"confirm-payment {name} --invoice 1").code == Exit.REFUSED
    assert gpu(f"confirm-payment {name}").code == Exit.NOT_CONFIRMED
    world.pay(saga.reference)
    with gpu.beside(f"wait {saga.reference} --for Completed --past-actions") as waiting:
        told = gpu(f"confirm-payment {name}", answer=f"{invoice}\n")
        assert (told.code, f"invoice {invoice} of 4.00 USD" in told.err) == (Exit.OK, True)
        assert waiting.ended().code == Exit.OK
    assert saga.books() == PAID_AND_DONE
    assert gpu(f"cancel {name}").out.endswith("has ended already: Completed\n")
    assert gpu(f"wait {saga.server} --for Ready").code == Exit.OK


def test_cancelled_by_hand(saga: Saga) -> None:
    """Before payment; the invoice that must not be paid is named."""
    gpu = keyboard(saga.world)
    gpu(f"upgrade {saga.server} --plan 403 --name {saga.name}")
    assert gpu(f"wait {saga.reference} --for AwaitingPayment").code == Exit.OK
    invoice = saga.status()["order"]["invoiceID"]
    assert f"do not pay invoice {invoice}" in gpu(f"cancel {saga.name}").out
    assert gpu(f"wait {saga.reference} --for Cancelled").code == Exit.OK
    assert gpu(f"wait {saga.reference} --for Completed").code == Exit.IMPOSSIBLE
    assert saga.books() == ["order"]


def test_the_api_server_has_the_last_word(world: World) -> None:
    """What it refuses is told in its words; a rehearsal asks it, and nothing comes of that."""
    gpu = keyboard(world)
    world.apply(serving())
    world.ready("trainer")
    refused = gpu("upgrade trainer --rootfs-expand 99999")
    assert (refused.code, "rootfsExpandGB" in refused.err) == (Exit.FAILED, True)
    rehearsed = gpu("upgrade trainer --rootfs-expand 10 --name more --dry-run=server")
    assert (rehearsed.code, rehearsed.out) == (
        Exit.OK,
        "instanceupgrade.gpuinstance.dev/more created (server dry run)\n",
    )
    assert gpu("wait iup/more --for Exists --timeout 0").code == Exit.TIMED_OUT
    changed = gpu("upgrade trainer --rootfs-expand 10 --name more --wait")
    assert changed.code == Exit.OK, changed.err


def test_no_right_beyond_the_users(world: World) -> None:
    """Somebody who may change instances and see no upgrades is told what is not known; a looker changes nothing."""
    world.apply(serving(powerState="Stopped"))
    world.outcome("trainer", "Stopped")
    resource = "--resource=gpuinstances.gpuinstance.dev"
    for name, verbs in (("looker", "get,list,watch"), ("driver", "get,list,watch,patch")):
        world.kubectl("create", "serviceaccount", name)
        world.kubectl("create", "role", name, f"--verb={verbs}", resource)
        world.kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={world.namespace}:{name}")
    cluster = world.stack.cluster
    looker, driver = (
        Keyboard(cluster.service_account_kubeconfig(world.namespace, name), world.namespace)
        for name in ("looker", "driver")
    )
    refused = looker("start trainer")
    assert (refused.code, "cannot patch" in refused.err) == (Exit.FAILED, True)
    started = driver("start trainer --wait")
    assert started.code == Exit.OK, started.err
    assert "whether an upgrade is under way is not known" in started.err


def test_kubectl_finds_the_plugin_and_completes_it(world: World, tmp_path: Path) -> None:
    """As an installed plugin: `kubectl gpu` runs, and kubectl's own completion asks it for names."""
    world.apply(serving(powerState="Stopped"))
    beside = tmp_path / "kubectl_complete-gpu"
    beside.write_text('#!/bin/sh\nexec kubectl-gpu __complete "$@"\n')
    beside.chmod(0o755)
    kubectl = world.kubectl
    path = kubectl.env["PATH"]
    kubectl.env["PATH"] = f"{tmp_path}:{Path(sys.executable).parent}:{path}"
    try:
        assert kubectl_alone(kubectl, "gpu", "wait", "trainer", "--for", "Exists", "-n", world.namespace) == (
            f"{TRAINER}: Exists"
        )
        assert kubectl_alone(kubectl, "__complete", "gpu", "stop", "-n", world.namespace, "tr") == "trainer"
    finally:
        kubectl.env["PATH"] = path


def kubectl_alone(kubectl: Kubectl, *arguments: str) -> str:
    """Run kubectl without options before its arguments, as plugins want it; return the first words."""
    done = Kubectl(Path(kubectl.env["KUBECONFIG"]))
    done.env.update(kubectl.env)
    return done(*arguments).split(" (")[0].split("\t")[0].splitlines()[0]
