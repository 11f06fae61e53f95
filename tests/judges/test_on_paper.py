"""kstatus, Flux and Argo CD, each by its own code, judge every situation as the table says, and agree on it."""

from __future__ import annotations

from copy import deepcopy
from enum import StrEnum

import pytest

from gpuinstance.api.upgrade_words import UpgradeOutcome, UpgradePhase
from gpuinstance.api.words import Outcome, Phase
from tests.judges.files import SCRIPT
from tests.judges.program import Engines, Shown
from tests.judges.situations import TABLE, Situation
from tests.judges.stories import INSTANCE, Kind, created
from tests.judges.upgrade_situations import UPGRADES
from tests.judges.upgrade_stories import UPGRADE
from tests.judges.verdicts import AGREEING, PAUSED, PAUSED_SERVING, STOPPED, Verdict

BOTH = (*TABLE, *UPGRADES)
ROWS = [pytest.param(row, id=row.slug) for row in BOTH]


@pytest.fixture(scope="module")
def shown(engines: Engines) -> dict[str, Shown]:
    """What is shown in each situation, as the core has written it."""
    return dict(zip((row.slug for row in BOTH), engines.judge(*(row.on_paper() for row in BOTH)), strict=True))


@pytest.mark.parametrize("situation", ROWS)
def test_each_judge_says_what_the_table_says(situation: Situation, shown: dict[str, Shown]) -> None:
    """The verdict of every judge is the one in its column, and Argo CD says why."""
    wanted, said = situation.expected, shown[situation.slug]
    assert said.words == (wanted.kstatus, wanted.flux, wanted.argo)
    assert said.message.strip()


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


def test_no_judge_ever_calls_an_old_status_done_or_failed(engines: Engines) -> None:
    """Whatever a status says, it says nothing about a generation that it was not computed from."""
    bodies = [row.on_paper() for row in BOTH]
    for body in bodies:
        body["metadata"]["generation"] += 1
    for said in engines.judge(*bodies):
        assert said.kstatus in {"InProgress", "Terminating"}
        assert (said.flux, said.argocd) == ("InProgress", "Progressing")


@pytest.mark.parametrize("end", ["ready", "completed"])
def test_nobody_calls_done_what_is_worked_on(engines: Engines, end: str) -> None:
    """Even beside a Ready that broke the laws of conditions, Reconciling holds everybody back."""
    body = next(row for row in BOTH if row.slug == end).on_paper()
    body["status"]["conditions"].append({"type": "Reconciling", "status": "True", "message": "at work"})
    assert engines.judge(body)[0].words == ("InProgress", "InProgress", "Progressing")


@pytest.mark.parametrize("kind", [INSTANCE, UPGRADE], ids=["gpui", "iup"])
def test_a_status_without_conditions_is_no_error(engines: Engines, kind: Kind) -> None:
    """Somebody may wipe the conditions: an error in an expression would be waited for without a word."""
    body = created(kind)
    body["status"] = {"observedGeneration": 1}
    (said,) = engines.judge(body)
    assert (said.flux, said.argocd) == ("InProgress", "Progressing")


@pytest.mark.parametrize("kind", [INSTANCE, UPGRADE], ids=["gpui", "iup"])
def test_without_the_default_of_the_schema_kstatus_would_be_fooled(engines: Engines, kind: Kind) -> None:
    """An object without any status counts as done; the CRD's default is what prevents that."""
    body = created(kind)
    bare = deepcopy(body)
    del bare["status"]
    said, bare_said = engines.judge(body, bare)
    assert said.kstatus == "InProgress"
    assert bare_said.words == ("Current", "Unknown", "Progressing")


def test_a_message_says_what_the_operator_says(engines: Engines) -> None:
    """Argo CD shows the words of the Ready condition, or for which generation it waits."""
    body = created()
    ready = {"type": "Ready", "status": "False", "message": "the machine is coming up"}
    body["status"] = {"observedGeneration": 1, "conditions": [ready]}
    later = deepcopy(body)
    later["metadata"]["generation"] = 2
    assert [it.message for it in engines.judge(body, later)] == [
        "the machine is coming up",
        "waiting for the operator to look at generation 2",
    ]


def test_without_the_script_argo_cd_waits_for_nothing(engines: Engines) -> None:
    """It shows no health at all for a kind that it does not know, whatever that says of itself."""
    (said,) = engines.judge(created(), settings={"apiVersion": "v1", "kind": "ConfigMap", "data": {}})
    assert said.argocd == ""


@pytest.mark.parametrize(
    ("addition", "shows"),
    [
        ("os.exit(1)", "attempt to index a non-table object"),
        ('string.format("")', "attempt to index a non-table object"),
        ("while true do end", "context deadline exceeded"),
        ('if true then return {status = "Fine"} end', "Lua returned an invalid health status"),
    ],
)
def test_argo_cd_gives_a_script_little(engines: Engines, addition: str, shows: str) -> None:
    """No library of strings or of the system, and a second: what the script must do without, and what it may say."""
    script = f"{addition}\n{SCRIPT.read_text(encoding='utf-8')}"
    data = {"resource.customizations.health.gpuinstance.dev_GPUInstance": script}
    (said,) = engines.judge(created(), settings={"apiVersion": "v1", "kind": "ConfigMap", "data": data})
    assert said.argocd == "Unknown"
    assert shows in said.message


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
