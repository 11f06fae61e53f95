"""kstatus, Flux and Argo CD judge every situation as the table says, and mean the same by it."""

from __future__ import annotations

from copy import deepcopy
from enum import StrEnum

import pytest

from gpuinstance.api.upgrade_words import UpgradeOutcome, UpgradePhase
from gpuinstance.api.words import Outcome, Phase
from tests.judges import argocd, flux, kstatus
from tests.judges.situations import TABLE, Situation
from tests.judges.stories import INSTANCE, Body, Kind, created
from tests.judges.upgrade_situations import UPGRADES
from tests.judges.upgrade_stories import UPGRADE
from tests.judges.verdicts import AGREEING, PAUSED, PAUSED_SERVING, STOPPED, Verdict

BOTH = (*TABLE, *UPGRADES)
ROWS = [pytest.param(row, id=row.slug) for row in BOTH]


@pytest.fixture
def body(situation: Situation) -> Body:
    """The object of a situation, as the core has written it."""
    return situation.on_paper()


@pytest.mark.parametrize("situation", ROWS)
def test_each_judge_says_what_the_table_says(situation: Situation, body: Body) -> None:
    """The verdict of every judge is the one in its column."""
    said = {"kstatus": kstatus.judge(body), "flux": flux.judge(body), "argo": argocd.judge(body)}
    wanted = situation.expected
    assert said == {"kstatus": wanted.kstatus, "flux": wanted.flux, "argo": wanted.argo}, body["status"]


@pytest.mark.parametrize("situation", ROWS)
def test_the_judges_agree(situation: Situation) -> None:
    """Nobody is told anything else than the others; kstatus alone cannot know that down was asked for."""
    wanted = situation.expected
    words = AGREEING[wanted.verdict]
    assert wanted.flux in words["flux"]
    assert wanted.argo in words["argo"]
    assert wanted.kstatus in words["kstatus"] or wanted is STOPPED
    if wanted.verdict is not Verdict.LEAVING:
        assert wanted.stalled is (wanted.verdict is Verdict.FAILED)
        assert (wanted.ready or wanted.outcome == "Stopped") is (wanted.verdict is Verdict.DONE)
        assert (wanted.argo == "Suspended") is (
            wanted in (PAUSED, PAUSED_SERVING) or (wanted.asks and not wanted.stalled)
        )


def test_no_judge_ever_calls_an_old_status_done_or_failed() -> None:
    """Whatever a status says, it says nothing about a generation that it was not computed from."""
    for row in BOTH:
        body = row.on_paper()
        body["metadata"]["generation"] += 1
        assert kstatus.judge(body) in {"InProgress", "Terminating"}
        assert flux.judge(body) == "InProgress"
        assert argocd.judge(body) == "Progressing"


@pytest.mark.parametrize("end", ["ready", "completed"])
def test_nobody_calls_done_what_is_worked_on(end: str) -> None:
    """Even beside a Ready that broke the laws of conditions, Reconciling holds everybody back."""
    body = next(row for row in BOTH if row.slug == end).on_paper()
    body["status"]["conditions"].append({"type": "Reconciling", "status": "True", "message": "at work"})
    assert (kstatus.judge(body), flux.judge(body), argocd.judge(body)) == ("InProgress", "InProgress", "Progressing")


@pytest.mark.parametrize("kind", [INSTANCE, UPGRADE], ids=["gpui", "iup"])
def test_a_status_without_conditions_is_no_error(kind: Kind) -> None:
    """Somebody may wipe the conditions: an error in an expression would be waited for without a word."""
    body = created(kind)
    body["status"] = {"observedGeneration": 1}
    assert (flux.judge(body), argocd.judge(body)) == ("InProgress", "Progressing")


@pytest.mark.parametrize("kind", [INSTANCE, UPGRADE], ids=["gpui", "iup"])
def test_without_the_default_of_the_schema_kstatus_would_be_fooled(kind: Kind) -> None:
    """An object without any status counts as done; the CRD's default is what prevents that."""
    body = created(kind)
    assert kstatus.judge(body) == "InProgress"
    bare = deepcopy(body)
    del bare["status"]
    assert kstatus.judge(bare) == "Current"
    assert flux.judge(bare) == "Unknown"
    assert argocd.judge(bare) == "Progressing"


@pytest.mark.parametrize(
    ("table", "outcomes", "phases"),
    [
        (TABLE, Outcome, set(Phase)),
        # What is over within one look is seen by nobody who waits.
        (UPGRADES, UpgradeOutcome, set(UpgradePhase) - {UpgradePhase.VERIFYING}),
    ],
    ids=["gpui", "iup"],
)
def test_the_tables_leave_no_end_out(
    table: tuple[Situation, ...], outcomes: type[StrEnum], phases: set[StrEnum]
) -> None:
    """Every outcome, and every phase in which an object can be seen, has a row; no name is used twice."""
    assert len({row.slug for row in BOTH}) == len(BOTH)
    statuses = [row.on_paper()["status"] for row in table]
    assert {status.get("outcome") for status in statuses} == {None, *outcomes}
    assert {status.get("phase") for status in statuses} == {None, *phases}
