"""What can be bought, what it costs, and when the answer is no."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gpuinstance_simulator.catalogue import Mode
from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.machine import Mount, Software
from gpuinstance_simulator.novita import new_cloud
from gpuinstance_simulator.settings import Settings
from tests.unit.simulator.support import ANYWHERE, MONTHLY, SCARCE, order, running


def names(cloud: Cloud) -> list[str]:
    return [sight.machine.name for sight in cloud.listing()]


def refusal(cloud: Cloud, **changes: object) -> Refusal:
    with pytest.raises(CloudError) as refused:
        cloud.create(order(**changes))  # type: ignore[arg-type]  # rows of the table
    return refused.value.reason


def test_names_may_be_used_twice(cloud: Cloud) -> None:
    """Nothing at the provider prevents duplicates: whoever creates twice pays twice."""
    first, second = cloud.create(order("same")), cloud.create(order("same"))
    assert first.id != second.id
    assert names(cloud) == ["same", "same"]


def test_impossible_orders_are_refused_by_name(cloud: Cloud) -> None:
    """Each reason has its own word, and none leaves a trace."""
    storage = Software("x", mounts=(Mount("ns-1001", "/data"),))
    unknown = Software("x", mounts=(Mount("ns-0", "/data"),))
    assert refusal(cloud, product_id="no-such") is Refusal.NO_SUCH_PRODUCT
    assert refusal(cloud, cluster_id="no-such") is Refusal.NO_SUCH_CLUSTER
    assert refusal(cloud, product_id=MONTHLY, cluster_id="oc-au-1") is Refusal.OUT_OF_STOCK
    assert refusal(cloud, product_id="h100.24c240g") is Refusal.OUT_OF_STOCK
    assert refusal(cloud, product_id=SCARCE, mode=Mode.SPOT) is Refusal.MODE_NOT_OFFERED
    assert refusal(cloud, rootfs_gb=6145) is Refusal.DISK_TOO_LARGE
    assert refusal(cloud, software=Software("x", registry_auth_id="no")) is Refusal.NO_SUCH_REGISTRY_AUTH
    assert refusal(cloud, software=unknown) is Refusal.NO_SUCH_STORAGE
    assert refusal(cloud, software=storage, cluster_id="eu-de-1") is Refusal.STORAGE_ELSEWHERE
    assert len(cloud.ledger) == 0
    assert cloud.truth() == []


def test_a_storage_draws_the_machine_into_its_cluster(cloud: Cloud) -> None:
    """Without a wanted cluster the machine lands where its storage is."""
    machine = cloud.create(order(software=Software("x", mounts=(Mount("ns-1002", "/data"),))))
    assert machine.cluster_id == "as-sgp-2"


def test_gpus_are_sold_once_and_a_stopped_machine_has_none(cloud: Cloud, clock: ManualClock) -> None:
    """Stop is not a reservation: somebody else may buy, and then the start is refused."""
    first = running(cloud, "first", product_id=SCARCE)
    assert refusal(cloud, product_id=SCARCE) is Refusal.OUT_OF_STOCK
    cloud.stop(first.id)
    clock.advance(5)
    assert refusal(cloud, product_id=SCARCE) is Refusal.OUT_OF_STOCK, "still stopping"
    clock.advance(1)
    second = running(cloud, "second", product_id=SCARCE)
    with pytest.raises(CloudError) as refused:
        cloud.start(first.id)
    assert refused.value.reason is Refusal.OUT_OF_STOCK
    assert cloud.look(first.id).word == "exited"
    with pytest.raises(CloudError):
        cloud.upgrade(first.id, Software("new"), keep_data=True)
    assert first.order.software.image != "new"
    cloud.delete(second.id)
    cloud.start(first.id)


def test_gpus_are_charged_to_the_second_from_pulling_until_stopped(cloud: Cloud, clock: ManualClock) -> None:
    """Two GPUs at 0.22 USD an hour: 30 s of pulling, an hour of running, 6 s of stopping, nothing else."""
    machine = cloud.create(order(gpu_count=2))
    clock.advance(7)
    assert machine.charge(cloud.engine.now()) == 0
    clock.advance(30 + 3600)
    assert machine.charge(cloud.engine.now()) == Decimal("0.44") * 3630 / 3600
    cloud.stop(machine.id)
    clock.advance(100_000)
    assert machine.charge(cloud.engine.now()) == Decimal("0.44") * 3636 / 3600
    stop = cloud.ledger.select(operation=Operation.STOP)[0]
    assert stop.charge == Decimal("0.44") * 3630 / 3600


def test_disk_beyond_the_free_part_is_charged_also_while_stopped(cloud: Cloud, clock: ManualClock) -> None:
    """160 GB: 100 GB at 0.005 USD a day, until deletion."""
    machine = running(cloud, rootfs_gb=160)
    cloud.stop(machine.id)
    clock.advance(6)
    before = machine.charge(cloud.engine.now())
    clock.advance(86400)
    assert machine.charge(cloud.engine.now()) - before == pytest.approx(Decimal("0.5"))
    cloud.delete(machine.id)
    final = machine.charge(cloud.engine.now())
    clock.advance(86400)
    assert machine.charge(cloud.engine.now()) == final


def test_a_spot_machine_costs_the_spot_price_that_was_valid_when_it_was_bought(
    cloud: Cloud, clock: ManualClock
) -> None:
    """A later price rise is for later buyers."""
    machine = running(cloud, mode=Mode.SPOT)
    cloud.catalogue.raise_prices(Decimal(2), ANYWHERE)
    clock.advance(3600 - 30)
    assert machine.charge(cloud.engine.now()) == Decimal("0.11")
    assert cloud.catalogue.products[ANYWHERE].spot_price == Decimal("0.22")


def test_a_price_rise_is_for_terms_too(cloud: Cloud) -> None:
    """All prices of one product are multiplied, or of all products."""
    cloud.catalogue.raise_prices(Decimal(2), MONTHLY)
    cloud.catalogue.raise_prices(Decimal(2))
    assert cloud.catalogue.products[MONTHLY].term_price(1) == 4 * 220
    assert cloud.catalogue.products[MONTHLY].price == 4 * Decimal("0.35")


def test_a_monthly_machine_is_paid_at_once_and_cannot_be_deleted(cloud: Cloud, clock: ManualClock) -> None:
    """Listed terms have their price, others are so many months."""
    half_a_year = running(cloud, product_id=MONTHLY, mode=Mode.MONTHLY, months=6)
    two_months = cloud.create(order(product_id=MONTHLY, mode=Mode.MONTHLY, months=2))
    clock.advance(3600)
    assert half_a_year.charge(cloud.engine.now()) == 1200
    assert two_months.charge(cloud.engine.now()) == 440
    with pytest.raises(CloudError) as refused:
        cloud.delete(half_a_year.id)
    assert refused.value.reason is Refusal.PREPAID


def test_an_empty_account_buys_nothing(clock: ManualClock) -> None:
    """The balance shrinks by what accrues; less than an hour's worth refuses orders and starts."""
    cloud = new_cloud(clock, settings=Settings(balance=Decimal("0.3")))
    machine = running(cloud)
    clock.advance(3600 - 30)
    assert cloud.sales.balance() == Decimal("0.08")
    assert refusal(cloud) is Refusal.BALANCE_TOO_LOW
    cloud.stop(machine.id)
    clock.advance(6)
    with pytest.raises(CloudError) as refused:
        cloud.start(machine.id)
    assert refused.value.reason is Refusal.BALANCE_TOO_LOW


def test_the_account_has_a_limit_of_machines_if_set(clock: ManualClock) -> None:
    """Deleting makes room only when the machine is gone."""
    cloud = new_cloud(clock, settings=Settings(machine_limit=1))
    machine = running(cloud)
    assert refusal(cloud) is Refusal.MACHINE_LIMIT
    cloud.delete(machine.id)
    assert refusal(cloud) is Refusal.MACHINE_LIMIT
    clock.advance(11)
    cloud.create(order())
