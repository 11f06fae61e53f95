"""Adoption: a machine that exists is observed first, never stolen, and controlled only by a word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import DeletionPolicy, Outcome, PowerState
from gpuinstance.core.model import Machine, MachineState
from tests.builders import ago, ports
from tests.unit.core.observed import THEIRS, adopting, found, workstation

OTHER = "docker.io/library/nginx:1.28"
FULL: dict[str, Any] = {"management": "Full"}


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


def test_an_outage_at_the_first_look_only_delays_it() -> None:
    """What cannot be seen is taken note of as soon as it can, whatever was written meanwhile."""
    life = found(adopting(), workstation())
    life.blind = True
    life.settle()
    assert life.said == Reason.PROVIDER_UNAVAILABLE
    life.blind = False
    life.settle()
    assert (life.said, life.actions) == (Reason.READY, [])
    assert life.status.instance is not None
    assert life.status.instance.id == THEIRS


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
    life.forget()
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
