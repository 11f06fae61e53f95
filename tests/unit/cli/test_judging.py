"""The judgement of waiting: for every situation, every goal is reached, waited for, impossible or gone."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.cluster import INSTANCES, UPGRADES
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.goals import Waited, parse, ready_after, words
from gpuinstance.cli.judging import Standing, judge
from tests.unit.cli import objects
from tests.unit.cli.objects import Object, condition

REACHED, WAITING, IMPOSSIBLE, GONE = Standing.REACHED, Standing.WAITING, Standing.IMPOSSIBLE, Standing.GONE


def settled(outcome: str, reason: str, *, stalled: bool = False, **status: Any) -> Object:
    """Return an instance at which nothing moves."""
    conditions = [condition("Ready", "False", reason, "so it is")]
    if stalled:
        conditions.append(condition("Stalled", "True", reason, "so it is"))
    return objects.instance(phase=outcome, outcome=outcome, conditions=conditions, **status)


def working(phase: str, **status: Any) -> Object:
    """Return an instance on which the operator is at work."""
    conditions = [
        condition(kind, word, "Starting", "at work") for kind, word in (("Ready", "False"), ("Reconciling", "True"))
    ]
    return objects.instance(phase=phase, conditions=conditions, **status)


def deleting(it: Object, *, seen: bool = False) -> Object:
    """Return the object in deletion, which counts as a change of the spec."""
    it["metadata"] |= {"deletionTimestamp": "2026-01-01T11:59:30Z", "generation": 2 if seen else 3}
    return it


def edited(it: Object, **spec: Any) -> Object:
    """Return the object right after an edit that the operator has not looked at."""
    it["metadata"]["generation"] = 3
    it["spec"] |= spec
    return it


def model(it: Object) -> Waited:
    return (InstanceUpgrade if it["kind"] == "InstanceUpgrade" else GPUInstance).model_validate(it)


ROWS: list[tuple[str, Object | None, dict[str, Standing]]] = [
    (
        "not looked at yet: nothing is believed, and nothing is impossible",
        objects.instance(),
        {"Ready": WAITING, "Stopped": WAITING, "Settled": WAITING, "Deleted": WAITING, "Exists": REACHED},
    ),
    (
        "coming up: what lies behind is reached, what lies ahead is waited for",
        working("Starting"),
        {"Created": REACHED, "Starting": REACHED, "Running": WAITING, "Ready": WAITING, "Stopped": WAITING},
    ),
    (
        "running, and its application does not answer yet",
        objects.starting(),
        {"Running": REACHED, "HealthChecking": REACHED, "Ready": WAITING, "condition=Healthy": WAITING},
    ),
    (
        "ready: it has passed everything, and may still do anything else",
        objects.ready(),
        {
            "Ready": REACHED,
            "ready": REACHED,
            "Running": REACHED,
            "Created": REACHED,
            "outcome=Ready": REACHED,
            "Settled": REACHED,
            "condition=Ready": REACHED,
            "condition=Ready=False": WAITING,
            "condition=Stalled": WAITING,
            "condition=stalled=false": REACHED,
            "Stopped": WAITING,
            "Exited": WAITING,
            "Failed": WAITING,
            "Deleted": WAITING,
            "Terminated": WAITING,
        },
    ),
    (
        "ready for the spec before: nothing is believed of a spec that was not looked at",
        edited(objects.ready(), gpuCount=4),
        {"Ready": WAITING, "Running": WAITING, "outcome=Ready": WAITING, "condition=Ready": WAITING, "Exists": REACHED},
    ),
    (
        "stopped for the spec before: a start was asked for, and is not impossible",
        edited(settled("Stopped", "Stopped"), powerState="Running"),
        {"Ready": WAITING, "Stopped": WAITING},
    ),
    (
        "a stop was just asked for: what needs power is out of reach already",
        edited(objects.ready(), powerState="Stopped"),
        {"Ready": IMPOSSIBLE, "Running": IMPOSSIBLE, "Created": IMPOSSIBLE, "Stopped": WAITING, "Deleted": WAITING},
    ),
    (
        "stopped, as asked: only somebody starts it",
        settled("Stopped", "Stopped") | {"spec": objects.instance()["spec"] | {"powerState": "Stopped"}},
        {
            "Stopped": REACHED,
            "Settled": REACHED,
            "outcome=Stopped": REACHED,
            "Ready": IMPOSSIBLE,
            "Running": IMPOSSIBLE,
            "Exited": IMPOSSIBLE,
            "condition=Ready": IMPOSSIBLE,
            "condition=Ready=False": REACHED,
            "Deleted": WAITING,
            "Exists": REACHED,
        },
    ),
    (
        "down by itself",
        settled("Exited", "InstanceExited", stalled=True),
        {"Exited": REACHED, "Ready": IMPOSSIBLE, "Stopped": IMPOSSIBLE, "Settled": REACHED, "Deleted": WAITING},
    ),
    (
        "failed",
        objects.stuck(),
        {
            "Failed": REACHED,
            "Ready": IMPOSSIBLE,
            "Running": IMPOSSIBLE,
            "condition=Stalled": REACHED,
            "Deleted": WAITING,
        },
    ),
    (
        "suspended before it was bought",
        settled("Suspended", "Suspended"),
        {"Suspended": REACHED, "Ready": IMPOSSIBLE, "Stopped": IMPOSSIBLE},
    ),
    (
        "trouble that is tried again is no end",
        objects.refused(),
        {"Ready": WAITING, "Failed": WAITING, "Stopped": WAITING},
    ),
    (
        "ready, and just deleted: it will not stay so",
        deleting(objects.ready()),
        {"Ready": IMPOSSIBLE, "Running": IMPOSSIBLE, "Stopped": IMPOSSIBLE, "Deleted": WAITING, "Exists": REACHED},
    ),
    (
        "being deleted, and the operator is at work on it",
        deleting(working("Terminating"), seen=True),
        {"Terminating": REACHED, "Terminated": WAITING, "Deleted": WAITING, "Ready": IMPOSSIBLE},
    ),
    (
        "deletion that only a person can bring on",
        deleting(
            objects.instance(
                phase="Terminating",
                conditions=[
                    condition("Ready", "False", "DeletionRefused", "paid for a term"),
                    condition("Stalled", "True", "DeletionRefused", "paid for a term"),
                ],
            ),
            seen=True,
        ),
        {"Deleted": IMPOSSIBLE, "Terminated": IMPOSSIBLE},
    ),
    (
        "there is no such object",
        None,
        {"Ready": GONE, "Stopped": GONE, "Settled": GONE, "Deleted": REACHED, "Terminated": REACHED, "Exists": WAITING},
    ),
    (
        "several goals: any of them, and impossible only if all are",
        objects.stuck(),
        {"Ready,Failed": REACHED, "Ready,Stopped": IMPOSSIBLE, "Ready,Deleted": WAITING, "Ready, failed": REACHED},
    ),
    (
        "a condition of an older generation than its status",
        objects.instance(
            phase="Ready",
            outcome="Ready",
            conditions=[condition("Ready", "True", "Ready", "old") | {"observedGeneration": 1}],
        ),
        {"Ready": WAITING, "condition=Ready": WAITING},
    ),
    (
        "an upgrade that was not looked at yet",
        objects.upgrade(),
        {"Completed": WAITING, "AwaitingPayment": WAITING, "Exists": REACHED, "Deleted": WAITING},
    ),
    (
        "an upgrade that somebody has to pay",
        objects.awaiting_payment(),
        {
            "AwaitingPayment": REACHED,
            "Ordering": REACHED,
            "condition=ActionRequired": REACHED,
            "Completed": IMPOSSIBLE,
            "Ready": IMPOSSIBLE,
            "outcome=Succeeded": IMPOSSIBLE,
            "AwaitingPayment,Completed": REACHED,
            "Deleted": WAITING,
        },
    ),
    (
        "said to be paid, not looked at yet",
        edited(objects.awaiting_payment(), payment={"confirmedInvoiceID": "416"}),
        {"Completed": WAITING, "AwaitingPayment": WAITING, "condition=ActionRequired": WAITING},
    ),
    (
        "an upgrade that has ended well",
        objects.finished("Succeeded", "Completed"),
        {
            "Completed": REACHED,
            "Ready": REACHED,
            "AwaitingPayment": REACHED,
            "outcome=Succeeded": REACHED,
            "Failed": IMPOSSIBLE,
            "Cancelled": IMPOSSIBLE,
            "Deleted": WAITING,
        },
    ),
    (
        "an upgrade that has failed",
        objects.finished("Failed", "PaymentTimedOut"),
        {"Completed": IMPOSSIBLE, "Failed": REACHED, "Settled": REACHED, "AwaitingPayment": IMPOSSIBLE},
    ),
    (
        "an upgrade that has ended, and is being deleted",
        deleting(objects.finished("Failed", "PaymentTimedOut"), seen=True),
        {"Deleted": WAITING, "Failed": IMPOSSIBLE},
    ),
    (
        "an upgrade whose deletion waits for a person",
        deleting(objects.rejected(), seen=True),
        {"Deleted": IMPOSSIBLE, "Completed": IMPOSSIBLE},
    ),
]
CASES = [(why, found, goal, standing) for why, found, expected in ROWS for goal, standing in expected.items()]


@pytest.mark.parametrize(
    ("why", "found", "goal", "standing"), CASES, ids=[f"{why[:40]} {goal}" for why, _, goal, _ in CASES]
)
def test_every_situation(why: str, found: Object | None, goal: str, standing: Standing) -> None:
    """An object, a goal, and what the wait makes of them."""
    resource = UPGRADES if found is not None and found["kind"] == "InstanceUpgrade" else INSTANCES
    verdict = judge(parse(goal, resource), None if found is None else model(found))
    assert verdict.standing is standing, f"{why}: {verdict.why}"
    assert verdict.why


def test_somebody_can_be_waited_for() -> None:
    """With `past_actions` a payment that is due is no end; what is stuck still is."""
    goals = parse("Completed", UPGRADES)
    assert judge(goals, model(objects.awaiting_payment()), past_actions=True).standing is WAITING
    assert judge(goals, model(objects.rejected()), past_actions=True).standing is IMPOSSIBLE


def test_an_operation_is_over_when_its_token_was_handled() -> None:
    """Ready alone may be that of the moment before the operator began."""
    goal = (ready_after("restart", "now"),)
    assert judge(goal, model(objects.ready())).standing is WAITING
    done = objects.ready()
    done["status"]["handledActions"] = {"restart": "now"}
    assert judge(goal, model(done)).standing is REACHED
    assert judge(goal, model(objects.stuck())).standing is IMPOSSIBLE


def test_the_verdict_says_why() -> None:
    """In the words of the operator, or of the generation that it has not seen."""
    said = judge(parse("Ready", INSTANCES), model(objects.stuck())).why
    assert said == "Failed (CredentialsUnavailable): Secret team-a/novita-credentials does not exist"
    assert "has not looked at generation 3" in judge(parse("Ready", INSTANCES), model(edited(objects.ready()))).why
    assert (
        "powerState is Stopped"
        in judge(parse("Ready", INSTANCES), model(edited(objects.ready(), powerState="Stopped"))).why
    )


@pytest.mark.parametrize("resource", [INSTANCES, UPGRADES], ids=["instances", "upgrades"])
def test_all_words_are_goals(resource: Any) -> None:
    """What completion offers can be asked for."""
    for word in words(resource):
        assert parse(word, resource)[0].text == word


def test_kubectl_words_are_known() -> None:
    """Fingers that type kubectl's --for=delete and --for=create get what they mean."""
    assert judge(parse("delete", INSTANCES), None).standing is REACHED
    assert judge(parse("create", INSTANCES), None).standing is WAITING


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dance",
        "Completed",
        "condition=",
        "condition=Dance",
        "condition=Ready=Maybe",
        "outcome=Succeeded",
        "Ready,",
        "jsonpath={.x}",
    ],
)
def test_a_word_that_is_never_said_is_refused(text: str) -> None:
    """Waiting for a typing error would end at the timeout."""
    with pytest.raises(Trouble, match="none of") as caught:
        parse(text, INSTANCES)
    assert caught.value.code is Exit.USAGE
