"""Everything that one running simulator consists of, handed to the wire faces and the admin API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

from gpuinstance_simulator.apps import PREFIX, Apps
from gpuinstance_simulator.calls import CallLog
from gpuinstance_simulator.cloud import Cloud, Sight
from gpuinstance_simulator.faults import FaultTable
from gpuinstance_simulator.keeper import DoorKeeper
from gpuinstance_simulator.switches import Switches

TEST_KEY = "simulated-key"
"""The API key that is accepted where no other was configured."""


@dataclass(slots=True)
class Simulation:
    """A cloud, its faults, its applications and what was asked of it."""

    cloud: Cloud
    apps: Apps
    doors: DoorKeeper
    switches: Switches[Any]
    """The quirks of the face."""
    api_keys: Sequence[str] = (TEST_KEY,)
    """All open the same account; calls are counted for each."""
    faults: FaultTable = field(default_factory=FaultTable)
    calls: CallLog = field(default_factory=CallLog)
    base_url: str = ""
    """`http://host:port` of the server, once it listens."""

    def address(self, sight: Sight, port: int, protocol: str) -> str:
        """Where a port of a machine is published; empty while the machine is not up."""
        if not sight.is_up:
            return ""
        if protocol == "http":
            return f"{self.base_url}{PREFIX}/{sight.machine.id}/{port}"
        return self.doors.address(sight.machine, port)


class Face(Protocol):
    """A provider's HTTP API over a simulation. Another provider is another face and another table."""

    @property
    def switches(self) -> Switches[Any]:
        """The provider's quirks; of which type is the face's affair."""

    def doors(self, cloud: Cloud, apps: Apps, host: str) -> DoorKeeper:
        """What publishes the ports of this provider's machines. Raises OSError where it cannot listen."""

    def routes(self, simulation: Simulation) -> Iterable[web.AbstractRouteDef]:
        """Everything that the provider's API answers to."""
