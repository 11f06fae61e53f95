"""Control over an adopted machine: differences become changes, and deletion follows the policy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import DeletionPolicy, PowerState
from gpuinstance.core.decision import Action, ChangeSoftware, Delete, GrowDisk, SetPorts, Start, Stop
from gpuinstance.core.model import MachineState, Software
from tests.builders import IMAGE, OF_HOSTWINDS, InstanceBuilder, ports
from tests.unit.core.observed import THEIRS, Found, adopting, found, workstation

OTHER = "docker.io/library/nginx:1.28"
FULL: dict[str, Any] = {"management": "Full"}


# ------------------------------------------------------------------------------------------------- taking control

TAKEN: dict[str, tuple[dict[str, Any], dict[str, Any], Action]] = {
    "another image, with its data": ({}, {"image": OTHER}, ChangeSoftware(THEIRS, Software(IMAGE), keep_data=True)),
    "other ports": ({}, {"exposes": ("8080/http",)}, SetPorts(THEIRS, ports("80/http"))),
    "a larger disk": ({"rootfs_size_gb": 100}, {}, GrowDisk(THEIRS, 60, 100)),
    "it is to run": ({}, {"state": MachineState.STOPPED}, Start(THEIRS)),
    "it is to be down": ({"power_state": PowerState.STOPPED}, {}, Stop(THEIRS)),
}


@pytest.mark.parametrize(("spec", "shows", "action"), TAKEN.values(), ids=TAKEN)
@pytest.mark.parametrize("at_once", [True, False], ids=["from the beginning", "after it was observed"])
def test_with_control_a_difference_becomes_a_change(
    spec: dict[str, Any], shows: dict[str, Any], action: Action, *, at_once: bool
) -> None:
    """The same one, whether control is taken from the beginning or later."""
    life = found(adopting(**spec, **(FULL if at_once else {})), workstation(**shows))
    if not at_once:
        life.settle()
        assert life.actions == []
        life.edit(adopting(**spec, **FULL))
    life.watch(60, every=3)
    assert life.actions[0] == action


@pytest.mark.parametrize(("spec", "shows", "action"), TAKEN.values(), ids=TAKEN)
def test_what_came_about_while_it_was_observed_is_changed_as_well(
    spec: dict[str, Any], shows: dict[str, Any], action: Action
) -> None:
    """When control is taken the machine is compared as it stands then, and not as it was first seen."""
    as_specified = {"state": MachineState.STOPPED} if spec.get("power_state") else {"rootfs_gb": 100}
    life = found(adopting(**spec), workstation(**as_specified)).settle()
    assert life.shown() == {}
    life.machines = (workstation(**shows),)
    life.settle()
    assert life.shown()
    life.edit(adopting(**spec, **FULL))
    life.watch(60, every=3)
    assert life.actions[0] == action


def test_what_is_as_the_spec_says_is_left_alone() -> None:
    """Control costs no restart where nothing differs, however the provider writes the image."""
    life = found(adopting(), workstation(image="nginx:1.27")).settle()
    life.edit(adopting(**FULL))
    life.watch(600, every=10)
    assert (life.is_ready, life.actions, life.shown()) == (True, [], {})


@pytest.mark.parametrize(
    ("spec", "shows"),
    [
        ({"product": {"name": "H100"}}, {}),
        ({}, {"gpu_count": 2}),
        ({"billing": {"mode": "Spot"}}, {}),
    ],
    ids=["product", "GPUs", "billing"],
)
def test_what_cannot_be_changed_is_said(spec: dict[str, Any], shows: dict[str, Any]) -> None:
    """RecreateRequired, until the spec says what the machine is, or a token replaces it."""
    life = found(adopting(**spec, **FULL), workstation(**shows)).settle()
    assert (life.said, life.actions) == (Reason.RECREATE_REQUIRED, [])
    as_it_is = {"gpu_count": shows["gpu_count"]} if shows else {}
    life.edit(adopting(**as_it_is, **FULL))
    life.watch(60, every=3)
    assert (life.is_ready, life.actions) == (True, [])


def test_the_spec_may_follow_the_machine_instead() -> None:
    """Whoever names the image that runs there gets no restart for it, under control or before."""
    life = found(adopting(), workstation(image=OTHER)).settle()
    life.edit(adopting(image="nginx:1.28"))
    life.settle()
    assert life.shown() == {}
    life.edit(adopting(image="nginx:1.28", **FULL))
    life.watch(300, every=10)
    assert (life.is_ready, life.actions) == (True, [])
    life = found(adopting(product={"name": "H100"}, **FULL), workstation(image=OTHER)).settle()
    life.edit(adopting(image="nginx:1.28", **FULL))
    life.watch(300, every=10)
    assert (life.is_ready, life.actions) == (True, [])


def test_an_environment_that_is_edited_before_control_is_applied_with_it() -> None:
    """Nobody sees what the machine has; what was asked for after it was adopted is a change."""
    life = found(adopting(), workstation()).settle()
    edited = {"env": [{"name": "LEVEL", "value": "debug"}]}
    life.edit(adopting(**edited))
    life.settle()
    assert life.actions == []
    life.edit(adopting(**edited, **FULL))
    life.watch(60, every=3)
    assert [type(it) for it in life.actions] == [ChangeSoftware]


@pytest.mark.parametrize("token", ["restart", "recreate"])
def test_a_token_that_was_set_before_the_machine_was_adopted_asks_nothing_of_it(token: str) -> None:
    """A manifest that was copied together with its tokens does not destroy what it adopts."""
    life = found(adopting(actions={token: "a"}, **FULL), workstation()).settle()
    assert (life.is_ready, life.actions) == (True, [])
    life.edit(adopting(actions={token: "b"}, **FULL))
    life.look(after=3)
    assert len(life.actions) == 1


def test_a_server_of_another_product_is_upgraded_by_an_order_only() -> None:
    """Where a plan is ordered and paid, taking control does not order one."""
    server = adopting(**FULL).of_hostwinds().with_spec(product={"id": "402"})
    shows = workstation(exposes=(), host="203.0.113.10", product_id="403", product_name="Bigger", gpu_count=None)
    life = found(server, shows, limits=OF_HOSTWINDS).settle()
    assert (life.said, life.actions) == (Reason.UPGRADE_REQUIRED, [])


# ------------------------------------------------------------------------------------------------- deletion


def deleted(life: Found) -> list[Action]:
    """Delete the object, let the provider do what it is asked for; return what that was."""
    going = life.instance.metadata.model_copy(update={"deletion_timestamp": life.now})
    life.instance = life.instance.model_copy(update={"metadata": going})
    for _ in range(100):
        before = len(life.actions)
        if life.look(after=3).release:
            return life.actions
        for action in life.actions[before:]:
            life.machines = () if isinstance(action, Delete) else (workstation(MachineState.STOPPED),)
    raise AssertionError("the object does not go")


@pytest.mark.parametrize("deletion_policy", DeletionPolicy)
def test_an_observed_machine_outlives_its_object(deletion_policy: DeletionPolicy) -> None:
    """Whatever the policy: nothing is ever changed, and no provider is needed for that."""
    life = found(adopting(deletion_policy=deletion_policy), workstation()).settle()
    life.blind = True
    assert deleted(life) == []


@pytest.mark.parametrize(
    ("deletion_policy", "actions"),
    [
        (DeletionPolicy.DELETE, [Delete(THEIRS)]),
        (DeletionPolicy.STOP, [Stop(THEIRS)]),
        (DeletionPolicy.ORPHAN, []),
    ],
)
@pytest.mark.parametrize("emptied", [False, True], ids=["as it was", "with its status emptied"])
def test_a_controlled_machine_goes_as_the_policy_says(
    deletion_policy: DeletionPolicy, actions: list[Action], *, emptied: bool
) -> None:
    """It carries no name of ours: without a record it is found by what the spec says, and not forgotten."""
    life = found(adopting(**FULL, deletion_policy=deletion_policy), workstation()).settle()
    if emptied:
        life.forget(deletion_timestamp=life.now)
        life.blind = deletion_policy is not DeletionPolicy.ORPHAN
        life.look(after=1)
        life.blind = False
    assert deleted(life) == actions


def test_an_emptied_status_does_not_make_another_ones_machine_ours() -> None:
    """What is somebody else's stays, also where nobody remembers that it was refused."""
    life = found(adopting(**FULL), workstation(), claimed_by="GPUInstance team-b/web").settle()
    life.forget(deletion_timestamp=life.now)
    assert deleted(life) == []


def test_an_emptied_status_is_made_up_for() -> None:
    """The machine is noted again, and neither bought, restarted nor changed."""
    for management in ("Observe", "Full"):
        life: Found = found(adopting(management=management), workstation()).settle()
        life.forget()
        life.settle()
        assert (life.is_ready, life.actions) == (True, [])


def test_after_a_replacement_the_machine_is_an_ordinary_one() -> None:
    """A token replaces the adopted machine by one that was bought for the object, which is never adopted again."""
    builder: InstanceBuilder = adopting(**FULL)
    life = found(builder, workstation()).settle()
    life.edit(adopting(**FULL, actions={"recreate": "a"}))
    life.look(after=3)
    assert life.actions == [Delete(THEIRS)]
    life.machines = ()
    life.now += timedelta(minutes=5)
    life.watch(30, every=3)
    assert [type(it).__name__ for it in life.actions] == ["Delete", "Create"]
    assert life.said == Reason.CREATING
