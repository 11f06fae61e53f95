"""Drift: what somebody else changes, how it is told, when it is changed back, and what it is compared with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import OperationTimes
from gpuinstance.api.words import DriftPolicy, OperationPhase, OperationType
from gpuinstance.core.decision import Action, ChangeSoftware, SetPorts
from gpuinstance.core.differences import drift
from gpuinstance.core.model import Machine, MachineState, Software
from gpuinstance.core.record import Refused
from gpuinstance.core.snapshot import FoundUpgrade
from tests.builders import IMAGE, InstanceBuilder, ago, instance, machine, operation, ports, snapshot
from tests.unit.core.life import Life
from tests.unit.core.observed import found, with_image

OTHER = "docker.io/library/nginx:1.28"
BARE = machine(exposes=(), image=IMAGE)
RESET = machine(image=OTHER)
UP = machine(image=IMAGE)
READY = instance().serving(80)


def shown(of: InstanceBuilder, shows: Machine, **limits: Any) -> list[tuple[str, str, str]]:
    return [(it.field, it.wanted, it.found) for it in drift(snapshot(of, shows, limits=limits))]


# ------------------------------------------------------------------------------------------------- what drift is


def test_ports_that_somebody_took_away() -> None:
    """A missing port is drift; a further one may be the provider's own."""
    assert shown(READY, UP) == []
    assert shown(READY, machine(exposes=("80/http", "2222/tcp"))) == []
    assert shown(READY, BARE) == [("ports", "80/http", "none")]
    assert shown(instance().serving(80, 8080), UP) == [("ports", "80/http,8080/http", "80/http")]
    assert shown(READY, BARE, publishes_ports=False) == []


def test_ports_that_an_upgrade_published() -> None:
    """They are what should be, and no longer those of the spec."""
    applied = READY.build().status.applied.model_copy(update={"upgraded_ports": "9000/http"})
    assert shown(READY.with_status(applied=applied), machine(exposes=("9000/http",))) == []
    assert shown(READY.with_status(applied=applied), UP) == [("ports", "9000/http", "none")]


def test_another_image() -> None:
    """It is compared with what the provider itself showed, and not with how the spec writes it."""
    assert shown(with_image(READY), RESET) == [("image", IMAGE, OTHER)]
    assert shown(with_image(READY), UP) == []
    assert shown(with_image(READY, "nginx:1.27"), UP) == [], "the provider has changed how it writes it"
    assert (
        shown(with_image(READY, "registry.example/mirror/nginx"), machine(image="registry.example/mirror/nginx")) == []
    )
    assert shown(with_image(READY, None), RESET) == [], "nothing is known that could have changed"
    assert shown(with_image(READY), machine(image="")) == [], "nothing is shown"


def test_drift_is_not_seen_in_an_old_picture() -> None:
    """Before our own last change shows in a listing, nothing can be called somebody else's doing."""
    times = OperationTimes(completed_at=ago(seconds=20))
    fresh = operation(OperationType.CHANGE, OperationPhase.COMPLETED, began=ago(seconds=30), phases=times)
    assert shown(READY.with_status(last_operation=fresh), BARE) == []
    assert shown(READY.during(operation(OperationType.CHANGE)), BARE) == []
    assert shown(READY, machine(state=MachineState.STARTING, exposes=())) == []
    assert drift(snapshot(READY)) == []


@pytest.mark.parametrize(("holds", "noted", "told"), [(True, None, 0), (False, None, 0), (False, "u-1", 1)])
def test_what_an_upgrade_is_doing_is_not_somebody_elses_doing(*, holds: bool, noted: str | None, told: int) -> None:
    """From its first call until its result is noted; after that, a further change is."""
    upgrade = FoundUpgrade("bigger", "u-1", "m-1", holds=holds)
    of = with_image(READY, IMAGE, upgraded_by=noted)
    assert len(drift(snapshot(of, RESET, upgrade=upgrade))) == told
    elsewhere = FoundUpgrade("bigger", "u-2", "m-2", holds=True)
    assert len(drift(snapshot(of, RESET, upgrade=elsewhere))) == 1


def test_a_refused_change_is_no_change() -> None:
    """While it waits for its next try, what somebody else did is as true as before."""
    refused = operation(OperationType.CHANGE, OperationPhase.FAILED, began=ago(seconds=30))
    assert shown(READY.during(refused), BARE) == [("ports", "80/http", "none")]


# ------------------------------------------------------------------------------------------------- how it is told


def ready(policy: DriftPolicy = DriftPolicy.WARN) -> Life:
    """Return an object that is Ready and as it should be."""
    life = found(instance().serving(80).with_spec(drift=policy), UP)
    life.look()
    assert life.is_ready
    assert life.status.instance is not None
    assert life.status.instance.image == IMAGE
    life.told = []
    return life


def test_each_change_is_told_once() -> None:
    """Status, condition and one Event show it; it does not take Ready back, and vanishes with its cause."""
    life = ready()
    life.machines = (BARE,)
    life.watch(300, every=10)
    assert [(it.field, it.wanted, it.found) for it in life.status.differences or ()] == [("ports", "80/http", "none")]
    synced = life.condition("Synced")
    assert (synced.status, synced.reason, synced.message) == ("False", "DriftDetected", "ports is none, not 80/http")
    assert (life.is_ready, life.actions) == (True, [])
    assert [(it.reason, it.warning) for it in life.told] == [(Reason.DRIFT_DETECTED, True)]
    life.machines = (machine(exposes=(), image=OTHER),)
    life.watch(300, every=10)
    assert [it.reason for it in life.told] == [Reason.DRIFT_DETECTED] * 2
    assert life.told[-1].message == f"ports is none, not 80/http; image is {OTHER}, not {IMAGE}"
    life.machines = (UP,)
    life.look(after=60)
    assert life.status.differences is None
    assert life.condition("Synced").status == "True"
    assert len(life.told) == 2


def test_a_difference_is_shown_also_while_the_application_does_not_answer() -> None:
    """It may well be the reason why, and whoever looks for the reason has to see it."""
    life = ready()
    life.machines, life.sick = (BARE,), frozenset({80})
    life.watch(300, every=10)
    assert life.said == Reason.HEALTH_CHECK_FAILED
    assert life.condition("Synced").reason == Reason.DRIFT_DETECTED
    assert [it.reason for it in life.told] == [Reason.DRIFT_DETECTED, Reason.HEALTH_CHECK_FAILED]


def test_a_missed_round_of_checks_tells_nothing_twice() -> None:
    """One failed round, and one in which the provider is away, are no news about the machine."""
    life = ready()
    life.machines = (BARE,)
    life.watch(60, every=10)
    life.sick = frozenset({80})
    life.watch(40, every=10)
    life.sick, life.blind = frozenset(), True
    life.watch(60, every=10)
    assert life.condition("Synced").reason == Reason.PROVIDER_UNAVAILABLE
    assert life.status.differences is not None, "it is the last that is known"
    life.blind = False
    life.watch(60, every=10)
    assert life.condition("Synced").reason == Reason.DRIFT_DETECTED
    assert [it.reason for it in life.told] == [Reason.DRIFT_DETECTED]


def test_a_machine_that_is_down_keeps_what_was_found() -> None:
    """What cannot be seen is neither forgotten nor told again."""
    life = ready()
    life.machines = (BARE,)
    life.look(after=60)
    life.machines = (machine(state=MachineState.MIGRATING, exposes=()),)
    life.watch(60, every=10)
    assert life.status.differences is not None
    life.machines = (BARE,)
    life.watch(120, every=10)
    assert [it.reason for it in life.told if it.reason is Reason.DRIFT_DETECTED] == [Reason.DRIFT_DETECTED]


def test_with_policy_observe_nobody_is_told() -> None:
    """Nor is anything changed."""
    life = ready(DriftPolicy.OBSERVE)
    life.machines = (machine(exposes=(), image=OTHER),)
    life.watch(300, every=10)
    assert (life.status.differences, life.condition("Synced").status) == (None, "True")
    assert (life.told, life.actions) == ([], [])


# ------------------------------------------------------------------------------------------------- Correct

CORRECTED: dict[str, tuple[Machine, Action]] = {
    "ports": (BARE, SetPorts("m-1", ports("80/http"))),
    "image": (RESET, ChangeSoftware("m-1", Software(IMAGE))),
}


@pytest.mark.parametrize(("changed", "action"), CORRECTED.values(), ids=CORRECTED)
def test_with_policy_correct_it_is_changed_back(changed: Machine, action: Action) -> None:
    """By one call; then the machine is as it should be, and nothing is left of it in the status."""
    life = ready(DriftPolicy.CORRECT)
    life.machines = (changed,)
    life.look(after=60)
    assert life.actions == [action]
    assert [it.reason for it in life.told] == [Reason.DRIFT_DETECTED]
    life.machines = (machine(image=IMAGE, started_at=life.now),)
    life.watch(300, every=10)
    assert (life.actions, life.is_ready, life.status.differences) == ([action], True, None)


@pytest.mark.parametrize(("changed", "action"), CORRECTED.values(), ids=CORRECTED)
def test_what_was_refused_is_tried_again(changed: Machine, action: Action) -> None:
    """A provider that is busy now takes it later; the wrong state never becomes the right one meanwhile."""
    life = ready(DriftPolicy.CORRECT)
    life.machines = (changed,)
    life.answer = Refused(Reason.RATE_LIMITED, "too many", needs_person=False)
    life.look(after=60)
    assert life.said == Reason.RATE_LIMITED
    life.watch(600, every=10)
    assert len(life.actions) > 2
    assert set(map(str, life.actions)) == {str(action)}
    assert life.status.instance is not None
    assert life.status.instance.image == IMAGE


def test_nobody_is_fought_for_ever() -> None:
    """Whoever insists, or a provider on which it has no effect, is corrected once in ten minutes; it stays shown."""
    life = ready(DriftPolicy.CORRECT)
    began = life.now
    while life.now - began < timedelta(hours=1):
        before = len(life.actions)
        life.machines = (BARE,)
        life.look(after=15)
        if len(life.actions) > before:
            life.machines = (machine(image=IMAGE, started_at=life.now),)
            life.watch(120, every=15)
    assert 4 <= len(life.actions) <= 6
    assert life.condition("Synced").reason == Reason.DRIFT_DETECTED


def test_what_an_upgrade_made_of_the_image_is_only_shown() -> None:
    """Only the upgrade knew what goes with it: what somebody does afterwards is not replaced by the spec's."""
    upgraded = with_image(instance().serving(80).with_spec(drift=DriftPolicy.CORRECT), OTHER, upgraded_by="uid-1")
    life = found(upgraded, machine(image="nginx:1.29"))
    life.watch(300, every=10)
    assert life.actions == []
    assert [it.found for it in life.status.differences or ()] == ["nginx:1.29"]
    # It was of another kind: the image is still the spec's.
    resized = with_image(instance().serving(80).with_spec(drift=DriftPolicy.CORRECT), IMAGE, upgraded_by="uid-1")
    life = found(resized, machine(image="nginx:1.29"))
    life.look()
    assert life.actions == [ChangeSoftware("m-1", Software(IMAGE))]


# ------------------------------------------------------------------------------------------------- the baseline


def ends(kind: OperationType, token: str | None = None, of: InstanceBuilder = READY) -> InstanceBuilder:
    """Return an object whose operation only has to become healthy; before it, the image was another."""
    last = operation(kind, OperationPhase.HEALTH_CHECKING, began=ago(minutes=2), token=token)
    times = last.phases.model_copy(update={"running_at": ago(minutes=1)})
    return with_image(of, "nginx:1.0").during(last.model_copy(update={"phases": times}))


@pytest.mark.parametrize(
    ("kind", "token", "expected"),
    [
        (OperationType.CREATE, None, IMAGE),
        (OperationType.CHANGE, "software:abc", IMAGE),
        (OperationType.REBUILD, "a", IMAGE),
        (OperationType.REINSTALL, "a", IMAGE),
        (OperationType.CHANGE, "ports:80/http", "nginx:1.0"),
        (OperationType.CHANGE, "disk:100", "nginx:1.0"),
        (OperationType.RESTART, "a", "nginx:1.0"),
        (OperationType.START, None, "nginx:1.0"),
    ],
)
def test_the_baseline_moves_with_our_own_work_on_the_software(
    kind: OperationType, token: str | None, expected: str
) -> None:
    """What is shown after it is what it should be; a restart does not make somebody's change ours."""
    life = found(ends(kind, token), UP)
    life.watch(20, every=5)
    assert life.is_ready
    assert life.status.instance is not None
    assert life.status.instance.image == expected


def test_after_an_upgrade_the_image_is_learned_anew() -> None:
    """Noting the upgrade forgets the old baseline; the next time that it is ready it has another."""
    life = found(with_image(READY, None, upgraded_by="uid-1"), RESET)
    life.watch(60, every=10)
    assert life.status.instance is not None
    assert life.status.instance.image == OTHER
    assert (life.status.differences, life.told) == (None, [])
