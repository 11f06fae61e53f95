"""The Protocol of providers as a thing to test with: its methods, arguments for them, and an adapter that has them all.

Everything follows from the Protocol itself, so that a test over `METHODS` can forget none.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from gpuinstance.core.model import Listing, Machine, MachineState
from gpuinstance.providers.base import Capabilities, Provider
from gpuinstance.providers.novita import CAPABILITIES

MACHINE = Machine("1", "m", MachineState.RUNNING, "running")
NOW = datetime(2026, 8, 22, tzinfo=UTC)

METHODS = tuple(name for name, member in vars(Provider).items() if inspect.iscoroutinefunction(member))
"""Every method of the Protocol."""
CALLS = tuple(name for name in METHODS if name != "aclose")
ATTRIBUTES = tuple(name for name, member in vars(Provider).items() if isinstance(member, property))


@dataclass(frozen=True, slots=True)
class Given:
    """What is given for a parameter: itself and nothing else. It has a name, as an order has."""

    name: str


class Adapter:
    """A provider that notes its calls by name and arguments; `fails` is raised by every one of them."""

    name = "fake"
    capabilities: Capabilities = CAPABILITIES

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.results: dict[str, object] = {name: _result(name) for name in METHODS}
        self.results["list_machines"] = Listing((MACHINE,), NOW)
        self.fails: BaseException | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[object]]:
        """Return that method of the Protocol; it takes exactly the arguments that the Protocol names."""
        if operation not in METHODS:
            raise AttributeError(operation)

        async def method(*args: object, **kwargs: object) -> object:
            bound = signature(operation).bind(*args, **kwargs)
            self.calls.append((operation, bound.arguments))
            if operation != "aclose":
                await self.gate.wait()
            if self.fails is not None:
                raise self.fails
            return self.results[operation]

        return method

    @property
    def called(self) -> list[str]:
        """The names of the calls so far."""
        return [operation for operation, _ in self.calls]

    def provider(self) -> Provider:
        """Return it as what it stands for."""
        return cast("Provider", self)


def _result(operation: str) -> object:
    """Return something that nobody else can have made; None where the Protocol promises no more."""
    return None if signature(operation).return_annotation == "None" else object()


def signature(operation: str) -> inspect.Signature:
    """Return the signature of a method of the Protocol, as its caller sees it."""
    whole = inspect.signature(getattr(Provider, operation))
    return whole.replace(parameters=list(whole.parameters.values())[1:])


def given(operation: str) -> dict[str, Given]:
    """Return one thing for each argument of a method."""
    return {name: Given(name) for name in signature(operation).parameters}


async def call(provider: Provider, operation: str, arguments: dict[str, Given]) -> object:
    """Call a method of the Protocol with these arguments, as its signature asks."""
    bound = signature(operation).bind_partial()
    bound.arguments.update(arguments)
    result: object = await getattr(provider, operation)(*bound.args, **bound.kwargs)
    return result
