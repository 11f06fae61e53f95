"""Gathering the snapshot: what is looked at, what is remembered between passes, and what stays unseen."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog

from gpuinstance.api.reasons import Reason
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ConditionStatus
from gpuinstance.core.model import MachineState, SpotState
from gpuinstance.core.snapshot import Blind, Seen
from gpuinstance.credentials import CredentialsUnavailable
from gpuinstance.kube import KubeError
from gpuinstance.providers.base import NotFound, Unauthorized, Unavailable
from gpuinstance.reconcile import to_json
from tests.builders import instance
from tests.materials import IDENTITY, NOW, UID, machine
from tests.unit.observed_world import CANARY, World, afterwards

# ------------------------------------------------------------------------------------------------- what is seen


async def test_only_machines_of_ours_are_seen() -> None:
    """By name or by the recorded id; machines of an earlier object of this name are kept apart."""
    renamed = machine("m-1", name="renamed-by-somebody")
    second = machine("m-2", attempt=2)
    namesake = machine("m-3", name=IDENTITY.name(1).replace(IDENTITY.uid8, "00000000"))
    stranger = machine("m-4", name="gpui-default-other-943a2f83-1")
    look = await World(renamed, second, namesake, stranger).look(instance().running())
    assert isinstance(look.snapshot.view, Seen)
    assert {it.id for it in look.snapshot.view.machines} == {"m-1", "m-2"}
    assert [it.id for it in look.snapshot.view.namesakes] == ["m-3"]


BLIND: dict[str, tuple[Exception, Reason, bool]] = {
    "the provider is away": (Unavailable("HTTP 502"), Reason.PROVIDER_UNAVAILABLE, False),
    "it refuses the key": (Unauthorized("no such key"), Reason.UNAUTHORIZED, True),
    "there is no key": (CredentialsUnavailable("no Secret"), Reason.CREDENTIALS_UNAVAILABLE, True),
    "the Secret cannot be read": (KubeError("forbidden"), Reason.CREDENTIALS_UNAVAILABLE, False),
}


@pytest.mark.parametrize(("trouble", "reason", "person"), BLIND.values(), ids=BLIND)
async def test_an_error_while_looking_is_blindness(trouble: Exception, reason: Reason, *, person: bool) -> None:
    """Never "there is nothing": nothing is done, and it is known since when nothing was seen."""
    world = World(machine(exposes=()))
    await world.look(instance().running())
    world.trouble = trouble
    look = await world.look(instance().running(), after=30)
    assert look.snapshot.view == Blind(reason, look.snapshot.view.message, person, NOW)  # type: ignore[union-attr]  # blind
    assert (look.decision.action, look.decision.rule) == (None, "stay_idle_when_blind")


async def test_an_error_while_gathering_a_fact_is_blindness_too() -> None:
    """The listing came, and the question after it got no answer."""
    world = World()
    world.alone = Unavailable("HTTP 502")
    look = await world.look(instance().running())
    assert isinstance(look.snapshot.view, Blind)
    assert look.decision.action is None


async def test_a_new_operator_has_seen_nothing_yet() -> None:
    """Its patience with a provider that is away begins when it starts."""
    world = World()
    world.trouble = Unavailable("HTTP 502")
    for after in (0, 200):
        look = await world.look(instance().running(), after=after)
        assert isinstance(look.snapshot.view, Blind)
        assert look.snapshot.view.last_seen_at == NOW
        assert look.decision.status.conditions[0].status is ConditionStatus.TRUE
    look = await world.look(instance().running(), after=101)
    assert look.decision.status.conditions[0].reason == Reason.STALE_OBSERVATION


async def test_a_picture_may_be_older_at_rest() -> None:
    """What changes is looked at with a young listing, what rests with one that is about a poll old."""
    world = World(machine(exposes=()))
    await world.look(instance().running())
    await world.look(instance().creating(answered=True))
    await world.look(instance().running().edited(gpu_count=2))
    await world.look(instance().running().deleting())
    assert world.ages == [54, 2.7, 2.7, 2.7]


async def test_a_machine_is_gone_only_by_the_providers_word() -> None:
    """What a listing lacks is asked for by its id."""
    world = World()
    look = await world.look(instance().running())
    assert look.snapshot.machine is not None, "the listing was wrong"
    for word in (NotFound("instance not found"), machine(state=MachineState.REMOVED)):
        world.alone = word
        look = await world.look(instance().running())
        assert look.snapshot.confirmed_gone == {"m-1"}
        assert look.decision.status.conditions[0].reason == Reason.INSTANCE_LOST


async def test_what_one_answer_lacks_is_kept_from_the_listing() -> None:
    """The state is that of the younger answer, the spot fields are only in the listing."""
    listed = machine(spot=SpotState.NOTIFIED, rootfs_gb=100)
    world = World(listed)
    world.alone = machine(state=MachineState.STOPPING, exposes=(), rootfs_gb=None, started_at=None)
    look = await world.look(instance().with_ports(80).with_machine())
    shown = look.snapshot.machine
    assert shown is not None
    assert (shown.state, shown.spot, shown.rootfs_gb) == (MachineState.STOPPING, SpotState.NOTIFIED, 100)


async def test_another_key_is_noticed() -> None:
    """What the old one was refused may be tried again; the first key after a start proves nothing."""
    world = World(machine())
    assert (await world.look(instance().running())).snapshot.key_changed_at is None
    world.other_account = World(machine())
    look = await world.look(instance().running(), after=5)
    assert look.snapshot.key_changed_at == world.now
    assert (await world.look(instance().running(), after=5)).snapshot.key_changed_at == look.snapshot.now


# ------------------------------------------------------------------------------------------------- rounds of checks


async def test_before_it_is_ready_each_look_is_one_try() -> None:
    """Tries within a round keep a ready instance from losing Ready; before that they would only delay it."""
    ready = instance().serving(80).with_spec(health_check={"retry_attempts": 5, "timeout_seconds": 7})
    for builder, tries in ((ready, 5), (ready.seen(), 0)):
        world = World(machine())
        await world.look(builder)
        [(_, asked, _)] = world.rounds
        assert (asked.retry_attempts, asked.timeout_seconds) == (tries, 7)


async def test_a_round_is_remembered_until_the_next_is_due() -> None:
    """Looking again asks nobody, and counts nothing twice."""
    world = World(machine())
    world.sick = {80}
    here = afterwards(await world.look(instance().serving(80)))
    for _ in range(5):
        look = await world.look(here, after=3)
        assert (look.snapshot.health is not None, look.snapshot.health_is_new) == (True, False)
        assert look.decision.status == here.status
    assert len(world.rounds) == 1
    look = await world.look(here, after=20)
    assert len(world.rounds) == 2
    assert look.decision.status.health_check is not None
    assert look.decision.status.health_check.consecutive_failures == 2


def forgotten(here: GPUInstance) -> GPUInstance:
    """Its addresses are to be learned anew."""
    return here.model_copy(update={"status": here.status.model_copy(update={"endpoints": None})})


def replaced(here: GPUInstance) -> GPUInstance:
    """Another machine is the current one."""
    assert here.status.instance is not None
    other = here.status.instance.model_copy(update={"id": "m-2"})
    return here.model_copy(update={"status": here.status.model_copy(update={"instance": other})})


def edited(here: GPUInstance) -> GPUInstance:
    """Somebody changes what has to answer."""
    asked = here.spec.health_check.model_copy(update={"max_wait_seconds": 60})
    return here.model_copy(
        update={
            "spec": here.spec.model_copy(update={"health_check": asked}),
            "metadata": here.metadata.model_copy(update={"generation": 2}),
        }
    )


@pytest.mark.parametrize("change", [forgotten, replaced, edited])
async def test_a_report_from_before_a_change_never_counts(change: Any) -> None:
    """Neither for another address, nor for another machine, nor for another spec."""
    world = World(machine())
    here = afterwards(await world.look(instance().serving(80)))
    assert len(world.rounds) == 1
    changed = change(here)
    world.machines = (machine(changed.status.instance.id),)
    look = await world.look(changed, after=3)
    assert look.snapshot.health is None or look.snapshot.health_is_new


async def test_a_changed_spec_is_not_ready_by_what_answered_before() -> None:
    """Ready for the new generation needs a good round for it, and forgives no miss."""
    world = World(machine())
    here = afterwards(await world.look(instance().serving(80)))
    world.sick = {80}
    changed = edited(here)
    look = await world.look(changed, after=3)
    ready = look.decision.status.conditions[0]
    assert (ready.status, ready.observed_generation) == (ConditionStatus.FALSE, 2)
    world.sick = set()
    look = await world.look(afterwards(look), after=3)
    assert look.decision.status.conditions[0].status is ConditionStatus.TRUE


async def test_an_object_that_is_gone_is_forgotten() -> None:
    """An object of the same uid that comes back is looked at with fresh eyes."""
    world = World(machine())
    here = afterwards(await world.look(instance().serving(80)))
    world.observer.forget(UID)
    await world.look(here, after=3)
    assert len(world.rounds) == 2


async def test_the_age_of_the_oldest_picture_is_known() -> None:
    """By provider, for the gauge: a look at an error does not make it younger, and what was never seen has none."""
    world = World(machine())
    world.known = [{"metadata": {"uid": uid}, "spec": {"provider": "novita"}} for uid in (UID, "never looked at")]
    assert world.observer.ages() == {}
    await world.look(instance())
    world.trouble = Unavailable("away")
    await world.look(instance(), after=40)
    assert world.observer.ages() == {"novita": 40}
    world.trouble = None
    await world.look(instance(), after=1)
    assert world.observer.ages() == {"novita": 0}


# ------------------------------------------------------------------------------------------------- headers

HEADERS: list[dict[str, Any]] = [
    {"name": "Authorization", "value_from": {"secret_key_ref": {"name": "app", "key": "token"}}},
    {"name": "X-Probe", "value": "yes"},
    {"name": "X-Missing", "value_from": {"secret_key_ref": {"name": "app", "key": "nothing"}}},
    {"name": "X-Elsewhere", "value_from": {"secret_key_ref": {"name": "none", "key": "token"}}},
]
WITH_HEADERS = {"endpoints": [{"port": 80, "headers": HEADERS}, {"port": 8080}]}


async def test_headers_go_to_their_port_and_nowhere_else() -> None:
    """A value from a Secret is resolved; a header whose Secret is missing is left out."""
    world = World(machine())
    await world.look(instance().serving(80, 8080).with_spec(health_check=WITH_HEADERS))
    [(checks, _, headers)] = world.rounds
    assert [check.port for check in checks] == [80, 8080]
    assert headers == {80: {"Authorization": CANARY, "X-Probe": "yes"}}


async def test_a_changed_secret_is_used_in_the_next_round() -> None:
    """Nothing of it is kept by the observer."""
    world = World(machine())
    here = afterwards(await world.look(instance().serving(80, 8080).with_spec(health_check=WITH_HEADERS)))
    world.secrets["default", "app", "token"] = "Bearer another"
    await world.look(here, after=60)
    assert [headers[80]["Authorization"] for _, _, headers in world.rounds] == [CANARY, "Bearer another"]


@pytest.mark.parametrize("sick", [set(), {80, 8080}], ids=["healthy", "unhealthy"])
async def test_a_secret_header_stays_a_secret(sick: set[int]) -> None:
    """It is in no status, in no text that the snapshot or the decision could be logged as, and in no log."""
    world = World(machine())
    world.sick = sick
    with structlog.testing.capture_logs() as logs:
        look = await world.look(
            instance().serving(80, 8080).with_spec(health_check=WITH_HEADERS | {"failure_threshold": 1})
        )
    assert len(world.rounds) == 1
    texts = [json.dumps(to_json(look.decision.status)), repr(look), repr(world.observer._memory), repr(logs)]
    assert not [text for text in texts if "canary" in text]
