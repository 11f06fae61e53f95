"""`management: Observe` of a machine that was controlled: the hands are off, also in the middle of an operation."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import Management, OperationPhase, Outcome, PowerState
from gpuinstance.core.decision import Create, Delete, Restart, Start, Stop
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.record import Accepted, Answer, Refused, Unclear
from gpuinstance.core.snapshot import FoundUpgrade
from tests.builders import IMAGE, InstanceBuilder, instance, machine, ports
from tests.unit.core.observed import Found, found

SPEC = instance().serving(80)
UP, DOWN = machine(image=IMAGE), machine(state=MachineState.STOPPED, image=IMAGE)
HANDS_OFF: dict[str, Any] = {"management": Management.OBSERVE}


def ready(of: InstanceBuilder = SPEC, *machines: Machine) -> Found:
    """Return an object that is controlled and as it should be."""
    life = found(of, *(machines or (UP,)))
    life.look()
    return life


def let_go(life: Found, of: InstanceBuilder = SPEC) -> None:
    """The user sets management to Observe; what was done before is no matter of the test."""
    life.edit(of.with_spec(**HANDS_OFF))
    life.actions.clear()


def take_back(life: Found, of: InstanceBuilder = SPEC) -> None:
    """The user sets it to Full again."""
    assert life.actions == [], "nothing is done to a machine that is only observed"
    life.edit(of)


# ------------------------------------------------------------------------------------------------- at rest


def test_nothing_is_done_any_more() -> None:
    """Whatever is asked for, and whatever becomes of the machine: it is shown, and left."""
    life = ready()
    asking = SPEC.with_spec(
        power_state=PowerState.STOPPED, image="other:2", recovery={"policy": "Recreate"}, drift="Correct"
    ).asking(restart="a", recreate="a")
    let_go(life, asking)
    for shown in (UP, machine(exposes=(), image="strange:3"), DOWN, machine(state=MachineState.STOPPED, trouble="oom")):
        life.machines = (shown,)
        life.settle()
    life.machines = ()
    life.settle()
    assert life.actions == []
    assert life.said == Reason.INSTANCE_LOST


def test_back_under_control_the_difference_is_a_change() -> None:
    """What somebody stopped meanwhile is started, as the spec asks, and not reported as if it had crashed."""
    life = ready()
    let_go(life)
    life.machines = (DOWN,)
    life.settle()
    assert life.shown() == {"powerState": ("Running", "Stopped")}
    take_back(life)
    life.look(after=3)
    assert life.actions == [Start("m-1")]


def test_control_and_no_control_cost_nothing() -> None:
    """Where nothing differs, nothing is done in either direction."""
    life = ready()
    let_go(life)
    life.settle()
    assert life.is_ready
    take_back(life)
    life.settle()
    assert (life.is_ready, life.actions) == (True, [])


def test_a_token_waits_for_control() -> None:
    """It was set for this machine by somebody: it is carried out once, when the operator may."""
    life = ready()
    let_go(life, SPEC.asking(restart="a"))
    life.settle()
    take_back(life, SPEC.asking(restart="a"))
    life.look(after=3)
    assert life.actions == [Restart("m-1")]


def test_an_object_without_a_machine_gets_none() -> None:
    """It says so, and how it would get one."""
    life = found(instance().with_spec(**HANDS_OFF)).settle()
    assert (life.said, life.status.outcome, life.actions) == (Reason.ADOPTION_FAILED, Outcome.FAILED, [])
    assert "management Full" in life.condition("Ready").message
    life.edit(instance())
    life.look(after=3)
    assert [type(it) for it in life.actions] == [Create]


def test_a_machine_that_was_bought_is_left_with_its_object() -> None:
    """Deletion does not touch what is only observed, whoever bought it."""
    life = ready()
    let_go(life)
    going = life.instance.metadata.model_copy(update={"deletion_timestamp": life.now})
    life.instance = life.instance.model_copy(update={"metadata": going})
    assert life.look(after=3).release
    assert life.actions == []


def test_what_an_upgrade_made_of_it_stays() -> None:
    """It was no change of others: control that is given away and taken back does not undo it."""
    life = ready()
    life.upgrade = FoundUpgrade("newer", "u-1", "m-1", holds=True)
    let_go(life)
    upgraded = machine(image="docker.io/library/nginx:1.28")
    life.machines = (upgraded,)
    life.settle()
    life.upgrade = FoundUpgrade("newer", "u-1", "m-1", holds=False)
    life.settle()
    assert (life.is_ready, life.shown()) == (True, {})
    take_back(life)
    life.settle()
    assert (life.is_ready, life.shown(), life.actions) == (True, {}, [])


# ------------------------------------------------------------------------------------------------- in the middle

ANSWERS: dict[str, Answer] = {
    "accepted": Accepted(),
    "without an answer": Unclear("no answer"),
    "refused": Refused(Reason.RATE_LIMITED, "too many", needs_person=False),
}
whatever_the_answer = pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)


def in_the_middle(of: InstanceBuilder, answer: Answer, *machines: Machine, start: InstanceBuilder = SPEC) -> Found:
    """Return an object whose spec was changed to `of`, that has acted once, and is only observed from then on."""
    life = ready(start, *machines)
    life.answer = answer
    life.edit(of)
    life.look(after=3)
    assert len(life.actions) == 1
    let_go(life, of)
    return life


@whatever_the_answer
def test_a_stop_under_way(answer: Answer) -> None:
    """It may take hold, or not; either way it is not sent again before control is taken back."""
    stopped = SPEC.wanting(PowerState.STOPPED)
    life = in_the_middle(stopped, answer)
    life.settle()
    assert (life.is_ready, life.status.operation) == (True, None)
    assert life.shown() == {"powerState": ("Stopped", "Running")}
    take_back(life, stopped)
    life.look(after=3)
    assert life.actions == [Stop("m-1")]


@whatever_the_answer
def test_a_stop_that_takes_hold(answer: Answer) -> None:
    """The machine is down, as was asked."""
    stopped = SPEC.wanting(PowerState.STOPPED)
    life = in_the_middle(stopped, answer)
    life.machines = (DOWN,)
    life.settle()
    assert (life.said, life.status.operation, life.shown()) == (Reason.STOPPED, None, {})
    take_back(life, stopped)
    life.settle()
    assert (life.status.outcome, life.actions) == (Outcome.STOPPED, [])


@whatever_the_answer
def test_a_start_under_way(answer: Answer) -> None:
    """It comes up or stays down, and is shown so; with control it is started if it is down."""
    resting = instance().with_ports(80).stopped()
    for comes_up in (True, False):
        life = in_the_middle(SPEC, answer, DOWN, start=resting)
        life.machines = (machine(image=IMAGE, started_at=life.now),) if comes_up else (DOWN,)
        life.settle()
        assert (life.is_ready, life.status.operation) == (comes_up, None)
        take_back(life)
        life.look(after=3)
        assert life.actions == ([] if comes_up else [Start("m-1")])


@pytest.mark.parametrize(
    ("answer", "takes_hold", "again"),
    [
        (ANSWERS["accepted"], True, 0),
        (ANSWERS["accepted"], False, 0),
        (ANSWERS["without an answer"], True, 0),
        (ANSWERS["without an answer"], False, 1),
        (ANSWERS["refused"], False, 1),
    ],
)
def test_a_restart_under_way(answer: Answer, *, takes_hold: bool, again: int) -> None:
    """A token runs its operation exactly once, whoever is in control when that shows."""
    asking = SPEC.asking(restart="a")
    life = in_the_middle(asking, answer)
    if takes_hold:
        life.machines = (machine(image=IMAGE, started_at=life.now),)
    life.settle()
    assert (life.is_ready, life.status.operation) == (True, None)
    take_back(life, asking)
    life.answer = Accepted()
    life.look(after=3)
    assert len(life.actions) == again


@whatever_the_answer
def test_a_change_under_way(answer: Answer) -> None:
    """What has arrived is not sent again, and what has not is, with control."""
    more = SPEC.with_ports(80, 8080)
    for arrives in (True, False):
        life = in_the_middle(more, answer)
        if arrives:
            life.machines = (machine(exposes=("80/http", "8080/http"), image=IMAGE, started_at=life.now),)
            life.published = ports("80/http", "8080/http", published=True)
        life.settle()
        assert (life.is_ready, life.status.operation) == (True, None)
        assert (life.shown() == {}) is arrives
        take_back(life, more)
        life.look(after=3)
        assert len(life.actions) == (0 if arrives else 1)


@whatever_the_answer
def test_a_replacement_under_way(answer: Answer) -> None:
    """The old machine may go or stay: nothing is bought before control is taken back, and never two."""
    asking = SPEC.asking(recreate="a")
    for goes in (True, False):
        life = in_the_middle(asking, answer)
        life.machines = () if goes else (UP,)
        life.settle()
        assert life.said == (Reason.INSTANCE_LOST if goes else Reason.READY)
        take_back(life, asking)
        life.answer = Accepted()
        life.watch(9, every=3)
        assert isinstance(life.actions[0], Create if goes else Delete)
        assert sum(isinstance(it, Create) for it in life.actions) <= 1


@pytest.mark.parametrize("answer", [Accepted("m-1"), Accepted(), Unclear("no answer")], ids=str)
def test_a_purchase_under_way(answer: Answer) -> None:
    """Its machine is found and shown as what it is: ours, and paid for."""
    life = found(instance().with_ports(80))
    life.answer = answer
    life.look()
    assert [type(it) for it in life.actions] == [Create]
    let_go(life, instance().with_ports(80))
    life.watch(9, every=3)
    assert life.said in {Reason.CREATING, Reason.CONFIRMING_CREATE}
    life.machines = (UP,)
    life.settle()
    assert (life.is_ready, life.status.operation) == (True, None)
    take_back(life, instance().with_ports(80))
    life.settle()
    assert (life.is_ready, life.actions) == (True, [])


def test_a_purchase_that_never_was() -> None:
    """Without an answer, and without a machine after all that time: none is bought before control is taken back."""
    life = found(instance())
    life.answer = Unclear("no answer")
    life.look()
    let_go(life, instance())
    life.settle()
    assert (life.said, life.actions) == (Reason.ADOPTION_FAILED, [])
    take_back(life, instance())
    life.look(after=3)
    [bought] = life.actions
    assert isinstance(bought, Create)
    assert bought.order.name.endswith("-2"), "the first name may still turn up"


def test_an_operation_that_takes_for_ever_is_not_waited_for() -> None:
    """After its deadline the machine is shown as it is, without it."""
    life = in_the_middle(SPEC.asking(restart="a"), Accepted())
    life.machines = (machine(state=MachineState.STARTING),)
    life.watch(7200, every=60)
    assert (life.status.operation, life.said) == (None, Reason.STARTING)
    last = life.status.last_operation
    assert last is not None
    assert last.phase in (OperationPhase.COMPLETED, OperationPhase.FAILED)
