"""Flux's own code on a real API server: it waits as documented, and fights with nobody over a field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.controlplane.cluster import Cluster
from tests.judges.acts import EXAMPLES, KINDS, SITUATIONS, Place, opened
from tests.judges.files import ARGOCD, MACHINES, UPGRADES
from tests.judges.program import Engines, Flux
from tests.judges.stories import INSTANCE, Body, Delete, Edit
from tests.judges.upgrade_stories import UPGRADE
from tests.judges.verdicts import Verdict

pytestmark = pytest.mark.cluster

PATIENCE = 20.0
"""Longer than any wait takes that ends by itself, on a busy machine too; in seconds."""
UNEDITED = {
    slug: row
    for slug, row in SITUATIONS.items()
    if row.story and not any(isinstance(step, Edit | Delete) for step in row.story)
}
"""The situations of an object that nobody has edited, so that its status is about generation 1."""


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Place]:
    """Where Flux applies."""
    with opened(cluster, "flux-applies") as place:
        yield place


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda it: f"{it.parent.name}-{it.stem}")
def test_flux_has_nothing_to_take_back(place: Place, engines: Engines, path: Path) -> None:
    """After the defaults of the API server and the writes of the operator, it finds no drift, and changes nothing."""
    flux = Flux(engines, place.cluster.admin)
    manifests = [it for it in place.manifests(path, f"{path.parent.name}-{path.stem}") if it["kind"] in KINDS]
    assert set(flux.apply(manifests).values()) == {"created"}
    place.act_well(manifests)
    before = place.versions(manifests)
    assert set(flux.diff(manifests).values()) == {"unchanged"}
    assert set(flux.apply(manifests).values()) == {"unchanged"}
    assert place.versions(manifests) == before
    for manifest in manifests:
        owners = place.owners(manifest)
        assert owners.pop("kustomize-controller") == {"f:metadata", "f:spec"}
        assert not any("f:spec" in fields for fields in owners.values()), "nobody else sets what the manifest sets"


def test_a_change_by_hand_is_taken_back(place: Place, engines: Engines) -> None:
    """What compares finds something where there is something."""
    flux = Flux(engines, place.cluster.admin)
    manifests = place.manifests(ARGOCD / "waves.yaml", "by-hand")[:1]
    flux.apply(manifests)
    place.kubectl(
        "patch", "gpui", "by-hand-embedder", "--type=merge", "-p", '{"spec":{"image":"docker.io/library/x:1"}}'
    )
    assert set(flux.diff(manifests).values()) == {"configured"}
    assert set(flux.apply(manifests).values()) == {"configured"}
    assert place.read(manifests[0])["spec"]["image"] == manifests[0]["spec"]["image"]


def test_a_token_that_git_does_not_name_is_taken_back(place: Place, engines: Engines) -> None:
    """Whatever was set by kubectl or its plugins: set it in git."""
    flux = Flux(engines, place.cluster.admin)
    (machine, _) = place.manifests(ARGOCD / "waves.yaml", "token")
    flux.apply([machine])
    place.by_hand(machine, {"actions": {"restart": "1"}})
    assert set(flux.apply([machine]).values()) == {"configured"}
    assert "actions" not in place.read(machine)["spec"]


@dataclass(frozen=True)
class Applied:
    """One object for each situation of a kind, in that situation."""

    flux: Flux
    manifests: dict[str, Body]

    def those(self, verdict: Verdict) -> dict[str, Body]:
        """Return those about which the tables say this."""
        return {slug: it for slug, it in self.manifests.items() if SITUATIONS[slug].expected.verdict is verdict}


@pytest.fixture(
    scope="module",
    params=[(INSTANCE, "waves.yaml", MACHINES), (UPGRADE, "upgrade.yaml", UPGRADES)],
    ids=["gpui", "iup"],
)
def applied(place: Place, engines: Engines, request: pytest.FixtureRequest) -> Applied:
    """What a Kustomization has applied, and the operator has looked at."""
    kind, file, kustomization = request.param
    flux = Flux(engines, place.cluster.admin, kustomization)
    found = {
        slug: it
        for slug, row in UNEDITED.items()
        for it in place.manifests(ARGOCD / file, slug)
        if KINDS.get(it["kind"]) is kind and (row.kind is INSTANCE) is (kind is INSTANCE)
    }
    flux.apply(found.values())
    place.act(*((it, slug) for slug, it in found.items()))
    return Applied(flux, found)


def test_flux_is_done_when_all_is_as_asked(applied: Applied) -> None:
    """Serving, or upgraded."""
    assert applied.flux.wait(applied.those(Verdict.DONE).values(), PATIENCE) == ""


def test_flux_fails_early_where_only_a_person_helps(applied: Applied) -> None:
    """It does not wait for its timeout, and names the object, beside others that are not ready yet."""
    failed, waiting = applied.those(Verdict.FAILED), applied.those(Verdict.WAIT)
    assert failed
    for it in failed.values():
        said = applied.flux.wait([it, *waiting.values()], PATIENCE)
        assert said.startswith("failed early due to stalled resources: ")
        assert f"{it['metadata']['name']} status: 'Failed'" in said


def test_flux_waits_for_all_else(applied: Applied) -> None:
    """On its way up, or up to a person who is asked: neither done nor failed, until the timeout."""
    waiting = applied.those(Verdict.WAIT)
    said = applied.flux.wait(waiting.values(), 2)
    assert said.startswith("timeout waiting for: ")
    assert said.count("status: 'InProgress'") == len(waiting)


def test_flux_takes_a_machine_that_is_down_as_asked_for_done(place: Place, engines: Engines) -> None:
    """The one end that the expressions add: without them, Flux would wait for it."""
    (machine, _) = place.manifests(ARGOCD / "waves.yaml", "stopped")
    flux = Flux(engines, place.cluster.admin)
    flux.apply([machine])
    machine["spec"]["powerState"] = "Stopped"
    assert set(flux.apply([machine]).values()) == {"configured"}
    place.act((machine, "stopped-as-asked"))
    assert flux.wait([machine], PATIENCE) == ""
