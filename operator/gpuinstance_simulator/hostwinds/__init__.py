"""Hostwinds, simulated: its wire face, its words, its goods, its invoices.

`new_cloud` makes a cloud as this provider runs it; `HostwindsFace` speaks the cloud API over it, at `PATH`.
"""

from __future__ import annotations

from collections.abc import Mapping

from gpuinstance_simulator.catalogue import Catalogue, Port
from gpuinstance_simulator.clock import VirtualClock
from gpuinstance_simulator.hostwinds.answers import PASSWORD_CANARY
from gpuinstance_simulator.hostwinds.cloud import DEFAULT_PORTS, HostwindsCloud
from gpuinstance_simulator.hostwinds.face import PATH, HostwindsFace
from gpuinstance_simulator.hostwinds.lifecycle import LIFECYCLE
from gpuinstance_simulator.hostwinds.portal import verbs_of
from gpuinstance_simulator.hostwinds.quirks import Quirks
from gpuinstance_simulator.hostwinds.shop import catalogue as shop
from gpuinstance_simulator.settings import Settings

__all__ = [
    "DEFAULT_PORTS",
    "LIFECYCLE",
    "PASSWORD_CANARY",
    "PATH",
    "HostwindsCloud",
    "HostwindsFace",
    "Quirks",
    "new_cloud",
    "shop",
]


def new_cloud(
    clock: VirtualClock,
    *,
    catalogue: Catalogue | None = None,
    settings: Settings | None = None,
    seconds: Mapping[str, float] | None = None,
    ports: tuple[Port, ...] = DEFAULT_PORTS,
    seed: int = 0,
) -> HostwindsCloud:
    """A cloud with Hostwinds' states and, unless another catalogue is given, the made-up goods of `shop`.

    `seconds` replaces durations of states, by their names in `lifecycle`; `ports` are those on which the
    applications in every server listen. Raises KeyError for an unknown state.
    """
    habits = (settings or Settings()).model_copy(update={"prepaid_may_go": True})
    cloud = HostwindsCloud(clock, catalogue or shop(), settings=habits, seconds=seconds or {}, ports=ports, seed=seed)
    cloud.console_verbs = verbs_of(cloud)
    return cloud
