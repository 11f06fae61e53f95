"""Stories with crashes: whatever goes wrong on the way, the world ends as the user wants, and paid once.

Hypothesis writes the stories: edits of the spec, deletions, meddling in the provider's console, lost
requests, lost answers, refusals, conflicts, and deaths of the operator at any boundary. The operator in
them is the real `Reconciler`; time is virtual, so that a day of trouble takes a moment.

A failing story is printed as a list of calls; it replays by itself, because nothing in it is random:
`pytest tests/properties/test_convergence.py` runs the same stories every time, and
`HYPOTHESIS_PROFILE=explore` looks for new ones.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gpuinstance.api.words import ConditionStatus, Outcome, PowerState
from gpuinstance_simulator.console import ConsoleAction
from tests.properties.world.fate import PLANS, Kind, Trouble
from tests.properties.world.world import Lags, World

_HARMLESS = ("restart", "migrate")
_HARMFUL = ("stop", "exit", "freeze", "unfreeze", "delete", "fail", "start")


class Story(RuleBasedStateMachine):
    """One object's life, and everything that may happen in it."""

    @initialize(
        listing=st.sampled_from([0.0, 5.0, 25.0]),
        deletion=st.sampled_from([0.0, 5.0, 25.0]),
        lookups=st.booleans(),
        watch=st.sampled_from([0.05, 1.5, 10.0]),
        in_place=st.booleans(),
    )
    def begin(self, listing: float, deletion: float, watch: float, *, lookups: bool, in_place: bool) -> None:
        """A user applies the object in a world with these lags."""
        lags = Lags(listing=listing, deletion=deletion, lookups=lookups, watch=watch)
        self.world = World(lags, in_place=in_place)
        self.in_place = in_place
        self.interfered = False
        self.troubled = False
        self.deleted = False
        self.helped = False
        self.restarts: list[str] = []
        self.recreates: list[str] = []
        self.reinstalls: list[str] = []
        self.networkings: list[str] = []

    @rule(seconds=st.sampled_from([1, 4, 10, 30, 70, 300]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.world.pass_time(timedelta(seconds=seconds))

    @rule(plan=st.sampled_from(PLANS), after=st.integers(0, 3))
    def trouble(self, plan: tuple[Kind, Trouble], after: int) -> None:
        """One of the next calls of a kind will go wrong."""
        self.troubled = True
        self.world.fate.plan(*plan, after=after)

    @rule()
    def kill(self) -> None:
        """The operator's pod is deleted."""
        self.troubled = True
        self.world.kill()

    @precondition(lambda self: not self.deleted)
    @rule(state=st.sampled_from(PowerState))
    def set_power(self, state: PowerState) -> None:
        """The user wants it up, or down."""
        self.edit(powerState=state.value)

    @precondition(lambda self: not self.deleted)
    @rule(numbers=st.sets(st.sampled_from([80, 8080, 8888]), min_size=1))
    def set_ports(self, numbers: set[int]) -> None:
        """The user publishes other ports."""
        self.edit(ports=[{"port": number, "protocol": "http"} for number in sorted(numbers)])

    @precondition(lambda self: not self.deleted and not self.in_place)
    @rule(tag=st.sampled_from(["1.27", "1.28"]))
    def set_image(self, tag: str) -> None:
        """The user wants other software."""
        self.edit(image=f"docker.io/library/nginx:{tag}")

    @precondition(lambda self: not self.deleted)
    @rule()
    def restart(self) -> None:
        """The user asks for a restart."""
        self.restarts.append(f"restart-{len(self.restarts)}")
        self.set_tokens()

    @precondition(lambda self: not self.deleted)
    @rule()
    def recreate(self) -> None:
        """The user asks for another machine."""
        self.recreates.append(f"recreate-{len(self.recreates)}")
        self.set_tokens()

    @precondition(lambda self: not self.deleted and self.in_place)
    @rule(template=st.sampled_from(["ubuntu", "debian"]))
    def reinstall(self, template: str) -> None:
        """The user wants a template to be installed."""
        self.reinstalls.append(f"reinstall-{len(self.reinstalls)}")
        self.edit(templateID=template)
        self.set_tokens()

    @precondition(lambda self: not self.deleted and self.in_place)
    @rule()
    def regenerate_networking(self) -> None:
        """The user wants the network to be set up anew."""
        self.networkings.append(f"networking-{len(self.networkings)}")
        self.set_tokens()

    @precondition(lambda self: not self.deleted)
    @rule(suspend=st.booleans())
    def suspend(self, *, suspend: bool) -> None:
        """The user asks the operator to keep its hands off, or no longer."""
        self.edit(suspend=suspend)

    @rule(is_sick=st.booleans())
    def infect(self, *, is_sick: bool) -> None:
        """The application in the machine stops answering, or answers again."""
        self.world.infect(is_sick=is_sick)

    @precondition(lambda self: not self.deleted)
    @rule(policy=st.sampled_from(["Never", "Restart", "Recreate"]))
    def set_recovery(self, policy: str) -> None:
        """The user wants help for machines in trouble, or none."""
        self.helped |= policy != "Never"
        self.edit(recovery={"policy": policy})

    @precondition(lambda self: not self.deleted)
    @rule()
    def label(self) -> None:
        """Somebody labels the object."""
        self.world.server.label()

    @precondition(lambda self: not self.deleted)
    @rule(policy=st.sampled_from(["Delete", "Delete", "Stop", "Orphan"]))
    def delete(self, policy: str) -> None:
        """The user deletes the object."""
        self.edit(deletionPolicy=policy)
        self.world.server.delete()
        self.deleted = True
        self.policy = policy

    @rule(verb=st.sampled_from(_HARMLESS))
    def meddle_harmlessly(self, verb: Any) -> None:
        """Somebody uses the provider's console, and the machine comes back by itself."""
        self.world.meddle(ConsoleAction(action=verb))

    @rule(verb=st.sampled_from(_HARMFUL))
    def meddle(self, verb: Any) -> None:
        """Somebody uses the provider's console behind the operator's back."""
        if self.world.meddle(ConsoleAction(action=verb)):
            self.interfered = True

    @invariant()
    def nothing_to_complain(self) -> None:
        """The judge has seen nothing that must not be."""
        if hasattr(self, "world"):
            assert self.world.complaints == []

    def teardown(self) -> None:
        """The end of every story: trouble ends, and the world comes to rest as the user wants."""
        if not hasattr(self, "world"):
            return
        try:
            self.world.come_to_rest()
            self.judge_end()
            self.world.judge_rest()
            assert self.world.complaints == []
        finally:
            self.world.close()

    def edit(self, **spec: Any) -> None:
        """Edit the spec."""
        self.world.server.edit(**spec)

    def set_tokens(self) -> None:
        """Write the last token of each kind into the spec."""
        tokens = {
            "restart": self.restarts[-1:],
            "recreate": self.recreates[-1:],
            "reinstall": self.reinstalls[-1:],
            "regenerateNetworking": self.networkings[-1:],
        }
        self.edit(actions={name: token[0] for name, token in tokens.items() if token})

    def judge_end(self) -> None:
        """What the user finds when everything has calmed down."""
        machines = self.world.machines()
        if not self.troubled and not self.helped:
            changes = Counter(self.world.changes())
            assert changes["create"] <= 1 + len(self.recreates), "each recreate token buys once"
            restarts = len(self.restarts) + len(self.networkings)
            assert changes["restart"] <= restarts, "each token restarts once"
            if self.in_place:
                rebuilds = len(self.recreates) + len(self.reinstalls)
                assert changes["upgrade"] <= rebuilds, "each token makes the machine anew once"
                assert changes["create"] <= 1 or self.interfered, "what stands is not bought again"
        if self.world.server.body is None:
            assert self.deleted, "only a user deletes the object"
            assert not machines or self.policy != "Delete", f"left behind: {machines}"
            return
        frozen = any(it.word == "freezing" for it in machines)
        assert not self.deleted or (frozen and self.policy == "Stop"), "a deleted object goes in the end"
        assert len(machines) <= 1, f"one machine at most, not {[it.name for it in machines]}"
        if not self.interfered and not self.world.is_sick:
            self.judge_wish()

    def judge_wish(self) -> None:
        """Where nobody meddled, the object is as its spec says."""
        object_ = self.world.server.instance()
        spec, status, machines = object_.spec, object_.status, self.world.machines()
        assert status.observed_generation == object_.metadata.generation
        if spec.suspend:
            assert status.outcome in (Outcome.READY, Outcome.SUSPENDED), status
        elif spec.power_state is PowerState.STOPPED:
            assert status.outcome is Outcome.STOPPED, status
            assert all(it.word == "exited" for it in machines)
        else:
            ready = status.condition("Ready")
            assert ready is not None, status
            assert ready.status is ConditionStatus.TRUE, status
            [machine] = machines
            assert machine.word == "running"
            assert machine.order.software.image == (spec.image or spec.template_id)
            assert {it.number for it in machine.order.ports} == {it.port for it in spec.ports or ()}
            assert status.handled_actions.model_dump() == spec.actions.model_dump()


TestStory = Story.TestCase
TestStory.settings = settings(stateful_step_count=20)
