"""The providers that can be simulated, for the command line.

Each entry says what is needed to parse options for that provider and to build its cloud and its face. Tests
that need one provider import its package and build what they like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from gpuinstance_simulator import hostwinds, novita
from gpuinstance_simulator.catalogue import Port
from gpuinstance_simulator.clock import VirtualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.lifecycle import Lifecycle
from gpuinstance_simulator.settings import Settings
from gpuinstance_simulator.simulation import Face


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says about a world."""

    clock: VirtualClock
    settings: Settings
    seconds: Mapping[str, float]
    seed: int
    quirks: Mapping[str, object]
    ports: Sequence[Port] = ()
    """Of the applications in every machine, where the provider does not know them."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider."""

    name: str
    description: str
    """Its API, in a line of the help."""
    lifecycle: Lifecycle
    quirks: type[BaseModel]
    build: Callable[[Wishes], tuple[Cloud, Face]]
    """Raises pydantic's ValidationError for an impossible quirk."""
    ports: Sequence[Port] = ()
    """The default of `Wishes.ports`; empty where clients choose the ports."""


def _novita(wishes: Wishes) -> tuple[Cloud, Face]:
    cloud = novita.new_cloud(wishes.clock, settings=wishes.settings, seconds=wishes.seconds, seed=wishes.seed)
    return cloud, novita.NovitaFace(_quirks(novita.Quirks, wishes))


def _hostwinds(wishes: Wishes) -> tuple[Cloud, Face]:
    cloud = hostwinds.new_cloud(
        wishes.clock,
        settings=wishes.settings,
        seconds=wishes.seconds,
        ports=tuple(wishes.ports),
        seed=wishes.seed,
    )
    return cloud, hostwinds.HostwindsFace(_quirks(hostwinds.Quirks, wishes))


def _quirks(model: type[Any], wishes: Wishes) -> Any:
    return model.model_validate(wishes.quirks)


PROVIDERS: Mapping[str, Provider] = {
    "novita": Provider(
        name="novita",
        description="Novita's GPU instance API v1, with Bearer authentication, below " + novita.PREFIX,
        lifecycle=novita.LIFECYCLE,
        quirks=novita.Quirks,
        build=_novita,
    ),
    "hostwinds": Provider(
        name="hostwinds",
        description="Hostwinds' cloud API, with the key in the form, at " + hostwinds.PATH,
        lifecycle=hostwinds.LIFECYCLE,
        quirks=hostwinds.Quirks,
        build=_hostwinds,
        ports=hostwinds.DEFAULT_PORTS,
    ),
}
"""By the name that `--provider` takes."""
