"""The contract of upgrades that are ordered: order, invoice, payment elsewhere, resize, confirm or revert.

A provider without them refuses each step in words. Money is counted in the cloud's ledger.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.core.model import MachineState, PlanChoice, Sizes, UpgradeOrder
from gpuinstance.providers.base import ProviderError, Rejected, Unavailable, UnknownOutcome, WrongState
from gpuinstance_simulator.console import ConsoleAction, act
from gpuinstance_simulator.effects import Answer, Drop, Truncate
from gpuinstance_simulator.lifecycle import Operation
from tests.contract.bench import Bench
from tests.contract.hooks import NO_SUCH_ID, Hooks


class Upgrades(Hooks):
    """A plan is changed, step by step."""

    async def ordered(self, bench: Bench) -> tuple[str, UpgradeOrder]:
        """A running machine with an open order for the bigger plan."""
        machine_id = await bench.running(self.order())
        await bench.provider.order_upgrade(machine_id, PlanChoice(self.bigger_plan))
        order = await bench.provider.get_upgrade_order(machine_id)
        assert order is not None
        return machine_id, order

    async def resized(self, bench: Bench) -> str:
        """A machine that was paid for, and has its new sizes unconfirmed."""
        machine_id, _ = await self.ordered(bench)
        act(bench.cloud, machine_id, ConsoleAction(action="pay"))
        await bench.provider.apply_upgrade(machine_id, disk_gb=None)
        bench.wait()
        assert await bench.state(machine_id) is MachineState.RESIZED
        return machine_id

    async def sizes(self, bench: Bench, machine_id: str) -> Sizes | None:
        """The sizes that the provider shows."""
        return (await bench.provider.get_machine(machine_id)).sizes

    def skip_without_upgrades(self, bench: Bench) -> None:
        """Leave tests of steps that do not exist."""
        if not bench.can.upgrades_are_ordered:
            pytest.skip("upgrades are not ordered here")

    async def test_what_is_lacking_is_refused_in_words(self, bench: Bench) -> None:
        """Every step, for a machine that exists."""
        provider, machine_id = bench.provider, await bench.running(self.order())
        steps: list[Callable[[], Awaitable[object]]] = [
            lambda: provider.list_plans(machine_id),
            lambda: provider.get_upgrade_order(machine_id),
            lambda: provider.order_upgrade(machine_id, PlanChoice("any")),
            lambda: provider.apply_upgrade(machine_id, disk_gb=None),
            lambda: provider.confirm_upgrade(machine_id),
            lambda: provider.revert_upgrade(machine_id),
        ]
        if bench.can.upgrades_are_ordered:
            pytest.skip("upgrades are ordered here")
        for step in steps:
            await bench.lacks(step())

    async def test_plans_are_shown_with_their_sizes(self, bench: Bench) -> None:
        """The machine's own plan is marked, and has the sizes that the machine shows."""
        self.skip_without_upgrades(bench)
        machine_id = await bench.running(self.order())
        plans = {plan.id: plan for plan in await bench.provider.list_plans(machine_id)}
        assert [plan.id for plan in plans.values() if plan.is_current] == [self.order().product_id]
        assert plans[self.order().product_id].sizes == await self.sizes(bench, machine_id)
        assert plans[self.bigger_plan].cycle_prices

    @pytest.mark.parametrize("keep", [True, False], ids=["confirmed", "reverted"])
    async def test_an_upgrade_from_order_to_end(self, bench: Bench, keep: bool) -> None:
        """The sizes are new when it is confirmed, and the old ones when it is reverted; it was paid for once."""
        self.skip_without_upgrades(bench)
        provider, machine_id = bench.provider, await bench.running(self.order())
        plans = {plan.id: plan for plan in await provider.list_plans(machine_id)}
        before = await self.sizes(bench, machine_id)
        assert await provider.get_upgrade_order(machine_id) is None

        await provider.order_upgrade(machine_id, PlanChoice(self.bigger_plan))
        order = await provider.get_upgrade_order(machine_id)
        assert order is not None
        assert order.invoice_id
        assert order.total is not None
        assert order.total > 0
        assert order.due_date
        assert not order.paid
        assert await self.sizes(bench, machine_id) == before

        act(bench.cloud, machine_id, ConsoleAction(action="pay"))
        await provider.apply_upgrade(machine_id, disk_gb=None)
        seen = set()
        for _ in range(60):  # the first looks may still show the old state
            bench.wait(1)
            seen.add(await bench.state(machine_id))
        assert MachineState.RESIZING in seen
        assert await bench.state(machine_id) is MachineState.RESIZED

        await (provider.confirm_upgrade(machine_id) if keep else provider.revert_upgrade(machine_id))
        assert await bench.state(machine_id) is MachineState.RESIZING
        bench.wait()
        assert await bench.state(machine_id) is MachineState.RUNNING
        assert await self.sizes(bench, machine_id) == (plans[self.bigger_plan].sizes if keep else before)
        assert await provider.get_upgrade_order(machine_id) is None
        assert len(bench.cloud.ledger.select(operation=Operation.PAY)) == bench.accepted(Operation.APPLY) == 1

    async def test_nothing_is_applied_before_payment(self, bench: Bench) -> None:
        """The provider refuses, and the machine is as it was."""
        self.skip_without_upgrades(bench)
        machine_id, _ = await self.ordered(bench)
        with bench.unchanged(), pytest.raises(Rejected):
            await bench.provider.apply_upgrade(machine_id, disk_gb=None)
        assert await bench.state(machine_id) is MachineState.RUNNING

    async def test_a_second_order_is_refused(self, bench: Bench) -> None:
        """The caller's picture is old: the first one is still open, and the only one."""
        self.skip_without_upgrades(bench)
        machine_id, first = await self.ordered(bench)
        with bench.unchanged(), pytest.raises(WrongState):
            await bench.provider.order_upgrade(machine_id, PlanChoice(self.bigger_plan))
        assert await bench.provider.get_upgrade_order(machine_id) == first

    async def test_a_second_application_is_refused(self, bench: Bench) -> None:
        """While it is under way, and when it is done but unconfirmed."""
        self.skip_without_upgrades(bench)
        machine_id, _ = await self.ordered(bench)
        act(bench.cloud, machine_id, ConsoleAction(action="pay"))
        await bench.provider.apply_upgrade(machine_id, disk_gb=None)
        bench.wait(10)
        for _ in range(2):
            with bench.unchanged(), pytest.raises(WrongState):
                await bench.provider.apply_upgrade(machine_id, disk_gb=None)
            bench.wait()
        assert bench.accepted(Operation.APPLY) == 1

    async def test_only_a_resized_machine_is_confirmed_or_reverted(self, bench: Bench) -> None:
        """Neither before nor after, and not the one after the other."""
        self.skip_without_upgrades(bench)
        provider, machine_id = bench.provider, await bench.running(self.order())
        for step in (provider.confirm_upgrade, provider.revert_upgrade):
            with pytest.raises(WrongState):
                await step(machine_id)
        machine_id = await self.resized(bench)
        await provider.confirm_upgrade(machine_id)
        for _ in range(2):
            with bench.unchanged(), pytest.raises(WrongState):
                await provider.revert_upgrade(machine_id)
            bench.wait()

    async def test_an_unknown_plan_is_rejected(self, bench: Bench) -> None:
        """With its reason, and nothing is ordered."""
        self.skip_without_upgrades(bench)
        machine_id = await bench.running(self.order())
        with bench.unchanged(), pytest.raises(Rejected) as caught:
            await bench.provider.order_upgrade(machine_id, PlanChoice(NO_SUCH_ID))
        assert caught.value.reason is Reason.PRODUCT_NOT_FOUND
        assert await bench.provider.get_upgrade_order(machine_id) is None

    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_a_step_in_doubt(self, bench: Bench, when: str) -> None:
        """Request or answer is lost: UnknownOutcome after one request; looking tells what has happened."""
        self.skip_without_upgrades(bench)
        provider, machine_id = bench.provider, await bench.running(self.order())
        effect, done = Drop(when="after" if when == "after" else "before"), when == "after"
        bench.plant(Operation.ORDER, effect)
        with pytest.raises(UnknownOutcome):
            await provider.order_upgrade(machine_id, PlanChoice(self.bigger_plan))
        assert (await provider.get_upgrade_order(machine_id) is not None) is done
        if not done:
            await provider.order_upgrade(machine_id, PlanChoice(self.bigger_plan))
        act(bench.cloud, machine_id, ConsoleAction(action="pay"))
        steps: list[tuple[Operation, Callable[[], Awaitable[None]], MachineState]] = [
            (Operation.APPLY, lambda: provider.apply_upgrade(machine_id, disk_gb=None), MachineState.RESIZED),
            (Operation.CONFIRM, lambda: provider.confirm_upgrade(machine_id), MachineState.RUNNING),
        ]
        for operation, step, state in steps:
            bench.plant(operation, effect)
            with pytest.raises(UnknownOutcome):
                await step()
            bench.wait()
            assert (await bench.state(machine_id) is state) is done
            if not done:
                await step()
                bench.wait()
        assert bench.sent(Operation.APPLY) == bench.sent(Operation.CONFIRM) == (1 if done else 2)
        assert bench.accepted(Operation.APPLY) == bench.accepted(Operation.CONFIRM) == 1

    async def test_trouble_is_not_the_absence_of_an_order(self, bench: Bench) -> None:
        """What says nothing about the order is an error, not None."""
        self.skip_without_upgrades(bench)
        machine_id, order = await self.ordered(bench)
        for effect in (
            Drop(when="before"),
            Answer(status=500),
            Answer(status=200, html=True),
            Answer(status=404, html=True),
            Answer(status=401),
            Answer(status=429),
            Truncate(),
        ):
            bench.plant(Operation.CHECK_ORDER, effect, count=None)
            with pytest.raises(ProviderError):
                await bench.provider.get_upgrade_order(machine_id)
            bench.heal()
        assert await bench.provider.get_upgrade_order(machine_id) == order

    async def test_trouble_before_a_step_is_no_doubt(self, bench: Bench) -> None:
        """Where the look at the machine fails, nothing was sent: Unavailable."""
        self.skip_without_upgrades(bench)
        machine_id = await bench.running(self.order())
        bench.plant(Operation.GET, Answer(status=500), count=None)
        with bench.unchanged(), pytest.raises(Unavailable):
            await bench.provider.order_upgrade(machine_id, PlanChoice(self.bigger_plan))
        assert bench.sent(Operation.ORDER) == 0
