"""start, stop and the others as they are typed: what is asked, written, said, and waited for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gpuinstance.cli.gitops import owner_of
from tests.unit.cli import objects
from tests.unit.cli.fake_cluster import Console, FakeCluster, cluster, gpu, put
from tests.unit.cli.objects import Object, condition

__all__ = ["cluster", "gpu"]
TRAINER = "gpuinstance.gpuinstance.dev/trainer"


def stopped() -> dict[str, Any]:
    return {
        "observedGeneration": 3,
        "phase": "Stopped",
        "outcome": "Stopped",
        "conditions": [condition("Ready", "False", "Stopped", "machine 5f1c is down") | {"observedGeneration": 3}],
    }


def test_stop_and_start(cluster: FakeCluster, gpu: Console) -> None:
    """One field of the spec, and what comes of it in words."""
    put(cluster, objects.ready())
    result = gpu("stop trainer")
    assert (result.code, result.out) == (0, f"{TRAINER}: stopping\n")
    assert "no longer billed" in result.err
    assert gpu("stop gpui/trainer").out == f"{TRAINER} is being stopped already\n"
    cluster.touch("trainer", status=stopped())
    assert gpu(f"stop {TRAINER}").out == f"{TRAINER} is stopped already\n"
    assert gpu("start trainer").out == f"{TRAINER}: starting\n"
    assert [it[2] for it in cluster.written] == [{"powerState": "Stopped"}, {"powerState": "Running"}]


def test_one_is_found_by_its_machine(cluster: FakeCluster, gpu: Console) -> None:
    """By the provider's id, in the namespace or in the whole cluster."""
    other = objects.instance("other", "team-b", phase="Ready", outcome="Ready", instance={"id": "9", "name": "n"})
    put(cluster, objects.ready(), objects.instance("new"), other)
    assert gpu("stop --id 5f1c").code == 0
    missing = gpu("stop --id 9")
    assert (missing.code, missing.err) == (3, "error: no GPUInstance in namespace team-a has machine 9\n")
    assert gpu("stop --id 9 -A").code == 0
    assert [name for _, name, _ in cluster.written] == ["trainer", "other"]


@pytest.mark.parametrize(
    "line",
    ["stop", "stop trainer --id 5f1c", "stop iup/bigger", "stop trainer -A", "stop secret/trainer", "stop gpui/"],
)
def test_what_is_meant_has_to_be_clear(cluster: FakeCluster, gpu: Console, line: str) -> None:
    """Else nothing is changed."""
    put(cluster, objects.ready())
    assert gpu(line).code == 2
    assert cluster.written == []


def test_two_with_the_same_machine(cluster: FakeCluster, gpu: Console) -> None:
    """Neither is guessed at."""
    put(cluster, objects.ready(), objects.instance("twin", instance={"id": "5f1c", "name": "n"}))
    result = gpu("stop --id 5f1c")
    assert result.code == 2
    assert "team-a/trainer, team-a/twin" in result.err


def test_what_is_wrong_with_one_keeps_nobody_from_the_others(cluster: FakeCluster, gpu: Console) -> None:
    """Each is told about; the exit code is that of the first trouble."""
    put(cluster, objects.ready(), objects.instance("second"))
    result = gpu("stop missing trainer second trainer")
    assert result.code == 3
    assert 'error: GPUInstance "missing" not found' in result.err
    assert [name for _, name, _ in cluster.written] == ["trainer", "second"]


WORDS = {
    "typed": ("recreate trainer", "trainer\n", 0),
    "something else typed": ("recreate trainer", "yes\n", 4),
    "nothing typed": ("recreate trainer", "", 4),
    "nobody there": ("recreate trainer", None, 4),
    "given": ("recreate trainer --yes", None, 0),
}


@pytest.mark.parametrize(("line", "typed", "code"), WORDS.values(), ids=WORDS)
def test_what_is_lost_has_to_be_confirmed(
    cluster: FakeCluster, gpu: Console, line: str, typed: str | None, code: int
) -> None:
    """By its name at a terminal, by --yes in a script; nothing is changed before."""
    put(cluster, objects.ready())
    result = gpu(line, typed=typed)
    assert result.code == code
    assert len(cluster.written) == (1 if code == 0 else 0)
    assert "machine 5f1c is removed with everything on it, which is LOST" in result.err
    assert ("nothing was changed" in result.err) is (code != 0)


def test_a_token_is_readable_and_new(cluster: FakeCluster, gpu: Console) -> None:
    """It says when it was asked for."""
    put(cluster, objects.ready())
    gpu("restart trainer")
    assert cluster.written == [("patch", "trainer", {"actions": {"restart": "2026-01-01T12-00-00.000000Z"}})]


def test_others_may_write_meanwhile(cluster: FakeCluster, gpu: Console) -> None:
    """It is decided anew on what is there then: here somebody else was quicker, and nothing is left to do."""
    put(cluster, objects.ready())
    cluster.meanwhile = [
        lambda it: it.touch("trainer", status={"recoveryAttempts": 1}),
        lambda it: it.touch("trainer", spec={"powerState": "Stopped"}),
    ]
    result = gpu("stop trainer")
    assert (result.code, result.out) == (0, f"{TRAINER} is being stopped already\n")
    assert cluster.written == []


def test_what_was_confirmed_is_not_asked_again(cluster: FakeCluster, gpu: Console) -> None:
    """Unless what is lost has changed meanwhile."""
    put(cluster, objects.ready())
    cluster.meanwhile = [lambda it: it.touch("trainer", status={"recoveryAttempts": 1})]
    assert gpu("recreate trainer", typed="trainer\n").code == 0
    cluster.touch("trainer", status={"handledActions": cluster.objects[0]["spec"]["actions"]})
    another = {"instance": objects.MACHINE | {"id": "6a2d"}}
    cluster.meanwhile = [lambda it: it.touch("trainer", status=another)]
    result = gpu("recreate trainer", typed="trainer\n")
    assert result.code == 4
    assert "machine 6a2d is removed" in result.err


def test_an_object_that_is_written_all_the_time(cluster: FakeCluster, gpu: Console) -> None:
    """After some tries it is left alone, and said so."""
    put(cluster, objects.ready())
    cluster.meanwhile = [lambda it: it.touch("trainer")] * 9
    result = gpu("stop trainer")
    assert result.code == 1
    assert "has been modified" in result.err
    assert cluster.written == []


def test_a_rehearsal_changes_nothing(cluster: FakeCluster, gpu: Console) -> None:
    """Nor asks anybody, nor waits."""
    put(cluster, objects.ready())
    result = gpu("recreate trainer --dry-run=server --wait")
    assert (result.code, result.out) == (0, f"{TRAINER}: replacing its machine (server dry run)\n")
    assert [verb for verb, *_ in cluster.written] == ["patch?"]


def test_whoever_may_not_see_upgrades_goes_on(cluster: FakeCluster, gpu: Console) -> None:
    """A right that is missing costs what needs it, and is said."""
    put(cluster, objects.ready())
    cluster.forbidden = {("list", "instanceupgrades")}
    result = gpu("stop trainer")
    assert result.code == 0
    assert "whether an upgrade is under way is not known: the cluster refused: you may not" in result.err


def test_a_change_that_is_forbidden(cluster: FakeCluster, gpu: Console) -> None:
    """Is said in the API server's words."""
    put(cluster, objects.ready())
    cluster.forbidden = {("patch", "gpuinstances")}
    result = gpu("stop trainer")
    assert (result.code, result.err) == (1, "error: the cluster refused: you may not patch gpuinstances\n")


def test_data_for_programs(cluster: FakeCluster, gpu: Console) -> None:
    """The changed objects, and nothing else."""
    put(cluster, objects.ready(), objects.instance("second"))
    shown = json.loads(gpu("stop trainer -o json").out)
    assert shown["spec"]["powerState"] == "Stopped"
    assert gpu("stop trainer second -o name").out == f"{TRAINER}\ngpuinstance.gpuinstance.dev/second\n"


def test_wait_goes_on_to_the_end(cluster: FakeCluster, gpu: Console) -> None:
    """Until it is stopped; a failure on the way ends it at once, with its own exit code."""
    put(cluster, objects.ready())
    cluster.meanwhile = [lambda _: None, lambda it: it.touch("trainer", status=stopped())]
    result = gpu("stop trainer --wait")
    assert (result.code, result.out) == (
        0,
        f"{TRAINER}: stopping\n{TRAINER}: Stopped (Stopped: machine 5f1c is down)\n",
    )
    failed = objects.stuck()["status"] | {"observedGeneration": 4}
    cluster.meanwhile = [lambda _: None, lambda it: it.touch("trainer", status=failed)]
    result = gpu("start trainer --wait")
    assert result.code == 5
    assert "team-a/trainer: Ready cannot be reached unless somebody acts: Failed (CredentialsUnavailable)" in result.err


def test_a_wait_that_cannot_be_is_said_before_anything_is_done(cluster: FakeCluster, gpu: Console) -> None:
    """Else it would be found out when it is too late."""
    put(cluster, objects.ready())
    assert gpu("stop trainer --wait", env={"KUBECTL_GPU_MAX_WAIT": "long"}).code == 2
    assert cluster.written == []


def labelled(annotations: dict[str, str] | None = None, managers: tuple[str, ...] = (), **labels: str) -> Object:
    it = objects.ready()
    named = {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}
    it["metadata"] |= {"labels": named, "annotations": annotations or {}}
    it["metadata"]["managedFields"] = [{"manager": manager} for manager in managers]
    return it


OWNERS = {
    "nobody": (labelled(), None),
    "kubectl": (labelled(managers=("kubectl-client-side-apply",)), None),
    "a chart": (labelled(app_kubernetes_io__instance="shop"), None),
    "argo by annotation": (
        labelled({"argocd.argoproj.io/tracking-id": "shop:gpuinstance.dev/GPUInstance:team-a/trainer"}),
        "Argo CD (application shop)",
    ),
    "argo by label": (labelled(argocd_argoproj_io__instance="shop"), "Argo CD (application shop)"),
    "argo as manager": (
        labelled(managers=("argocd-controller",), app_kubernetes_io__instance="shop"),
        "Argo CD (application shop)",
    ),
    "flux": (
        labelled(kustomize_toolkit_fluxcd_io__name="apps", kustomize_toolkit_fluxcd_io__namespace="flux-system"),
        "Flux (Kustomization flux-system/apps)",
    ),
    "a helm release": (labelled(helm_toolkit_fluxcd_io__name="shop"), "Flux (HelmRelease shop)"),
    "flux as manager": (labelled(managers=("kustomize-controller",)), "Flux"),
}


@pytest.mark.parametrize(("found", "owner"), OWNERS.values(), ids=OWNERS)
def test_whose_object_it_is(found: Object, owner: str | None) -> None:
    """As Argo CD and Flux mark what they apply."""
    assert owner_of(found) == owner


def test_git_wins(cluster: FakeCluster, gpu: Console) -> None:
    """Whoever changes by hand what a controller keeps as in Git is told so."""
    put(cluster, labelled(argocd_argoproj_io__instance="shop"))
    result = gpu("stop trainer")
    assert result.code == 0
    assert "trainer is kept by Argo CD (application shop): its next sync takes this back" in result.err
