"""The real `kubectl wait` against the real API server, for every situation of the table and every change of it.

The stories are played without an operator, so that each situation stands still while it is judged. All waits run
at once: one that is not met takes its whole second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from subprocess import CompletedProcess

import pytest

from gpuinstance.api.v1alpha1 import GPUInstance
from tests.controlplane.cluster import Cluster
from tests.controlplane.kubectl import Kubectl
from tests.judges import argocd, flux, kstatus
from tests.judges.conftest import live_objects
from tests.judges.situations import TABLE, Situation
from tests.judges.stories import Body, on_paper
from tests.judges.verdicts import Verdict

pytestmark = pytest.mark.cluster

OUTCOME = "{.status.outcome}"
OBSERVED = "{.status.observedGeneration}"
_AT_ONCE = 8


@dataclass(frozen=True)
class Hearing:
    """One situation in the cluster, and what became of each wait for it."""

    body: Body
    waits: dict[str, Future[CompletedProcess[str]]]

    def met(self, form: str) -> bool:
        """Whether this wait ended well; one that did not must have timed out, and nothing else."""
        done = self.waits[form].result()
        assert done.returncode == 0 or "timed out waiting for the condition" in done.stderr, done
        return done.returncode == 0


def forms(situation: Situation, body: Body) -> dict[str, list[str]]:
    """Return the waits that a situation is put to, by name; the last three only where they are of interest."""
    wanted, shown = situation.expected, body["status"].get("outcome")
    latest = f"--for=jsonpath={OBSERVED}={body['metadata']['generation']}"
    value = f"={wanted.outcome}" if wanted.outcome else ""
    asked = {
        "Ready": ["--for=condition=Ready"],
        "Stalled": ["--for=condition=Stalled"],
        "outcome": [latest, f"--for=jsonpath={OUTCOME}{value}"],
    }
    if shown == "Ready":
        asked["all"] = ["--for=create", "--for=condition=Ready", latest, f"--for=jsonpath={OUTCOME}=Ready"]
    if shown != wanted.outcome:
        asked["bare outcome"] = [f"--for=jsonpath={OUTCOME}"]
    if wanted.verdict is Verdict.LEAVING:
        asked["delete"] = ["--for=delete"]
    return asked


@pytest.fixture(scope="module")
def hearings(cluster: Cluster, kubectl: Kubectl) -> Iterator[dict[str, Hearing]]:
    """Every situation of the table, arranged, with all waits for it under way."""
    bodies = asyncio.run(_arranged(cluster))

    def wait(slug: str, fors: list[str]) -> CompletedProcess[str]:
        return kubectl.attempt("wait", f"gpui/{slug}", *fors, "--timeout=1s")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {
            row.slug: Hearing(
                bodies[row.slug],
                {form: pool.submit(wait, row.slug, fors) for form, fors in forms(row, bodies[row.slug]).items()},
            )
            for row in TABLE
        }


async def _arranged(cluster: Cluster) -> dict[str, Body]:
    async with live_objects(cluster) as live:
        bodies = await asyncio.gather(*(live.play(row.slug, row.story) for row in TABLE))
        return {row.slug: body for row, body in zip(TABLE, bodies, strict=True)}


@pytest.mark.parametrize("situation", [pytest.param(row, id=row.slug) for row in TABLE])
def test_kubectl_says_what_the_table_says(hearings: dict[str, Hearing], situation: Situation) -> None:
    """Each wait is met exactly where the table says so, and the other judges say the same of this very object."""
    hearing, wanted = hearings[situation.slug], situation.expected
    said = {form: hearing.met(form) for form in hearing.waits}
    expected = {
        "Ready": wanted.ready,
        "Stalled": wanted.stalled,
        "outcome": wanted.outcome is not None,
        "all": wanted.ready,
        "bare outcome": True,
        "delete": False,
    }
    assert said == {form: expected[form] for form in said}
    body = hearing.body
    assert (kstatus.judge(body), flux.judge(body), argocd.judge(body)) == (wanted.kstatus, wanted.flux, wanted.argo)


@pytest.mark.parametrize("situation", [pytest.param(row, id=row.slug) for row in TABLE])
def test_paper_is_as_good_as_the_cluster(hearings: dict[str, Hearing], situation: Situation) -> None:
    """A story has the same end without an API server: same generation, same spec, same status."""
    real, paper = hearings[situation.slug].body, on_paper(situation.story)
    assert real["metadata"]["generation"] == paper["metadata"]["generation"]
    assert ("deletionTimestamp" in real["metadata"]) is ("deletionTimestamp" in paper["metadata"])
    assert GPUInstance.model_validate(real).spec == GPUInstance.model_validate(paper).spec
    assert real["status"] == paper["status"]


def test_a_bare_outcome_may_be_an_old_one(hearings: dict[str, Hearing]) -> None:
    """kubectl compares the generation of conditions only; a jsonpath wait has to ask for it by itself."""
    misled = [hearing for hearing in hearings.values() if "bare outcome" in hearing.waits]
    assert misled
    for hearing in misled:
        assert hearing.met("bare outcome")
        assert not hearing.met("outcome")
