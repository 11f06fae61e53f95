"""The governed provider: every method passes the governor, in its lane, and otherwise unchanged."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from gpuinstance.providers.base import Capabilities, Provider, RateLimited
from gpuinstance.providers.governing.governed import Governed
from gpuinstance.providers.governing.governor import Allowance, Governor
from gpuinstance.providers.governing.lanes import Lane
from gpuinstance.providers.governing.lessons import Errand
from gpuinstance.providers.novita import CAPABILITIES
from tests.unit.providers.governing import Notebook, now, play

LANES = {
    Lane.URGENT: {"delete", "stop"},
    Lane.POLLS: {"list_machines", "list_products", "list_regions", "get_template", "list_registry_auths"},
}
"""All others are changes of users, and the single reads that belong to them."""

METHODS = sorted(name for name, it in vars(Provider).items() if inspect.iscoroutinefunction(it) and name != "aclose")
Result = TypeVar("Result")


class Inner:
    """A provider of whatever methods there are: it returns what it was called with."""

    name = "inner"
    capabilities: Capabilities = CAPABILITIES
    closed = False

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        if operation not in METHODS:
            raise AttributeError(operation)

        async def answer(*args: object, **kwargs: object) -> object:
            return operation, args, kwargs

        return answer

    async def aclose(self) -> None:
        """Close."""
        self.closed = True


class Watched(Governor):
    """A governor that keeps the errands."""

    def __init__(self) -> None:
        super().__init__("inner", Allowance(), Notebook(), monotonic=now)
        self.errands: list[Errand] = []

    async def call(self, errand: Errand, send: Callable[[], Awaitable[Result]]) -> Result:
        """Take note, and let it go on."""
        self.errands.append(errand)
        return await super().call(errand, send)


class Named:
    """Something with a name, as an order has."""

    name = "gpui-1"


def arguments(operation: str) -> tuple[list[Any], dict[str, Any]]:
    """Return one value for each argument of a method, all different."""
    parameters = list(inspect.signature(getattr(Provider, operation)).parameters.values())[1:]
    values = {it.name: Named() if it.name == "order" else f"<{it.name}>" for it in parameters}
    args = [values[it.name] for it in parameters if it.kind is not it.KEYWORD_ONLY]
    return args, {it.name: values[it.name] for it in parameters if it.kind is it.KEYWORD_ONLY}


@pytest.mark.parametrize("operation", METHODS)
def test_every_method_is_governed(operation: str) -> None:
    """In its lane, under its own name, with all arguments; a read is known as one."""

    async def story() -> None:
        governor = Watched()
        governed = Governed(Inner(), governor)  # type: ignore[arg-type]  # its methods are made as they are asked for
        args, kwargs = arguments(operation)
        found = await getattr(governed, operation)(*args, **kwargs)
        # What returns nothing has passed nothing on that could be compared.
        returns_nothing = inspect.signature(getattr(Provider, operation)).return_annotation in {"None", None}
        assert found == (None if returns_nothing else (operation, tuple(args), kwargs))
        (errand,) = governor.errands
        assert errand.operation == operation
        assert errand.lane is next((lane for lane, names in LANES.items() if operation in names), Lane.CHANGES)
        assert errand.is_question == operation.startswith(("list_", "get_"))
        if any(argument == "<machine_id>" for argument in args):
            assert errand.about == "<machine_id>"

    play(story())


def test_a_call_that_is_not_sent_is_never_made() -> None:
    """No coroutine is left behind that nobody awaits; warnings are errors here."""

    async def story() -> None:
        governor = Watched()
        governed = Governed(Inner(), governor)  # type: ignore[arg-type]  # see above

        async def too_many() -> None:
            raise RateLimited("slow down", retry_after=5)

        with pytest.raises(RateLimited):
            await governor.call(Errand(Lane.CHANGES, "x"), too_many)
        for operation in METHODS:
            args, kwargs = arguments(operation)
            with pytest.raises(RateLimited):
                await getattr(governed, operation)(*args, **kwargs)

    play(story())


def test_it_is_the_provider_that_it_wraps() -> None:
    """By name and capabilities; closing closes both."""

    async def story() -> None:
        inner, governor = Inner(), Watched()
        governed = Governed(inner, governor)  # type: ignore[arg-type]  # see above
        provider: Provider = governed
        assert (provider.name, provider.capabilities) == ("inner", CAPABILITIES)
        await provider.aclose()
        assert (inner.closed, governor.is_closed) == (True, True)

    play(story())
