"""Adoption: a machine that exists is observed first, never stolen, and controlled only by a word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import DeletionPolicy, Outcome, PowerState
from gpuinstance.core.decision import Action, ChangeSoftware, Delete, GrowDisk, SetPorts, Start, Stop
from gpuinstance.core.model import Machine, MachineState, Software
from tests.builders import IMAGE, OF_HOSTWINDS, InstanceBuilder, ago, ports
from tests.unit.core.observed import THEIRS, Found, adopting, found, workstation

OTHER = "docker.io/library/nginx:1.28"
FULL: dict[str, Any] = {"management": "Full"}


def forgotten(life: Found, **metadata: Any) -> None:
    """Somebody empties the status."""
    fresh = life.instance.metadata.model_copy(update=metadata)
    life.instance = life.instance.model_copy(update={"status": adopting().build().status, "metadata": fresh})


# ------------------------------------------------------------------------------------------------- observed first


def test_a_machine_is_taken_note_of_and_left_alone() -> None:
    """Ready as soon as its application answers, with what is known of it; nothing is done, nothing is bought."""
    life = found(adopting(), workstation()).settle()
    assert (life.said, life.status.outcome, life.actions) == (Reason.READY, Outcome.READY, [])
    recorded = life.status.instance
    assert recorded is not None
    assert (recorded.id, recorded.name, recorded.product_name) == (THEIRS, "workstation", "RTX 4090")
    assert [endpoint.port for endpoint in life.status.endpoints or ()] == [80]
    assert (life.status.attempts, life.status.operation, life.status.created_at) == (0, None, ago(hours=2))
    assert [(it.reason, it.warning) for it in life.told] == [(Reason.ADOPTING, False), (Reason.READY, False)]


def test_what_differs_is_shown_and_does_not_take_ready_away() -> None:
    """Ready is about health; whether it is as the spec says is said beside it."""
    life = found(adopting(power_state=PowerState.STOPPED), workstation(image=OTHER)).settle()
    assert life.is_ready
    assert life.condition("Synced").reason == Reason.DRIFT_DETECTED
    assert set(life.shown()) == {"powerState", "image"}
    assert life.actions == []
    life.sick = frozenset({80})
    life.watch(300, every=10)
    assert life.said == Reason.HEALTH_CHECK_FAILED
    assert life.condition("Synced").reason == Reason.DRIFT_DETECTED


def test_what_others_do_with_it_is_followed() -> None:
    """Stopped, started, with other ports: the status says what is, and nothing is done about it."""
    life = found(adopting(), workstation()).settle()
    life.machines = (workstation(MachineState.STOPPED),)
    life.settle()
    assert (life.said, life.status.outcome) == (Reason.STOPPED, Outcome.STOPPED)
    assert life.shown() == {"powerState": ("Running", "Stopped")}
    life.machines = (workstation(exposes=("80/http", "8080/http"), started_at=life.now),)
    life.published = ports("80/http", "8080/http", published=True)
    life.settle()
    assert life.is_ready
    assert [endpoint.port for endpoint in life.status.endpoints or ()] == [80, 8080]
    assert life.shown() == {"ports": ("80/http", "80/http,8080/http")}
    assert life.actions == []


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (MachineState.STARTING, Reason.STARTING),
        (MachineState.MIGRATING, Reason.STARTING),
        (MachineState.SUSPENDED, Reason.INSTANCE_SUSPENDED),
        (MachineState.RESIZED, Reason.RESIZE_UNCONFIRMED),
        (MachineState.UNKNOWN, Reason.PENDING),
        (MachineState.STOPPED, Reason.STOPPED),
    ],
)
def test_a_machine_in_any_state_is_shown_as_it_is(state: MachineState, reason: Reason) -> None:
    """However long that lasts."""
    life = found(adopting(), workstation(state)).settle()
    life.watch(7200, every=60)
    assert (life.said, life.actions) == (reason, [])


def test_a_failed_machine_is_only_shown() -> None:
    """Its trouble is told in the provider's words, whatever spec.recovery asks of a machine that is controlled."""
    broken = workstation(MachineState.STOPPED, trouble="out of memory")
    life = found(adopting(recovery={"policy": "Recreate"}), broken).settle()
    assert (life.said, life.actions) == (Reason.INSTANCE_FAILED, [])
    assert "out of memory" in life.condition("Ready").message


def test_a_lost_machine_is_only_told() -> None:
    """Nothing is bought in its place; if it comes back, it is observed again."""
    life = found(adopting(recovery={"policy": "Recreate"}), workstation()).settle()
    life.machines = ()
    life.settle()
    assert (life.said, life.status.outcome, life.actions) == (Reason.INSTANCE_LOST, Outcome.FAILED, [])
    life.machines = (workstation(),)
    life.settle()
    assert life.is_ready


# ------------------------------------------------------------------------------------------------- refusals

MISSING: dict[str, tuple[Machine, ...]] = {
    "it is not there": (),
    "it is gone": (workstation(MachineState.REMOVED),),
    "it is on its way out": (workstation(MachineState.REMOVING),),
    "another one is there": (replace(workstation(), id="x-10"),),
}


@pytest.mark.parametrize("management", ["Observe", "Full"])
@pytest.mark.parametrize("machines", MISSING.values(), ids=MISSING)
def test_nothing_is_bought_in_place_of_a_machine_that_is_missing(
    machines: tuple[Machine, ...], management: str
) -> None:
    """A wrong id is an error in words, and not a purchase, also after somebody has emptied the status."""
    life = found(adopting(management=management), *machines).settle()
    assert (life.said, life.status.outcome, life.status.instance) == (Reason.ADOPTION_FAILED, Outcome.FAILED, None)
    assert THEIRS in life.condition("Ready").message
    forgotten(life)
    life.settle()
    assert (life.said, life.actions) == (Reason.ADOPTION_FAILED, [])


def test_a_machine_that_is_listed_late_is_adopted_then() -> None:
    """A listing lags: what is not there yet is looked for again."""
    life = found(adopting()).settle()
    life.machines = (workstation(),)
    assert life.settle().is_ready


@pytest.mark.parametrize("management", ["Observe", "Full"])
@pytest.mark.parametrize(
    ("name", "claimed_by", "owner"),
    [
        ("blue-default-trainer-0badcafe-1", None, "the cluster with the mark blue"),
        ("workstation", "GPUInstance team-b/web", "GPUInstance team-b/web"),
    ],
)
def test_what_belongs_to_others_is_refused_in_words(
    name: str, claimed_by: str | None, owner: str, management: str
) -> None:
    """For ever, and without a trace of the machine in the status: nothing may follow from it later."""
    life = found(adopting(management=management), workstation(name=name), claimed_by=claimed_by).settle()
    life.watch(3600, every=60)
    assert (life.said, life.status.instance, life.actions) == (Reason.FOREIGN_INSTANCE, None, [])
    assert owner in life.condition("Ready").message
    assert len(life.told) == 1
    life.instance = life.instance.model_copy(
        update={"metadata": life.instance.metadata.model_copy(update={"deletion_timestamp": life.now})}
    )
    assert life.look().release, "an object that owns nothing goes at once"
    assert life.actions == []


def test_an_orphan_of_this_cluster_may_be_adopted() -> None:
    """It carries the mark, and its object is gone: this is how it gets another."""
    life = found(adopting(**FULL), workstation(name="gpui-default-gone-0badcafe-3")).settle()
    assert (life.is_ready, life.actions) == (True, [])


def test_of_two_that_have_taken_note_one_lets_go() -> None:
    """Whatever it was doing, and without touching the machine."""
    life = found(adopting(**FULL), workstation()).settle()
    assert life.is_ready
    life.claimed_by = "GPUInstance team-b/web"
    life.settle()
    assert (life.said, life.status.instance, life.status.operation) == (Reason.FOREIGN_INSTANCE, None, None)
    assert (life.status.endpoints, life.status.differences, life.actions) == (None, None, [])


@pytest.mark.parametrize("deletion_policy", DeletionPolicy)
def test_it_lets_go_also_while_it_is_deleted(deletion_policy: DeletionPolicy) -> None:
    """The other one's machine does not go with it."""
    life = found(adopting(**FULL, deletion_policy=deletion_policy), workstation()).settle()
    life.claimed_by = "GPUInstance team-b/web"
    going = life.instance.metadata.model_copy(update={"deletion_timestamp": life.now})
    life.instance = life.instance.model_copy(update={"metadata": going})
    assert life.look().release
    assert life.actions == []


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
        forgotten(life, deletion_timestamp=life.now)
        life.blind = deletion_policy is not DeletionPolicy.ORPHAN
        life.look(after=1)
        life.blind = False
    assert deleted(life) == actions


def test_an_emptied_status_does_not_make_another_ones_machine_ours() -> None:
    """What is somebody else's stays, also where nobody remembers that it was refused."""
    life = found(adopting(**FULL), workstation(), claimed_by="GPUInstance team-b/web").settle()
    forgotten(life, deletion_timestamp=life.now)
    assert deleted(life) == []


def test_an_emptied_status_is_made_up_for() -> None:
    """The machine is noted again, and neither bought, restarted nor changed."""
    for management in ("Observe", "Full"):
        life: Found = found(adopting(management=management), workstation()).settle()
        forgotten(life)
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
