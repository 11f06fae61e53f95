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

from tests.controlplane.cluster import Cluster
from tests.controlplane.kubectl import Kubectl
from tests.judges.conftest import live_objects
from tests.judges.program import Engines, Shown
from tests.judges.situations import TABLE, Situation
from tests.judges.stories import INSTANCE, Body
from tests.judges.upgrade_situations import UPGRADES
from tests.judges.verdicts import Verdict

pytestmark = pytest.mark.cluster

OUTCOME = "{.status.outcome}"
OBSERVED = "{.status.observedGeneration}"
BOTH = (*TABLE, *UPGRADES)
ROWS = [pytest.param(row, id=row.slug) for row in BOTH]
_AT_ONCE = 8


@dataclass(frozen=True)
class Hearing:
    """One situation in the cluster, and what became of each wait for it."""

    body: Body
    shown: Shown
    """What the engines show for this very object."""
    waits: dict[str, Future[CompletedProcess[str]]]

    def met(self, form: str) -> bool:
        """Whether this wait ended well; one that did not must have timed out, and nothing else."""
        done = self.waits[form].result()
        assert done.returncode == 0 or "timed out waiting for the condition" in done.stderr, done
        return done.returncode == 0


def forms(situation: Situation, body: Body) -> dict[str, list[str]]:
    """Return the waits that a situation is put to, by name; the last four only where they are of interest."""
    wanted, shown = situation.expected, body["status"].get("outcome")
    latest = f"--for=jsonpath={OBSERVED}={body['metadata']['generation']}"
    value = f"={wanted.outcome}" if wanted.outcome else ""
    asked = {
        "Ready": ["--for=condition=Ready"],
        "Stalled": ["--for=condition=Stalled"],
        "outcome": [latest, f"--for=jsonpath={OUTCOME}{value}"],
    }
    if shown in {"Ready", "Succeeded"}:
        asked["all"] = ["--for=create", "--for=condition=Ready", latest, f"--for=jsonpath={OUTCOME}={shown}"]
    if situation.kind is not INSTANCE:
        asked["ActionRequired"] = ["--for=condition=ActionRequired"]
    if shown != wanted.outcome:
        asked["bare outcome"] = [f"--for=jsonpath={OUTCOME}"]
    if wanted.verdict is Verdict.LEAVING:
        asked["delete"] = ["--for=delete"]
    return asked


def expected(situation: Situation) -> dict[str, bool]:
    """Return which of these waits are met, by name."""
    wanted = situation.expected
    return {
        "Ready": wanted.ready,
        "Stalled": wanted.stalled,
        "outcome": wanted.outcome is not None,
        "all": wanted.ready,
        "ActionRequired": wanted.asks,
        "bare outcome": True,
        "delete": False,
    }


@pytest.fixture(scope="module")
def hearings(cluster: Cluster, kubectl: Kubectl, engines: Engines) -> Iterator[dict[str, Hearing]]:
    """Every situation of the table, arranged, with all waits for it under way."""
    bodies = asyncio.run(_arranged(cluster))
    shown = dict(zip(bodies, engines.judge(*bodies.values()), strict=True))

    def wait(row: Situation, form: str, fors: list[str]) -> CompletedProcess[str]:
        # On a busy machine even a wait for what is there takes more than a second.
        patience = "20s" if expected(row)[form] else "1s"
        return kubectl.attempt("wait", f"{row.kind.short_name}/{row.slug}", *fors, f"--timeout={patience}")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {
            row.slug: Hearing(
                bodies[row.slug],
                shown[row.slug],
                {form: pool.submit(wait, row, form, fors) for form, fors in forms(row, bodies[row.slug]).items()},
            )
            for row in BOTH
        }


async def _arranged(cluster: Cluster) -> dict[str, Body]:
    async def arranged(row: Situation) -> Body:
        async with live_objects(cluster, row.kind) as live:
            return await live.play(row.slug, row.story)

    bodies = await asyncio.gather(*(arranged(row) for row in BOTH))
    return {row.slug: body for row, body in zip(BOTH, bodies, strict=True)}


@pytest.mark.parametrize("situation", ROWS)
def test_kubectl_says_what_the_table_says(hearings: dict[str, Hearing], situation: Situation) -> None:
    """Each wait is met exactly where the table says so, and the other judges say the same of this very object."""
    hearing, wanted = hearings[situation.slug], situation.expected
    said = {form: hearing.met(form) for form in hearing.waits}
    assert said == {form: expected(situation)[form] for form in said}
    assert hearing.shown.words == (wanted.kstatus, wanted.flux, wanted.argo)


@pytest.mark.parametrize("situation", ROWS)
def test_paper_is_as_good_as_the_cluster(hearings: dict[str, Hearing], situation: Situation) -> None:
    """A story has the same end without an API server: same generation, same spec, same status."""
    real, paper, kind = hearings[situation.slug].body, situation.on_paper(), situation.kind
    assert real["metadata"]["generation"] == paper["metadata"]["generation"]
    assert ("deletionTimestamp" in real["metadata"]) is ("deletionTimestamp" in paper["metadata"])
    assert kind.parse(real).spec == kind.parse(paper).spec
    assert real["status"] == paper["status"]


def test_a_bare_outcome_may_be_an_old_one(hearings: dict[str, Hearing]) -> None:
    """kubectl compares the generation of conditions only; a jsonpath wait has to ask for it by itself."""
    misled = [hearing for hearing in hearings.values() if "bare outcome" in hearing.waits]
    assert misled
    for hearing in misled:
        assert hearing.met("bare outcome")
        assert not hearing.met("outcome")
