"""The contract of changes in trouble: what may have happened is in doubt, what has not is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.core.model import MachineState
from gpuinstance.providers.base import (
    OutOfCapacity,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)
from gpuinstance_simulator.effects import Answer, Drop, Effect, Hang, Strip, Truncate
from gpuinstance_simulator.lifecycle import Operation
from tests.contract.bench import IMPATIENT, Bench
from tests.contract.hooks import Hooks

IN_DOUBT: dict[str, tuple[Effect, bool]] = {
    # What goes wrong, and whether the cloud has done what was asked nevertheless.
    "the request is lost": (Drop(when="before"), False),
    "the answer is lost": (Drop(when="after"), True),
    "no answer, nothing done": (Hang(when="before"), False),
    "no answer, but done": (Hang(when="after"), True),
    "a server error instead": (Answer(status=500, when="before"), False),
    "a server error afterwards": (Answer(status=500, when="after"), True),
    "a gateway error instead": (Answer(status=502, when="before"), False),
    "a gateway error afterwards": (Answer(status=502, when="after"), True),
    "overload instead": (Answer(status=503, when="before"), False),
    "a gateway's timeout afterwards": (Answer(status=504, when="after"), True),
    "a page of HTML afterwards": (Answer(status=200, html=True, when="after"), True),
    "half a JSON": (Truncate(), True),
    "half an answer": (Truncate(abort=True), True),
}

DEFINITE: dict[str, tuple[Effect, type[ProviderError]]] = {
    "a limit": (Answer(status=429), RateLimited),
    "a refused key": (Answer(status=401), Unauthorized),
    "a forbidden call": (Answer(status=403), Unauthorized),
    "a wrong path": (Answer(status=404), Unavailable),
    "a page of 404": (Answer(status=404, html=True), Unavailable),
}


class Changes(Hooks):
    """Changes whose answer is lost, late, broken or false."""

    @pytest.mark.parametrize(("effect", "happened"), IN_DOUBT.values(), ids=IN_DOUBT.keys())
    async def test_a_create_in_doubt(self, bench: Bench, effect: Effect, happened: bool) -> None:
        """UnknownOutcome after exactly one request; looking by name tells whether it was bought."""
        bench.plant(Operation.CREATE, effect)
        impatient = bench.connect(IMPATIENT)
        await impatient.list_machines()  # so that the short time is not spent on connecting
        with pytest.raises(UnknownOutcome):
            await impatient.create(self.order())
        await impatient.aclose()
        assert bench.sent(Operation.CREATE) == 1
        assert bench.accepted(Operation.CREATE) == int(happened)
        listing = await bench.provider.list_machines()
        assert [it.name for it in listing.machines] == [self.order().name] * int(happened)

    @pytest.mark.parametrize(("effect", "happened"), IN_DOUBT.values(), ids=IN_DOUBT.keys())
    async def test_a_delete_in_doubt(self, bench: Bench, effect: Effect, happened: bool) -> None:
        """The same for a change of a machine that exists, with an answer of which nothing is needed."""
        machine_id = await bench.running(self.order())
        bench.plant(Operation.DELETE, effect)
        impatient = bench.connect(IMPATIENT)
        await impatient.list_machines()  # so that the short time is not spent on connecting
        with pytest.raises(UnknownOutcome):
            await impatient.delete(machine_id)
        await impatient.aclose()
        assert bench.sent(Operation.DELETE) == 1
        assert bench.accepted(Operation.DELETE) == int(happened)
        assert await bench.state(machine_id) is (MachineState.REMOVING if happened else MachineState.RUNNING)

    async def test_a_create_that_confirms_nothing_is_in_doubt(self, bench: Bench) -> None:
        """Without an id, or without a result: it was bought, and is found by its name."""
        bench.plant(Operation.CREATE, Strip(fields=("id", "result")))
        with pytest.raises(UnknownOutcome):
            await bench.provider.create(self.order())
        assert len((await bench.provider.list_machines()).machines) == 1

    @pytest.mark.parametrize(("effect", "error"), DEFINITE.values(), ids=DEFINITE.keys())
    async def test_a_definite_no_changes_nothing(
        self, bench: Bench, effect: Effect, error: type[ProviderError]
    ) -> None:
        """Anything but UnknownOutcome means that it has not happened; it is not repeated."""
        machine_id = await bench.running(self.order())
        calls: list[tuple[Operation, Callable[[], Awaitable[object]]]] = [
            (Operation.CREATE, lambda: bench.provider.create(self.order())),
            (Operation.STOP, lambda: bench.provider.stop(machine_id)),
        ]
        for operation, call in calls:
            sent, accepted = bench.sent(operation), bench.accepted(operation)
            bench.plant(operation, effect)
            with pytest.raises(ProviderError) as caught:
                await call()
            assert type(caught.value) is error
            assert bench.sent(operation) == sent + 1
            assert bench.accepted(operation) == accepted

    async def test_refusals_in_the_providers_words(self, bench: Bench) -> None:
        """Names of errors become consequences."""
        expected = {
            "no capacity": (OutOfCapacity, Reason.INSUFFICIENT_RESOURCE),
            "no balance": (Rejected, Reason.BALANCE_NOT_ENOUGH),
            "rejected": (Rejected, Reason.REQUEST_REJECTED),
        }
        for name, (error, reason) in expected.items():
            bench.plant(Operation.CREATE, self.refusals[name])
            with pytest.raises(ProviderError) as caught:
                await bench.provider.create(self.order())
            assert (type(caught.value), caught.value.reason) == (error, reason)

    @pytest.mark.parametrize("retry_after", [7, None])
    async def test_a_limit_tells_its_time(self, bench: Bench, retry_after: int | None) -> None:
        """If the provider names one; for reads and changes alike, after one request."""
        for operation in (Operation.CREATE, Operation.LIST):
            bench.plant(operation, Answer(status=429, retry_after=retry_after))
        for call in (bench.provider.create(self.order()), bench.provider.list_machines()):
            with pytest.raises(RateLimited) as caught:
                await call
            assert caught.value.retry_after == retry_after
        assert bench.sent(Operation.CREATE) == bench.sent(Operation.LIST) == 1
