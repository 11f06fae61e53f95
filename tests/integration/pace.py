"""How fast provider and operator go. All modules share one stack; one that needs another pace sets it for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.rig.stack import Options, Stack


@dataclass(frozen=True, slots=True)
class Pace:
    """In a hurry, as it stands: from create to running in half a second."""

    speed: float = 60
    """Seconds of the provider's time that pass in a real one. All others are real seconds."""
    poll: float = 1
    fast_poll: float = 0.2
    settle: float = 1
    resize: float = 1800
    """How long the provider may work on one step of an upgrade, and a lost call is waited for."""

    def options(self) -> Options:
        """Return the options of a stack that starts so, with both providers."""
        return Options(
            hostwinds=True,
            # Whoever applies an upgrade twice pays twice: the ledger shows it.
            hostwinds_simulator={"repeated-upgrade": "charged"},
            speed=self.speed,
            poll_seconds=self.poll,
            fast_poll_seconds=self.fast_poll,
            settle_seconds=self.settle,
        )

    def settings(self) -> dict[str, str]:
        """Return the environment of an operator that works so."""
        return {
            "GPUINSTANCE_POLL_SECONDS": str(self.poll),
            "GPUINSTANCE_FAST_POLL_SECONDS": str(self.fast_poll),
            "GPUINSTANCE_HOSTWINDS_POLL_SECONDS": str(self.fast_poll),
            "GPUINSTANCE_SETTLE_SECONDS": str(self.settle),
            "GPUINSTANCE_RESIZE_TIMEOUT_SECONDS": str(self.resize),
        }


@contextmanager
def paced(stack: Stack, pace: Pace) -> Iterator[None]:
    """Go at this pace, then as before."""
    _set(stack, pace)
    try:
        yield
    finally:
        _set(stack, Pace())


def _set(stack: Stack, pace: Pace) -> None:
    for simulator in stack.simulators.values():
        simulator.tell("clock", {"speed": pace.speed})
    stack.restart_operator(**pace.settings())
