"""For every snapshot: a machine that is only observed is never touched, and one that is adopted is never stolen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from gpuinstance.api.parts import Adopt
from gpuinstance.api.words import Management
from gpuinstance.core.decide import RULES_WHEN_OBSERVING
from gpuinstance.core.decision import Create
from gpuinstance.core.snapshot import Seen, Snapshot
from tests.builders import IDENTITY
from tests.properties.deciding import decided
from tests.properties.likely import likely_snapshots
from tests.properties.promises import (
    PROMISES,
    a_pass_that_learns_nothing_writes_nothing,
    a_settled_object_stays_settled,
    ready_is_claimed_only_for_a_running_machine,
)
from tests.properties.strategies import machines, snapshots
from tests.unit.core.observed import THEIRS

HANDS_OFF: dict[str, Any] = {"management": Management.OBSERVE}


def saying(snapshot: Snapshot, **spec: Any) -> Snapshot:
    """Return the snapshot of an object that says this in its spec."""
    changed = snapshot.spec.model_copy(update=spec)
    return replace(snapshot, instance=snapshot.instance.model_copy(update={"spec": changed}))


@st.composite
def naming(draw: st.DrawFn, of: st.SearchStrategy[Snapshot]) -> Snapshot:
    """A snapshot of an object that names a machine, which somebody else may own."""
    named = draw(st.sampled_from(["m-1", THEIRS]))
    seen = saying(draw(of), adopt=Adopt(instance_id=named))
    if not isinstance(seen.view, Seen):
        return seen
    name = draw(st.sampled_from(["workstation", "blue-default-trainer-0badcafe-1", IDENTITY.name(1)]))
    listed = tuple(replace(it, name=name) if it.id == named else it for it in seen.view.machines)
    candidates = tuple(it for it in listed if it.id == named)
    candidates = candidates or draw(st.sampled_from([(), (draw(machines(named, "workstation")),)]))
    shown = tuple(it for it in listed if it.id == seen.machine_id or IDENTITY.attempt_of(it.name) is not None)
    # Nobody else owns what carries our name, or anything of an object that has bought one of its own.
    alone = name != IDENTITY.name(1) and len(shown) <= 1
    claimed = draw(st.sampled_from([None, None, "GPUInstance team-b/web"])) if alone else None
    return replace(seen, view=replace(seen.view, machines=shown, candidates=candidates), claimed_by=claimed)


@settings(max_examples=2 * settings().max_examples)
@given(st.one_of(likely_snapshots(), snapshots(), naming(likely_snapshots()), naming(snapshots())))
def test_no_snapshot_makes_it_act(snapshot: Snapshot) -> None:
    """Nor write for ever, nor claim Ready for what does not run, nor keep an object that is to go."""
    seen, decision = decided(saying(snapshot, **HANDS_OFF))
    note(decision.rule)
    assert decision.rule in {rule.__name__ for rule in RULES_WHEN_OBSERVING}
    assert decision.action is None
    assert decision.release is seen.deleting
    if decision.rule == "leave_what_another_owns":
        return  # What is seen of the world depends on the record that it drops.
    for promise in (
        a_pass_that_learns_nothing_writes_nothing,
        a_settled_object_stays_settled,
        ready_is_claimed_only_for_a_running_machine,
    ):
        promise(seen, decision)


@given(st.one_of(snapshots(), naming(snapshots())))
def test_no_rule_for_observed_machines_acts_by_itself(snapshot: Snapshot) -> None:
    """Asked one by one, outside of their order, none of them ever acts."""
    for rule in RULES_WHEN_OBSERVING:
        decision = rule(saying(snapshot, **HANDS_OFF))
        assert decision is None or decision.action is None, rule.__name__


@settings(max_examples=2 * settings().max_examples)
@given(naming(st.one_of(likely_snapshots(), snapshots())))
def test_with_control_every_promise_is_kept(snapshot: Snapshot) -> None:
    """Of the machine that it names, too; what somebody else owns is not touched, and nothing is bought in its place."""
    seen, decision = decided(saying(snapshot, management=Management.FULL))
    note(decision.rule)
    for promise in PROMISES if decision.rule != "leave_what_another_owns" else ():
        promise(seen, decision)
    if seen.status.instance is None:
        assert not isinstance(decision.action, Create)
    if seen.claimed_by is not None and not isinstance(decision.action, Create | None):
        assert seen.spec.adopt is not None
        assert decision.action.machine_id != seen.spec.adopt.instance_id
