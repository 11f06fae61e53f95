"""The contract of what a machine may look like: odd words, failures, reclaims, secrets."""

from __future__ import annotations

import pytest

from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import MachineState, SpotState
from gpuinstance.providers.base import NotFound
from gpuinstance_simulator.console import ConsoleAction, act
from gpuinstance_simulator.disturbances import mislabel, reclaim
from gpuinstance_simulator.effects import Fail
from gpuinstance_simulator.lifecycle import Operation
from tests.contract.bench import Bench
from tests.contract.hooks import NO_SUCH_ID, Hooks


class Sights(Hooks):
    """What comes through of a machine, and what must not."""

    async def test_an_unknown_word_is_survived(self, bench: Bench) -> None:
        """It is shown, counts as a change in progress, and hides no other machine."""
        odd, plain = await bench.running(self.order()), await bench.running(self.order())
        mislabel(bench.cloud, bench.cloud.machine(odd), "hibernating")
        machine = await bench.listed(odd)
        assert machine is not None
        assert (machine.state, machine.word.lower()) == (MachineState.UNKNOWN, "hibernating")
        assert machine.state.is_changing
        assert await bench.state(plain) is MachineState.RUNNING

    async def test_a_failure_is_told(self, bench: Bench) -> None:
        """In the provider's words, on the machine."""
        up, down = bench.cloud.engine.lifecycle.up, self.failed_state or bench.cloud.engine.lifecycle.down
        first = bench.cloud.engine.lifecycle.path(Operation.CREATE, None)[-2]
        assert up not in (first, down)
        bench.plant(Operation.CREATE, Fail(at=first, ends=down, message="image pull failed"))
        machine_id = await bench.running(self.order())
        machine = await bench.listed(machine_id)
        assert machine is not None
        assert (machine.state, machine.trouble) == (MachineState.STOPPED, "image pull failed")

    async def test_a_frozen_machine_is_suspended(self, bench: Bench) -> None:
        """What the provider has blocked is a state of its own."""
        machine_id = await bench.running(self.order())
        act(bench.cloud, machine_id, ConsoleAction(action="freeze"))
        assert await bench.state(machine_id) is MachineState.SUSPENDED

    async def test_a_spot_reclaim_is_seen_in_the_listing(self, bench: Bench) -> None:
        """Announced, going on, over: with its time, and told from a stop by its owner."""
        if BillingMode.SPOT not in bench.can.billing_modes:
            pytest.skip("no spot billing")
        machine_id = await bench.running(self.order(billing_mode=BillingMode.SPOT))

        async def spot() -> tuple[SpotState | None, bool]:
            machine = await bench.listed(machine_id)
            assert machine is not None
            return machine.spot, machine.reclaimed_at is not None

        assert await spot() == (SpotState.STABLE, False)
        reclaim(bench.cloud, bench.cloud.machine(machine_id), after=0, notice=600)
        bench.wait(1)
        assert await spot() == (SpotState.NOTIFIED, False)
        bench.wait(600)
        assert (await spot())[0] is SpotState.RECLAIMING
        bench.wait(3600)
        assert await spot() == (SpotState.RECLAIMED, True)
        assert await bench.state(machine_id) is MachineState.STOPPED

    async def test_secrets_of_a_machine_are_not_seen(self, bench: Bench) -> None:
        """Passwords and environments that the provider shows do not come through."""
        machine_id = await bench.running(self.order())
        machine = bench.cloud.machine(machine_id)
        secrets = [bench.cloud.secret(machine, purpose) for purpose in ("ssh", "terminal")]
        secrets += [value for _, value in self.order().software.env]
        secrets += self.secrets
        shown = repr((await bench.provider.get_machine(machine_id), await bench.listed(machine_id)))
        assert not [it for it in secrets if it in shown]

    async def test_the_way_in_is_told_to_who_asks_for_it(self, bench: Bench) -> None:
        """Where SSH answers, and with which password; a value that is printed by accident tells nothing."""
        machine_id = await bench.running(self.order())
        access = await bench.provider.get_access(machine_id)
        assert access.ssh is not None
        assert access.ssh.user == "root"
        assert access.password in (bench.cloud.secret(bench.cloud.machine(machine_id), "ssh"), *self.secrets)
        assert access.password not in repr(access)

    async def test_there_is_no_way_into_what_does_not_exist(self, bench: Bench) -> None:
        """Said by the provider itself."""
        with pytest.raises(NotFound):
            await bench.provider.get_access(NO_SUCH_ID)
