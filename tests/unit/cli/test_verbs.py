"""What start, stop and the others mean for an instance, in every state that matters."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.verbs import Nothing, Plan, plan
from tests.unit.cli import objects
from tests.unit.cli.objects import MACHINE, Object, condition

TOKEN = "2026-01-01T12-00-00.000000Z"
VERBS = ("start", "stop", "restart", "recreate", "reinstall", "regenerate-networking")


def down(reason: str, outcome: str = "Stopped", **spec: Any) -> Object:
    it = objects.instance(
        phase=outcome, outcome=outcome, conditions=[condition("Ready", "False", reason, "it is down")], instance=MACHINE
    )
    it["spec"] |= spec
    return it


def with_spec(it: Object, **spec: Any) -> Object:
    it["spec"] |= spec
    return it


def server(**spec: Any) -> Object:
    """Return a server at Hostwinds that is Ready."""
    it = objects.ready()
    own = {"provider": "hostwinds", "hostwinds": {"locationID": 1}, "templateID": "t-1", "gpuCount": 1}
    it["spec"] = {"product": {"id": "402"}, **own, **spec}
    return it


def monthly(it: Object) -> Object:
    it["status"]["instance"] = MACHINE | {"billingMode": "Monthly"}
    return it


def deleting(it: Object) -> Object:
    it["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    return it


PLANS: dict[str, tuple[str, Object, dict[str, Any], str]] = {
    "stop": ("stop", objects.ready(), {"powerState": "Stopped"}, "GPUs are no longer billed"),
    "stop at hostwinds": ("stop", server(), {"powerState": "Stopped"}, "bills a stopped server as before"),
    "stop one on its way": ("stop", objects.starting(), {"powerState": "Stopped"}, "billed"),
    "start": (
        "start",
        down("Stopped", powerState="Stopped"),
        {"powerState": "Running"},
        "it costs $1.4/h while it runs",
    ),
    "start one that was never bought": (
        "start",
        with_spec(objects.instance(phase="Stopped"), powerState="Stopped", billing={"maxHourlyPrice": 2}),
        {"powerState": "Running"},
        "bought at today's price, at most $2/h",
    ),
    "start one that exited": ("start", down("InstanceExited", "Exited"), {"actions": {"restart": TOKEN}}, "$1.4/h"),
    "start an idle one": ("start", down("Idle"), {"actions": {"restart": TOKEN}}, "$1.4/h"),
    "restart": ("restart", objects.ready(), {"actions": {"restart": TOKEN}}, "its disk is kept"),
    "recreate": (
        "recreate",
        with_spec(objects.ready(), billing={"maxHourlyPrice": 2}),
        {"actions": {"recreate": TOKEN}},
        (
            "machine 5f1c is removed with everything on it, which is LOST, and another is bought at today's price, "
            "at most $2/h (the old one cost $1.4/h)"
        ),
    ),
    "recreate one that was lost": (
        "recreate",
        down("InstanceLost", "Failed"),
        {"actions": {"recreate": TOKEN}},
        "LOST",
    ),
    "recreate in place": (
        "recreate",
        server(),
        {"actions": {"recreate": TOKEN}},
        "rebuilt in place: everything on its",
    ),
    "reinstall": ("reinstall", server(), {"actions": {"reinstall": TOKEN}}, "template t-1 is installed: everything"),
    "networking": (
        "regenerate-networking",
        server(),
        {"actions": {"regenerateNetworking": TOKEN}},
        "restarts, and may be reached at another address",
    ),
}


@pytest.mark.parametrize(("verb", "found", "changes", "consequence"), PLANS.values(), ids=PLANS)
def test_what_is_written(verb: str, found: Object, changes: dict[str, Any], consequence: str) -> None:
    """A change of one field, with what it costs."""
    answer = plan(verb, GPUInstance.model_validate(found), [], TOKEN)
    assert isinstance(answer, Plan)
    assert answer.changes == changes
    assert consequence in answer.consequence
    assert answer.loses_data is ("LOST" in answer.consequence)


NOTHINGS: dict[str, tuple[str, Object, str]] = {
    "start a ready one": ("start", objects.ready(), "is running already"),
    "start one on its way": ("start", objects.starting(), "is on its way already (HealthChecking)"),
    "start a new one": ("start", objects.instance(), "is on its way already (not looked at yet)"),
    "stop a stopped one": ("stop", down("Stopped", powerState="Stopped"), "is stopped already"),
    "stop twice": ("stop", with_spec(objects.ready(), powerState="Stopped"), "is being stopped already"),
    "restart twice": (
        "restart",
        with_spec(objects.ready(), actions={"restart": "x"}),
        "is asked for that already (token x)",
    ),
}


@pytest.mark.parametrize(("verb", "found", "words"), NOTHINGS.values(), ids=NOTHINGS)
def test_nothing_to_be_done(verb: str, found: Object, words: str) -> None:
    """What is so already is no error, and writes nothing."""
    answer = plan(verb, GPUInstance.model_validate(found), [], TOKEN)
    assert isinstance(answer, Nothing)
    assert answer.words == words


def test_a_token_that_was_carried_out_is_followed_by_a_new_one() -> None:
    """Each restart has a token of its own."""
    found = with_spec(objects.ready(), actions={"restart": "old"})
    found["status"]["handledActions"] = {"restart": "old"}
    assert isinstance(plan("restart", GPUInstance.model_validate(found), [], TOKEN), Plan)


REFUSALS: dict[str, tuple[tuple[str, ...], Object, str]] = {
    "in deletion": (VERBS, deleting(objects.ready()), "is being deleted"),
    "suspended": (VERBS, with_spec(server(), suspend=True), "spec.suspend is true"),
    "observed": (VERBS, with_spec(server(), management="Observe"), "only observed"),
    "adopted, not managed yet": (VERBS, with_spec(server(), adopt={"instanceID": "1"}), "only observed"),
    "frozen at the provider": (
        VERBS,
        objects.instance(
            phase="Failed",
            outcome="Failed",
            conditions=[condition("Ready", "False", "InstanceSuspended", "machine 5f1c is frozen")],
        ),
        "machine 5f1c is frozen",
    ),
    "elsewhere": (("reinstall", "regenerate-networking"), objects.ready(), "possible at Hostwinds only"),
    "stopped": (("restart", "recreate"), down("Stopped", powerState="Stopped"), "kubectl gpu start trainer"),
    "without a machine": (("restart", "recreate"), objects.refused(), "no machine yet: the provider has no RTX 4090"),
    "lost": (("start", "restart"), down("InstanceLost", "Failed"), "kubectl gpu recreate trainer"),
    "without a template": (("reinstall",), with_spec(server(), templateID=None), "no spec.templateID"),
    "failed": (("start",), objects.stuck(), "has failed: Secret team-a/novita-credentials does not exist"),
    "its time is over": (("start",), down("Expired"), "spec.expiry.ttl"),
    "paid for a term": (("recreate",), monthly(objects.ready()), "paid for a term"),
}
CASES = [(verb, found, words) for verbs, found, words in REFUSALS.values() for verb in verbs]


@pytest.mark.parametrize(
    ("verb", "found", "words"), CASES, ids=[f"{name}: {verb}" for name, row in REFUSALS.items() for verb in row[0]]
)
def test_what_cannot_be_is_refused_in_words(verb: str, found: Object, words: str) -> None:
    """Before anything is written; the operator would leave it undone, or the provider refuse."""
    with pytest.raises(Trouble) as caught:
        plan(verb, GPUInstance.model_validate(found), [], TOKEN)
    assert words in str(caught.value)
    assert str(caught.value).startswith("trainer: ")
    assert caught.value.code is Exit.REFUSED


@pytest.mark.parametrize("verb", VERBS)
def test_an_upgrade_that_holds_the_machine_comes_first(verb: str) -> None:
    """One that only waits to be paid does not."""
    working = InstanceUpgrade.model_validate(objects.upgrade(phase="Resizing", appliedAt="2026-01-01T11:59:00Z"))
    with pytest.raises(Trouble, match=r"upgrade bigger is changing its machine \(Resizing\)") as caught:
        plan(verb, GPUInstance.model_validate(server()), [working], TOKEN)
    assert caught.value.code is Exit.REFUSED
    waiting = InstanceUpgrade.model_validate(objects.awaiting_payment())
    plan(verb, GPUInstance.model_validate(server()), [waiting], TOKEN)
