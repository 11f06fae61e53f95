"""The contract of what changes a machine beside its power: made anew, renamed, paid otherwise.

Each verb either does what it says, once, or is refused in words as something that the provider lacks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import MachineState
from gpuinstance.providers.base import Provider, Rejected, UnknownOutcome
from gpuinstance_simulator.effects import Drop
from gpuinstance_simulator.lifecycle import Operation
from tests.contract.bench import Bench
from tests.contract.hooks import NO_SUCH_ID, Hooks

Verb = Callable[[Provider, str, str], Awaitable[None]]

REBUILDS: dict[Operation, Verb] = {
    Operation.RECREATE: lambda provider, machine_id, _: provider.rebuild(machine_id),
    Operation.REINSTALL: lambda provider, machine_id, template: provider.reinstall(machine_id, template),
    Operation.REGENERATE: lambda provider, machine_id, _: provider.regenerate_networking(machine_id),
}
EVERY_REBUILD = pytest.mark.parametrize("operation", REBUILDS)


class Rebuilds(Hooks):
    """Rebuild, reinstall, regenerate networking; rename; another way to pay."""

    @EVERY_REBUILD
    async def test_a_machine_is_made_anew_in_place(self, bench: Bench, operation: Operation) -> None:
        """The same machine, with the same name, is up again after a while; it was asked for once."""
        machine_id = await bench.running(self.order())
        call = REBUILDS[operation](bench.provider, machine_id, self.other_template)
        if not bench.can.rebuilds_in_place:
            await bench.lacks(call)
            return
        before = await bench.provider.get_machine(machine_id)
        await call
        assert bench.accepted(operation) == 1
        seen = set()
        for _ in range(60):  # the first looks may still show the old state
            bench.wait(1)
            seen.add(await bench.state(machine_id))
        assert MachineState.STARTING in seen
        after = await bench.provider.get_machine(machine_id)
        assert (after.id, after.name, after.state) == (machine_id, before.name, MachineState.RUNNING)
        assert after.host
        if operation is Operation.RECREATE:
            assert before.started_at is not None
            assert after.started_at is not None
            assert after.started_at > before.started_at
        assert (after.image != before.image) is (operation is Operation.REINSTALL)

    @EVERY_REBUILD
    async def test_a_rebuild_in_doubt(self, bench: Bench, operation: Operation) -> None:
        """Its answer is lost: UnknownOutcome after one request, although it has begun."""
        machine_id = await bench.running(self.order())
        call = REBUILDS[operation](bench.provider, machine_id, self.other_template)
        if not bench.can.rebuilds_in_place:
            await bench.lacks(call)
            return
        bench.plant(operation, Drop(when="after"))
        with pytest.raises(UnknownOutcome):
            await call
        assert bench.sent(operation) == bench.accepted(operation) == 1

    async def test_an_unknown_template_is_not_installed(self, bench: Bench) -> None:
        """It is refused with its reason, and the machine is as it was."""
        machine_id = await bench.running(self.order())
        if not bench.can.rebuilds_in_place:
            await bench.lacks(bench.provider.reinstall(machine_id, NO_SUCH_ID))
            return
        with bench.unchanged(), pytest.raises(Rejected) as caught:
            await bench.provider.reinstall(machine_id, NO_SUCH_ID)
        assert caught.value.reason is Reason.TEMPLATE_NOT_FOUND
        assert await bench.state(machine_id) is MachineState.RUNNING

    async def test_a_machine_is_renamed(self, bench: Bench) -> None:
        """The listing shows the new name at once, or names are given for good."""
        machine_id = await bench.running(self.order())
        if not self.renames:
            await bench.lacks(bench.provider.rename(machine_id, "another-name"))
            return
        await bench.provider.rename(machine_id, "another-name")
        machine = await bench.listed(machine_id)
        assert machine is not None
        assert machine.name == "another-name"
        assert bench.accepted(Operation.RENAME) == 1

    async def test_a_machine_is_switched_to_monthly_billing(self, bench: Bench) -> None:
        """Paid once, and shown as such; where there is no such billing, it is refused."""
        machine_id = await bench.running(self.order())
        if BillingMode.MONTHLY not in bench.can.billing_modes:
            await bench.lacks(bench.provider.switch_to_monthly(machine_id, 1))
            return
        await bench.provider.switch_to_monthly(machine_id, 1)
        machine = await bench.listed(machine_id)
        assert machine is not None
        assert machine.billing_mode is BillingMode.MONTHLY
        with pytest.raises(Rejected):
            await bench.provider.switch_to_monthly(machine_id, 1)
        assert bench.accepted(Operation.CHANGE_CYCLE) == 1

    async def test_a_switch_in_doubt(self, bench: Bench) -> None:
        """The answer to a purchase is lost: it is not bought again."""
        if BillingMode.MONTHLY not in bench.can.billing_modes:
            pytest.skip("no monthly billing")
        machine_id = await bench.running(self.order())
        bench.plant(Operation.CHANGE_CYCLE, Drop(when="after"))
        with pytest.raises(UnknownOutcome):
            await bench.provider.switch_to_monthly(machine_id, 1)
        assert bench.sent(Operation.CHANGE_CYCLE) == bench.accepted(Operation.CHANGE_CYCLE) == 1
