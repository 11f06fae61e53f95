"""Argo CD's own code on a real API server: syncs in waves as documented, and no difference that stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.cluster import Cluster
from tests.judges.acts import EXAMPLES, KINDS, SITUATIONS, Place, opened
from tests.judges.files import ARGOCD
from tests.judges.program import ArgoCD, Engines
from tests.judges.stories import INSTANCE, Delete, Edit
from tests.judges.verdicts import Verdict

pytestmark = pytest.mark.cluster

UNEDITED = {
    slug: row.expected
    for slug, row in SITUATIONS.items()
    if row.kind is not INSTANCE and row.story and not any(isinstance(step, Edit | Delete) for step in row.story)
}
"""The situations of an upgrade that nobody has edited, so that its status is about generation 1."""
WAITS = [slug for slug, says in UNEDITED.items() if says.verdict is Verdict.WAIT]
ENDS = [slug for slug, says in UNEDITED.items() if says.verdict is Verdict.FAILED]


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Place]:
    """Where Argo CD applies."""
    with opened(cluster, "argocd-applies") as place:
        yield place


def test_the_client_comes_when_the_machine_serves(place: Place, engines: Engines) -> None:
    """A wave waits while the machine comes up, and says for whom it waits; the next is applied when it is Healthy."""
    machine, client = manifests = place.manifests(ARGOCD / "waves.yaml", "serving")
    argocd = ArgoCD(engines, place.cluster.admin, manifests)
    for slug in ("created-not-looked-at-yet", "provisioning", "running-not-answering-yet"):
        assert argocd.sync() == "Running"
        assert argocd.message == "waiting for healthy state of gpuinstance.dev/GPUInstance/serving-embedder"
        assert not place.has(client)
        place.act((machine, slug))
    assert argocd.sync() == "Running"
    place.act((machine, "ready"))
    assert argocd.sync() == "Succeeded"
    assert place.has(client)


def test_a_machine_that_needs_a_person_fails_the_sync(place: Place, engines: Engines) -> None:
    """Degraded ends it at once, with what the operator says, and the client is not applied."""
    machine, client = manifests = place.manifests(ARGOCD / "waves.yaml", "degraded")
    argocd = ArgoCD(engines, place.cluster.admin, manifests)
    assert argocd.sync() == "Running"
    place.act((machine, "account-without-money"))
    assert argocd.sync() == "Failed"
    assert "the account has no money left" in str(argocd.state)
    assert not place.has(client)


def test_a_wave_waits_for_an_upgrade_until_it_has_succeeded(place: Place, engines: Engines) -> None:
    """Ordered, unpaid, resizing, unconfirmed: whatever is between, what needs the bigger server is not applied."""
    machine, upgrade, client = manifests = place.manifests(ARGOCD / "upgrade.yaml", "between")
    argocd = ArgoCD(engines, place.cluster.admin, manifests)
    assert argocd.sync() == "Running"
    place.act((machine, "ready"))
    for slug in ("", *WAITS):
        if slug:
            place.act((upgrade, slug))
        assert argocd.sync() == "Running", slug
        assert argocd.message == "waiting for healthy state of gpuinstance.dev/InstanceUpgrade/between-bigger"
        assert not place.has(client)
    place.act((upgrade, "completed"))
    assert argocd.sync() == "Succeeded"
    assert place.has(client)


@pytest.mark.parametrize("end", ENDS)
def test_an_upgrade_that_failed_fails_the_sync(place: Place, engines: Engines, end: str) -> None:
    """Nothing is applied to a server that is not bigger."""
    machine, upgrade, client = manifests = place.manifests(ARGOCD / "upgrade.yaml", end)
    argocd = ArgoCD(engines, place.cluster.admin, manifests)
    assert argocd.sync() == "Running"
    place.act((machine, "ready"))
    assert argocd.sync() == "Running"
    place.act((upgrade, end))
    assert argocd.sync() == "Failed"
    assert not place.has(client)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda it: f"{it.parent.name}-{it.stem}")
def test_no_difference_stays(place: Place, engines: Engines, path: Path) -> None:
    """After the defaults of the API server and the writes of the operator, all is Synced; a sync changes nothing."""
    manifests = [it for it in place.manifests(path, f"{path.parent.name}-{path.stem}") if it["kind"] in KINDS]
    for manifest in manifests:
        argocd = ArgoCD(engines, place.cluster.admin, [manifest])
        assert argocd.out_of_sync(), "what is not there yet is a difference"
        assert argocd.sync() == "Succeeded", argocd.state
    place.act_well(manifests)
    before = place.versions(manifests)
    assert ArgoCD(engines, place.cluster.admin, manifests).out_of_sync() == []
    for manifest in manifests:
        assert ArgoCD(engines, place.cluster.admin, [manifest]).sync() == "Succeeded"
        owners = place.owners(manifest)
        assert owners.pop("argocd-controller") == {"f:metadata", "f:spec"}
        assert not any("f:spec" in fields for fields in owners.values()), "nobody else sets what the manifest sets"
    assert place.versions(manifests) == before


def test_a_change_by_hand_is_a_difference(place: Place, engines: Engines) -> None:
    """What compares finds something where there is something, and the next sync takes it back."""
    manifests = place.manifests(ARGOCD / "waves.yaml", "by-hand")[:1]
    argocd = ArgoCD(engines, place.cluster.admin, manifests)
    argocd.sync()
    place.kubectl(
        "patch", "gpui", "by-hand-embedder", "--type=merge", "-p", '{"spec":{"image":"docker.io/library/x:1"}}'
    )
    (found,) = argocd.out_of_sync()
    assert (found["byOptions"], found["serverSide"]) == (True, True)
    assert ArgoCD(engines, place.cluster.admin, manifests).sync() == "Succeeded"
    assert argocd.out_of_sync() == []


def test_a_token_that_git_does_not_name_is_no_difference(place: Place, engines: Engines) -> None:
    """Applied on the server's side, a field that no manifest names is that of who has set it, and stays."""
    manifests = place.manifests(ARGOCD / "waves.yaml", "token")[:1]
    argocd = ArgoCD(engines, place.cluster.admin, manifests)
    argocd.sync()
    place.by_hand(manifests[0], {"actions": {"restart": "1"}})
    assert argocd.out_of_sync() == []
    assert ArgoCD(engines, place.cluster.admin, manifests).sync() == "Succeeded"
    assert place.read(manifests[0])["spec"]["actions"] == {"restart": "1"}
