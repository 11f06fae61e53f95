"""A machine made anew in place, from the token to Ready again: what is sent, what is believed, what is told."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import Outcome, PowerState
from gpuinstance.core.decision import Action, Rebuild, RegenerateNetworking, Reinstall, Restart, Start, Stop
from gpuinstance.core.model import MachineState
from gpuinstance.core.record import Accepted, Answer, Outdated, Refused, Unclear
from tests.builders import HOST, OF_HOSTWINDS, InstanceBuilder, instance, machine
from tests.materials import NOW
from tests.unit.core.life import Life

ELSEWHERE = "203.0.113.99"
SERVER = instance().of_hostwinds()
WAYS: dict[str, tuple[str, Action]] = {
    "rebuild": ("recreate", Rebuild("m-1")),
    "reinstall": ("reinstall", Reinstall("m-1", "ubuntu")),
    "networking": ("regenerate_networking", RegenerateNetworking("m-1")),
}
each_way = pytest.mark.parametrize(("token", "action"), WAYS.values(), ids=WAYS)


def up(host: str = HOST, **fields: Any) -> Any:
    return machine(exposes=(), host=host, **fields)


def at_work(**fields: Any) -> Any:
    return machine(state=MachineState.STARTING, exposes=(), host=HOST, **fields)


def ready(of: InstanceBuilder = SERVER, answer: Answer | None = None) -> Life:
    """Return a server that has been Ready for a while."""
    life = Life(of.serving_at(HOST, 80).build(), (up(),), limits=OF_HOSTWINDS, answer=answer or Accepted())
    life.look()
    assert life.is_ready
    life.told = []
    return life


def ask(life: Life, **tokens: str) -> None:
    """The user sets these tokens, and no others."""
    life.edit(SERVER.with_spec(recovery=life.instance.spec.recovery).with_ports(80).asking(**tokens))
    life.look(after=1)


@each_way
def test_it_is_sent_once_and_its_end_is_seen(token: str, action: Action) -> None:
    """At work, up again elsewhere: Ready as soon as the application answers there, and told in one Event."""
    life = ready()
    ask(life, **{token: "a"})
    life.watch(6, every=3)
    assert (life.actions, life.is_ready) == ([action], False)
    life.machines = (at_work(),)
    life.watch(30, every=3)
    life.machines = (up(ELSEWHERE, started_at=life.now),)
    life.watch(12, every=3)
    assert life.is_ready
    assert [it.url for it in life.status.endpoints or ()] == [f"http://{ELSEWHERE}:80"]
    assert life.actions == [action]
    assert getattr(life.status.handled_actions, token) == "a"
    assert [(it.reason, it.warning) for it in life.told] == [(Reason.READY, False)]
    life.watch(600, every=30)
    assert life.actions == [action]


@each_way
def test_what_is_shown_right_after_the_call_is_not_believed(token: str, action: Action) -> None:
    """Active, as before, and healthy, as before: that is the old machine until the settle window is over."""
    life = ready()
    ask(life, **{token: "a"})
    life.watch(57, every=3)
    assert not life.is_ready
    life.watch(12, every=3)
    assert life.is_ready
    assert life.actions == [action]


@each_way
def test_a_lost_answer_is_looked_into(token: str, action: Action) -> None:
    """Seen at work: it arrived, and is not sent again, whatever happens later."""
    life = ready(answer=Unclear("connection lost"))
    ask(life, **{token: "a"})
    life.machines = (at_work(),)
    life.watch(300, every=3)
    life.machines = (up(),)
    life.watch(300, every=3)
    assert life.is_ready
    assert life.actions == [action]


@each_way
def test_a_lost_call_is_sent_again(token: str, action: Action) -> None:
    """No trace of it after the settle window: it never arrived."""
    life = ready(answer=Unclear("connection lost"))
    ask(life, **{token: "a"})
    life.watch(57, every=3)
    assert life.actions == [action]
    life.answer = Accepted()
    life.watch(6, every=3)
    assert life.actions == [action, action]
    life.watch(120, every=3)
    assert life.is_ready
    assert life.actions == [action, action]


@each_way
def test_a_refusal_is_tried_again_and_never_called_done(token: str, action: Action) -> None:
    """Withdrawn before that, it has not happened, and no Event says that it has."""
    life = ready(answer=Refused(Reason.REQUEST_REJECTED, "not now", needs_person=True))
    ask(life, **{token: "a"})
    life.watch(300, every=30)
    assert (life.actions, life.said, life.status.outcome) == ([action], Reason.REQUEST_REJECTED, Outcome.FAILED)
    ask(life)
    life.watch(12, every=3)
    assert life.is_ready
    assert life.actions == [action]
    assert life.status.handled_actions.model_dump(exclude_none=True) == {}
    assert not any("completed" in it.message for it in life.told)


@each_way
def test_what_takes_too_long_is_reported_and_never_repeated(token: str, action: Action) -> None:
    """The token was carried out; another one, or the end of it, is what helps."""
    life = ready()
    ask(life, **{token: "a"})
    life.machines = (at_work(),)
    life.watch(7200, every=30)
    assert (life.said, life.status.outcome) == (Reason.CREATE_TIMED_OUT, Outcome.FAILED)
    assert life.actions == [action]
    life.machines = (up(),)
    life.watch(120, every=30)
    assert life.is_ready
    assert life.actions == [action]


@each_way
def test_a_machine_that_fails_on_the_way_is_reported(token: str, action: Action) -> None:
    """In the provider's words; a further token begins anew."""
    life = ready()
    ask(life, **{token: "a"})
    life.machines = (at_work(),)
    life.watch(9, every=3)
    life.machines = (up(state=MachineState.STOPPED, trouble="no valid host"),)
    life.watch(9, every=3)
    assert (life.said, life.status.outcome) == (Reason.INSTANCE_FAILED, Outcome.FAILED)
    assert "no valid host" in life.condition("Ready").message
    ask(life, recreate="b")
    assert life.actions == [action, Rebuild("m-1")]


def test_tokens_of_every_kind_run_one_after_the_other() -> None:
    """And a restart is the last of them."""
    life = ready()
    ask(life, recreate="a", reinstall="a", regenerate_networking="a", restart="a")
    for _ in range(6):
        life.machines = (at_work(),)
        life.watch(6, every=3)
        life.machines = (up(started_at=life.now),)
        life.watch(12, every=3)
    assert [type(it) for it in life.actions] == [Rebuild, Reinstall, RegenerateNetworking, Restart]
    assert life.is_ready
    assert set(life.status.handled_actions.model_dump().values()) == {"a"}


def test_a_token_that_is_set_meanwhile_runs_afterwards() -> None:
    """Each token runs once, also in a row."""
    life = ready()
    ask(life, recreate="a")
    ask(life, recreate="b")
    assert life.actions == [Rebuild("m-1")]
    life.machines = (at_work(),)
    life.watch(6, every=3)
    life.machines = (up(started_at=life.now),)
    life.watch(12, every=3)
    assert life.actions == [Rebuild("m-1")] * 2
    assert life.status.handled_actions.recreate == "b"


def test_a_stop_meanwhile_comes_after_it() -> None:
    """A machine at work is not pushed; then it goes down, and stays so."""
    life = ready()
    ask(life, recreate="a")
    life.machines = (at_work(),)
    life.look(after=3)
    life.edit(SERVER.with_ports(80).asking(recreate="a").wanting(PowerState.STOPPED))
    life.watch(9, every=3)
    life.machines = (up(started_at=life.now),)
    life.watch(9, every=3)
    assert life.actions == [Rebuild("m-1"), Stop("m-1")]
    life.machines = (up(state=MachineState.STOPPED, started_at=life.now),)
    life.watch(9, every=3)
    assert life.status.outcome is Outcome.STOPPED
    assert len(life.actions) == 2


def test_a_machine_that_comes_back_down_is_started() -> None:
    """One that was made anew while it was down may be down afterwards: that is no exit."""
    down = up(state=MachineState.STOPPED)
    life = Life(SERVER.serving_at(HOST, 80).build(), (down,), limits=OF_HOSTWINDS)
    life.look()
    assert life.said == Reason.INSTANCE_EXITED
    ask(life, recreate="a")
    life.machines = (at_work(),)
    life.watch(6, every=3)
    life.machines = (down,)
    life.watch(9, every=3)
    assert life.actions == [Rebuild("m-1"), Start("m-1")]
    life.machines = (up(started_at=life.now),)
    life.watch(30, every=3)
    assert life.is_ready


def test_a_machine_that_is_not_listed_meanwhile_is_not_lost() -> None:
    """A provider may delete and provision under the same id; even with policy Recreate nothing is bought."""
    of = SERVER.with_spec(recovery={"policy": "Recreate"})
    life = ready(of)
    ask(life, recreate="a")
    life.machines = ()
    life.watch(60, every=3)
    assert life.said == Reason.REBUILDING
    life.machines = (up(ELSEWHERE, started_at=life.now),)
    life.watch(12, every=3)
    assert life.is_ready
    assert life.actions == [Rebuild("m-1")]


def test_a_machine_that_has_moved_on_is_asked_when_it_is_at_rest() -> None:
    """The provider is at work on it, though the listing did not show that: the call is off, and made later."""
    life = ready(answer=Outdated("server m-1 is active, rebooting"))
    ask(life, recreate="a")
    life.answer, life.machines = Accepted(), (at_work(),)
    life.watch(30, every=3)
    assert life.actions == [Rebuild("m-1")]
    life.machines = (up(started_at=NOW),)
    life.watch(3, every=3)
    assert life.actions == [Rebuild("m-1")] * 2
