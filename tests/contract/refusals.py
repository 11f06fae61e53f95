"""The contract of a definite no: the exact error and reason, and nothing has happened."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import MachineState, PlanChoice, Port
from gpuinstance.providers.base import (
    NotFound,
    OutOfCapacity,
    Rejected,
    Unauthorized,
    WrongState,
)
from gpuinstance.providers.http import DEFAULT_LIMITS
from gpuinstance_simulator.catalogue import Mode
from gpuinstance_simulator.lifecycle import Operation
from tests.contract.bench import Bench
from tests.contract.hooks import HTTP, NO_SUCH_ID, Hooks


class Refusals(Hooks):
    """Everything that a provider refuses."""

    async def test_an_unknown_machine_is_not_found(self, bench: Bench) -> None:
        """By any verb that the provider has, on its own word."""
        provider, can = bench.provider, bench.can
        software = self.order().software
        calls: list[tuple[bool, Callable[[], Awaitable[object]]]] = [
            (True, lambda: provider.get_machine(NO_SUCH_ID)),
            (True, lambda: provider.start(NO_SUCH_ID)),
            (True, lambda: provider.stop(NO_SUCH_ID)),
            (True, lambda: provider.restart(NO_SUCH_ID)),
            (True, lambda: provider.delete(NO_SUCH_ID)),
            (can.can_change_ports, lambda: provider.set_ports(NO_SUCH_ID, [Port(80, HTTP)])),
            (can.can_grow_disk, lambda: provider.grow_disk(NO_SUCH_ID, from_gb=60, to_gb=80)),
            (can.can_change_software, lambda: provider.change_software(NO_SUCH_ID, software, keep_data=True)),
            (BillingMode.MONTHLY in can.billing_modes, lambda: provider.switch_to_monthly(NO_SUCH_ID, 1)),
            (can.rebuilds_in_place, lambda: provider.rebuild(NO_SUCH_ID)),
            (can.rebuilds_in_place, lambda: provider.reinstall(NO_SUCH_ID, self.other_template)),
            (can.rebuilds_in_place, lambda: provider.regenerate_networking(NO_SUCH_ID)),
            (can.upgrades_are_ordered, lambda: provider.list_plans(NO_SUCH_ID)),
            (can.upgrades_are_ordered, lambda: provider.get_upgrade_order(NO_SUCH_ID)),
            (can.upgrades_are_ordered, lambda: provider.order_upgrade(NO_SUCH_ID, PlanChoice(self.bigger_plan))),
            (can.upgrades_are_ordered, lambda: provider.apply_upgrade(NO_SUCH_ID, disk_gb=None)),
            (can.upgrades_are_ordered, lambda: provider.confirm_upgrade(NO_SUCH_ID)),
            (can.upgrades_are_ordered, lambda: provider.revert_upgrade(NO_SUCH_ID)),
        ]
        for has_it, call in calls:
            if not has_it:
                await bench.lacks(call())
                continue
            with pytest.raises(NotFound) as caught:
                await call()
            assert caught.value.reason is Reason.INSTANCE_LOST

    async def test_a_machine_in_another_state_is_left_alone(self, bench: Bench) -> None:
        """A start of what runs, a stop of what is down, a second delete: refused, nothing happens."""
        provider = bench.provider
        running, stopped = await bench.running(self.order()), await bench.stopped(self.order())
        with pytest.raises(WrongState):
            await provider.start(running)
        with pytest.raises(WrongState):
            await provider.stop(stopped)
        with pytest.raises(WrongState):
            await provider.restart(stopped)
        await provider.delete(stopped)
        with pytest.raises(WrongState):
            await provider.delete(stopped)
        assert await bench.state(running) is MachineState.RUNNING
        assert bench.accepted(Operation.START) == 0
        assert bench.accepted(Operation.STOP) == bench.accepted(Operation.DELETE) == 1

    async def test_no_capacity_to_buy(self, bench: Bench) -> None:
        """OutOfCapacity, and nothing was bought."""
        bench.cloud.catalogue.change(self.order().product_id, {"capacity": 0})
        with pytest.raises(OutOfCapacity):
            await bench.provider.create(self.order())
        assert (await bench.provider.list_machines()).machines == ()

    async def test_no_capacity_to_start(self, bench: Bench) -> None:
        """A stopped machine's GPU may be sold; the machine stays, and can be started when one is free."""
        machine_id = await bench.stopped(self.order())
        bench.cloud.catalogue.change(self.order().product_id, {"capacity": 0})
        if self.keeps_place_when_stopped:
            await bench.provider.start(machine_id)
            return
        with pytest.raises(OutOfCapacity):
            await bench.provider.start(machine_id)
        assert await bench.state(machine_id) is MachineState.STOPPED
        bench.cloud.catalogue.change(self.order().product_id, {"capacity": 1})
        await bench.provider.start(machine_id)

    async def test_bad_orders_are_rejected_with_their_reason(self, bench: Bench) -> None:
        """Each refusal names what a person can change, and nothing is bought."""
        for changes, reason in self.bad_orders:
            with pytest.raises(Rejected) as caught:
                await bench.provider.create(self.order(**changes))
            assert caught.value.reason is reason, changes
        assert bench.accepted(Operation.CREATE) == 0

    async def test_a_mode_that_is_not_offered_is_rejected(self, bench: Bench) -> None:
        """As a product that is not on sale that way."""
        if BillingMode.SPOT not in bench.can.billing_modes:
            await bench.lacks(bench.provider.create(self.order(billing_mode=BillingMode.SPOT)))
            return
        bench.cloud.catalogue.change(self.order().product_id, {"spot_price": None})
        with pytest.raises(Rejected) as caught:
            await bench.provider.create(self.order(billing_mode=BillingMode.SPOT))
        assert caught.value.reason is Reason.NO_PRODUCT_AVAILABLE

    async def test_an_empty_account_is_rejected(self, bench: Bench) -> None:
        """With the reason that sends a person to the cashier."""
        bench.cloud.settings = bench.cloud.settings.model_copy(update={"balance": 0})
        with pytest.raises(Rejected) as caught:
            await bench.provider.create(self.order())
        assert caught.value.reason is Reason.BALANCE_NOT_ENOUGH

    async def test_a_full_account_is_rejected(self, bench: Bench) -> None:
        """The limit of machines has the same reason: it is lifted in the same place."""
        bench.cloud.settings = bench.cloud.settings.model_copy(update={"machine_limit": 0})
        with pytest.raises(Rejected) as caught:
            await bench.provider.create(self.order())
        assert caught.value.reason is Reason.BALANCE_NOT_ENOUGH

    async def test_a_missing_registry_login_is_not_a_missing_machine(self, bench: Bench) -> None:
        """What else a call names may be unknown without the machine being lost."""
        machine_id = await bench.running(self.order())
        if not bench.can.can_change_software:
            pytest.skip("software is not changed here")
        software = dataclasses.replace(self.order().software, registry_auth_id="no-such-login")
        with pytest.raises(Rejected) as caught:
            await bench.provider.change_software(machine_id, software, keep_data=True)
        assert caught.value.reason is Reason.IMAGE_REJECTED

    async def test_a_paid_term_cannot_be_deleted(self, bench: Bench) -> None:
        """Where the provider refuses that, the reason says so and the machine stays."""
        if BillingMode.MONTHLY not in bench.can.billing_modes:
            pytest.skip("no monthly billing")
        machine_id = await bench.running(self.order(billing_mode=BillingMode.MONTHLY, months=1))
        assert bench.cloud.machine(machine_id).order.mode is Mode.MONTHLY
        with pytest.raises(Rejected) as caught:
            await bench.provider.delete(machine_id)
        assert caught.value.reason is Reason.DELETION_REFUSED
        assert await bench.state(machine_id) is MachineState.RUNNING

    async def test_a_wrong_key_is_unauthorized(self, bench: Bench) -> None:
        """For reads and changes alike; it is in no message."""
        stranger = self.connect(bench.simulation, "canary-of-a-wrong-key", DEFAULT_LIMITS)
        for call in (stranger.list_machines(), stranger.create(self.order()), stranger.delete(NO_SUCH_ID)):
            with pytest.raises(Unauthorized) as caught:
                await call
            assert "canary" not in caught.value.message
        await stranger.aclose()
