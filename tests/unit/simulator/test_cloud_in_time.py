"""The cloud as time passes: lags, edits, spot reclaims, and what goes wrong on the way."""

from __future__ import annotations

import pytest

from gpuinstance_simulator import disturbances
from gpuinstance_simulator.catalogue import Mode, Port
from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import Failure, Software, SpotStatus
from gpuinstance_simulator.novita import new_cloud
from gpuinstance_simulator.settings import Settings
from tests.unit.simulator.support import order, running


def names(cloud: Cloud) -> list[str]:
    return [sight.machine.name for sight in cloud.listing()]


def test_listings_lag_behind_creation_and_deletion_but_not_behind_states(clock: ManualClock) -> None:
    """A new machine appears late, a deleted one goes on looking as it did; a lookup by id knows at once."""
    cloud = new_cloud(clock, settings=Settings(listing_lag=10, deletion_lag=30))
    machine = cloud.create(order())
    assert cloud.look(machine.id).word == "toCreate"
    clock.advance(9.9)
    assert names(cloud) == []
    clock.advance(0.1)
    assert [sight.word for sight in cloud.listing()] == ["pulling"]
    clock.advance(27)
    cloud.delete(machine.id)
    assert cloud.look(machine.id).word == "toRemove"
    clock.advance(29.9)
    with pytest.raises(CloudError):
        cloud.look(machine.id)
    assert [(sight.word, sight.is_up) for sight in cloud.listing()] == [("running", True)]
    clock.advance(0.1)
    assert names(cloud) == []


def test_lookups_lag_only_if_they_are_told_to(clock: ManualClock) -> None:
    """Then a machine that was just bought is unknown, and a deleted one seems to run."""
    cloud = new_cloud(clock, settings=Settings(listing_lag=10, deletion_lag=10, lookups_lag=True))
    machine = cloud.create(order())
    with pytest.raises(CloudError):
        cloud.look(machine.id)
    clock.advance(37)
    cloud.delete(machine.id)
    assert cloud.look(machine.id).word == "running"


def test_an_edit_takes_effect_late_grows_by_an_increment_and_replaces_ports(cloud: Cloud, clock: ManualClock) -> None:
    """Whoever sends the same growth twice, because the first is not visible yet, grows twice."""
    machine = running(cloud)
    cloud.edit(machine.id, ports=(Port(8080, "http"),), grow_gb=40)
    cloud.edit(machine.id, grow_gb=40)
    assert machine.order.rootfs_gb == 60
    clock.advance(5)
    cloud.engine.now()
    assert machine.order.rootfs_gb == 140
    assert machine.order.ports == (Port(8080, "http"),)
    assert cloud.look(machine.id).word == "running"
    with pytest.raises(CloudError) as refused:
        cloud.edit(machine.id, grow_gb=6145 - 140)
    assert refused.value.reason is Refusal.DISK_TOO_LARGE


def test_an_upgrade_changes_the_software_and_brings_a_stopped_machine_up(cloud: Cloud, clock: ManualClock) -> None:
    """It is a reset: the run, and with it passwords and addresses, is a new one."""
    machine = running(cloud)
    password = cloud.secret(machine, "ssh")
    cloud.stop(machine.id)
    clock.advance(6)
    cloud.upgrade(machine.id, Software("new", env=(("A", "1"),)), keep_data=False)
    clock.advance(21)
    assert cloud.look(machine.id).word == "running"
    assert machine.order.software.image == "new"
    assert cloud.secret(machine, "ssh") != password
    assert cloud.ledger.select(operation=Operation.UPGRADE)[0].detail == {"image": "new", "keep_data": False}
    with pytest.raises(CloudError) as refused:
        cloud.upgrade(machine.id, Software("newer", registry_auth_id="no-such"), keep_data=True)
    assert refused.value.reason is Refusal.NO_SUCH_REGISTRY_AUTH
    assert cloud.look(machine.id).word == "running"


def test_a_spot_machine_is_reclaimed_no_sooner_than_promised(clock: ManualClock) -> None:
    """An hour of running, an hour of notice, then it is down, and says when that began."""
    cloud = new_cloud(clock, settings=Settings(spot_lifetime=60))
    machine = running(cloud, mode=Mode.SPOT)
    came_up = cloud.engine.now()

    def after(seconds: float) -> tuple[str, SpotStatus, float | None]:
        clock.advance(came_up + seconds - clock.now())
        return cloud.look(machine.id).word, machine.spot_status, machine.reclaimed_at

    assert after(3599) == ("running", SpotStatus.RUNNING, None)
    assert after(3600) == ("running", SpotStatus.NOTIFIED, None)
    assert after(7199) == ("running", SpotStatus.NOTIFIED, None)
    assert after(7200) == ("running", SpotStatus.RECLAIMING, came_up + 7200)
    assert after(7260) == ("exited", SpotStatus.TERMINATED, came_up + 7200)
    assert [it.operation for it in cloud.ledger.select(actor=Actor.PROVIDER)] == [Operation.RECLAIM]
    cloud.start(machine.id)
    assert after(7271) == ("running", SpotStatus.RUNNING, None)


def test_a_spot_machine_stopped_by_its_owner_is_not_reclaimed(clock: ManualClock) -> None:
    """The clock of the old run is dead, also when the machine runs again."""
    cloud = new_cloud(clock, settings=Settings(spot_lifetime=3600))
    machine = running(cloud, mode=Mode.SPOT)
    clock.advance(3700)
    cloud.stop(machine.id)
    clock.advance(6)
    cloud.engine.now()
    assert (machine.spot_status, machine.reclaimed_at) == (SpotStatus.NONE, None)
    cloud.start(machine.id)
    clock.advance(3700)
    assert cloud.look(machine.id).word == "running"


def test_a_stuck_state_lasts_longer_or_for_ever_and_can_be_left_by_deletion(cloud: Cloud, clock: ManualClock) -> None:
    """A machine may pull its image until the end of the world; deleting it helps."""
    slow, stuck = cloud.create(order("slow")), cloud.create(order("stuck"))
    disturbances.stick(cloud, slow, "pulling", 100)
    disturbances.stick(cloud, stuck, "pulling")
    clock.advance(37 + 99)
    assert cloud.look(slow.id).word == "pulling"
    clock.advance(1)
    assert cloud.look(slow.id).word == "running"
    clock.advance(10**8)
    assert cloud.look(stuck.id).word == "pulling"
    cloud.delete(stuck.id)
    clock.advance(11)
    assert stuck not in cloud.truth()


def test_a_state_can_get_stuck_while_the_machine_is_in_it(cloud: Cloud, clock: ManualClock) -> None:
    """The appointment that was set on entering no longer counts."""
    machine = cloud.create(order())
    clock.advance(10)
    disturbances.stick(cloud, machine, "pulling", 50)
    clock.advance(79)
    assert cloud.look(machine.id).word == "pulling"
    clock.advance(1)
    assert cloud.look(machine.id).word == "running"


def test_a_failing_creation_ends_with_the_provider_s_error(cloud: Cloud, clock: ManualClock) -> None:
    """There is no state `failed`: an error text appears on a stopped machine. A start clears it."""
    machine = cloud.create(order())
    disturbances.doom(cloud, machine, Failure("pulling", "exited", "imagePullFailed", "no such image"))
    clock.advance(37)
    assert cloud.look(machine.id).word == "exited"
    assert machine.error == ("imagePullFailed", "no such image")
    assert [it.operation for it in cloud.ledger.select(actor=Actor.PROVIDER)] == [Operation.FAIL]
    cloud.start(machine.id)
    clock.advance(11)
    cloud.engine.now()
    assert machine.error == ("", "")


def test_an_unknown_word_is_shown_always_or_in_one_state(cloud: Cloud, clock: ManualClock) -> None:
    """The truth beneath stays what it is."""
    machine = cloud.create(order())
    disturbances.mislabel(cloud, machine, "pending", "toCreate")
    assert cloud.look(machine.id).word == "pending"
    clock.advance(2)
    assert cloud.look(machine.id).word == "creating"
    disturbances.mislabel(cloud, machine, "hibernating")
    clock.advance(100)
    assert [sight.word for sight in cloud.listing()] == ["hibernating"]
    assert machine.state == "running"


def test_a_listing_that_was_looked_at_before_shows_what_has_changed_since(cloud: Cloud, clock: ManualClock) -> None:
    """Listings are remembered between changes; every kind of change has to end that."""
    machine = running(cloud)
    assert names(cloud) == ["trainer"]
    disturbances.hide(cloud, machine, 10)
    assert names(cloud) == []
    clock.advance(10)
    assert names(cloud) == ["trainer"]
    disturbances.mislabel(cloud, machine, "hibernating")
    assert [sight.word for sight in cloud.listing()] == ["hibernating"]
    cloud.create(order("second"))
    assert names(cloud) == ["second", "trainer"]
    cloud.delete(machine.id)
    clock.advance(11)
    assert names(cloud) == ["second"]
