"""The table: every situation of a GPUInstance, settled or not, and what each judge has to say about it.

One row for each situation of the truth table that waiters rely on, and one for each further situation of ours.
`verdicts.py` holds the words of the judges, `stories.py` turns a story into an object. The page docs/waiting.md
shows this table, and a test holds it to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.core.model import Machine, MachineState, Software
from gpuinstance.core.record import Refused, Unclear
from gpuinstance.core.snapshot import Blind, FoundUpgrade
from tests.builders import NOW, machine, order, ports, refusal, report
from tests.judges import verdicts
from tests.judges.stories import INSTANCE, Body, Delete, Edit, Kind, Look, Story, look, on_paper
from tests.judges.verdicts import Judgement


@dataclass(frozen=True)
class Situation:
    """One row."""

    name: str
    story: Story
    expected: Judgement
    kind: Kind = INSTANCE

    @property
    def slug(self) -> str:
        """The name, as an object in a cluster may be called."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.name.lower()).split())

    def on_paper(self) -> Body:
        """Return the object at the end of the story, without an API server."""
        return on_paper(self.story, self.kind, self.slug)


# What the operator sees ------------------------------------------------------------------------------


def _m1(state: MachineState = MachineState.RUNNING, **fields: Any) -> Machine:
    return machine("m-1", state, **fields)


def _healthy(minute: float, **facts: Any) -> Look:
    known: dict[str, Any] = {
        "addresses": ports("80/http", published=True),
        "health": report(80, at=NOW + timedelta(minutes=minute)),
    }
    return look(_m1(), minute=minute, **known | facts)


def _sick(minute: float) -> Look:
    """The application's port answers 502."""
    return _healthy(minute, health=report(sick=[80], at=NOW + timedelta(minutes=minute)))


def _blind(minute: float, reason: Reason, *, needs_person: bool = False, since: float | None = None) -> Look:
    """The provider cannot be observed since a moment ago, or since a minute of the story."""
    last = minute - 0.5 if since is None else since
    return Look(minute=minute, blind=Blind(reason, f"because of {reason}", needs_person, NOW + timedelta(minutes=last)))


_OUTAGE, _REFUSED_KEY = Reason.PROVIDER_UNAVAILABLE, Reason.UNAUTHORIZED
_NO_ANSWER = Unclear("no answer in time")
_NONE_FREE = Refused(Reason.INSUFFICIENT_RESOURCE, "no such machine is free now", needs_person=False)
_NO_MONEY = Refused(Reason.BALANCE_NOT_ENOUGH, "the account has no money left", needs_person=True)

# What goes before --------------------------------------------------------------------------------------

_BOUGHT: Story = (look(plan=order()),)
_PLACED: Story = (*_BOUGHT, look(_m1(MachineState.CREATING), minute=1))
_READY: Story = (*_PLACED, _healthy(2))
_STOPPING: Story = (*_READY, Edit({"powerState": "Stopped"}), look(_m1(), minute=3))
_STOPPED: Story = (*_STOPPING, look(_m1(MachineState.STOPPED), minute=5))
_SUSPENDED: Story = (*_READY, Edit({"suspend": True}), look(_m1(), minute=3))
_UNFIT: Story = (*_READY, Edit({"gpuCount": 2}), look(_m1(), minute=3))
_NO_EFFECT = Edit({"healthCheck": {"intervalSeconds": 45}})
_NEW_IMAGE = Edit({"image": "docker.io/library/nginx:1.28"})
_UPGRADE = FoundUpgrade("bigger", "5f0c7d1e", "m-1", holds=True)
_NEW_SOFTWARE = Software("docker.io/library/nginx:1.28")

# The table ---------------------------------------------------------------------------------------------

TABLE: tuple[Situation, ...] = (
    # On the way up.
    Situation("created, not looked at yet", (), verdicts.WAITING),
    Situation("buying, the call is under way", (Look(facts={"plan": order()}, answer=None),), verdicts.WAITING),
    Situation("buying, the call got no answer", (look(plan=order(), answer=_NO_ANSWER),), verdicts.WAITING),
    Situation("buying, none is free: tried again", (look(plan=order(), answer=_NONE_FREE),), verdicts.WAITING),
    Situation("provisioning", _PLACED, verdicts.WAITING),
    Situation("running, not answering yet", (*_PLACED, _sick(2)), verdicts.WAITING),
    # Up.
    Situation("ready", _READY, verdicts.SERVING),
    Situation("ready, one round of health checks missed", (*_READY, _sick(3)), verdicts.SERVING),
    Situation("ready until it stopped answering", (*_READY, _sick(3), _sick(4), _sick(5)), verdicts.WAITING),
    # The spec changes.
    Situation("spec changed, not looked at yet", (*_READY, _NEW_IMAGE), verdicts.WAITING),
    Situation(
        "spec changed, being applied",
        (*_READY, _NEW_IMAGE, look(_m1(), minute=3, software=_NEW_SOFTWARE)),
        verdicts.WAITING,
    ),
    Situation("change without effect, not looked at yet", (*_READY, _NO_EFFECT), verdicts.WAITING),
    Situation("change without effect, acknowledged", (*_READY, _NO_EFFECT, _healthy(3)), verdicts.SERVING),
    # Somebody has ordered an upgrade.
    Situation("being changed by an upgrade", (*_READY, Look((_m1(),), minute=3, upgrade=_UPGRADE)), verdicts.WAITING),
    # The provider is out of sight.
    Situation("provider out of sight from the start", (_blind(1, _OUTAGE),), verdicts.WAITING),
    Situation("ready, provider out of sight for a moment", (*_READY, _blind(3, _OUTAGE)), verdicts.SERVING),
    Situation("ready, provider out of sight for too long", (*_READY, _blind(9, _OUTAGE, since=2)), verdicts.WAITING),
    # Only a person helps.
    Situation("API key refused", (_blind(1, _REFUSED_KEY, needs_person=True),), verdicts.FAILED),
    Situation("product does not exist", (look(plan=refusal(Reason.PRODUCT_NOT_FOUND)),), verdicts.FAILED),
    Situation(
        "price above the limit",
        (Edit({"billing": {"maxHourlyPrice": 0.1}}), look(plan=order())),
        verdicts.FAILED,
    ),
    Situation("account without money", (look(plan=order(), answer=_NO_MONEY),), verdicts.FAILED),
    Situation(
        "not up in time", (*_PLACED, look(_m1(MachineState.STARTING, word="pulling"), minute=40)), verdicts.FAILED
    ),
    Situation("not healthy in time", (*_PLACED, _sick(2), _sick(10)), verdicts.FAILED),
    Situation("not healthy in time, healed", (*_PLACED, _sick(2), _sick(10), _healthy(20)), verdicts.SERVING),
    Situation("lost at the provider", (*_READY, look(minute=3, confirmed_gone=frozenset({"m-1"}))), verdicts.FAILED),
    Situation("down by itself", (*_READY, look(_m1(MachineState.STOPPED), minute=3)), verdicts.EXITED),
    Situation("frozen by the provider", (*_READY, look(_m1(MachineState.SUSPENDED), minute=3)), verdicts.FAILED),
    Situation("change that needs a new machine", _UNFIT, verdicts.FAILED),
    Situation("such a change reverted, not looked at yet", (*_UNFIT, Edit({"gpuCount": 1})), verdicts.WAITING),
    # Down, or left alone, as asked.
    Situation("stopping", _STOPPING, verdicts.WAITING),
    Situation("stopped, as asked", _STOPPED, verdicts.STOPPED),
    Situation("stopped, provider out of sight for a moment", (*_STOPPED, _blind(6, _OUTAGE)), verdicts.STOPPED),
    Situation(
        "stopped, start asked, not looked at yet", (*_STOPPED, Edit({"powerState": "Running"})), verdicts.WAITING
    ),
    Situation(
        "stopped, being started",
        (*_STOPPED, Edit({"powerState": "Running"}), look(_m1(MachineState.STOPPED), minute=6)),
        verdicts.WAITING,
    ),
    Situation("suspended, not looked at yet", (*_READY, Edit({"suspend": True})), verdicts.WAITING),
    Situation("suspended while ready", _SUSPENDED, verdicts.PAUSED_SERVING),
    Situation(
        "suspended, provider out of sight for too long", (*_SUSPENDED, _blind(9, _OUTAGE, since=3)), verdicts.WAITING
    ),
    Situation("suspended before it was bought", (Edit({"suspend": True}), look(minute=1)), verdicts.PAUSED),
    # On the way out.
    Situation("deleted, not looked at yet", (*_READY, Delete()), verdicts.LEAVING),
    Situation("being deleted", (*_READY, Delete(), look(_m1(MachineState.REMOVING), minute=3)), verdicts.LEAVING),
    Situation(
        "being deleted, API key refused",
        (*_READY, Delete(), _blind(3, _REFUSED_KEY, needs_person=True)),
        verdicts.STUCK_LEAVING,
    ),
)
