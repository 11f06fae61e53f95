"""Novita, simulated: its wire face, its words, its goods.

`new_cloud` makes a cloud as this provider runs it; `NovitaFace` speaks API v1 over it, below `PREFIX`.
"""

from __future__ import annotations

from collections.abc import Mapping

from gpuinstance_simulator.catalogue import Catalogue
from gpuinstance_simulator.clock import VirtualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.novita.face import PREFIX, NovitaFace
from gpuinstance_simulator.novita.lifecycle import LIFECYCLE
from gpuinstance_simulator.novita.paging import Quirks
from gpuinstance_simulator.novita.shop import catalogue as shop
from gpuinstance_simulator.settings import Settings

__all__ = ["LIFECYCLE", "PREFIX", "NovitaFace", "Quirks", "new_cloud", "shop"]


def new_cloud(
    clock: VirtualClock,
    *,
    catalogue: Catalogue | None = None,
    settings: Settings | None = None,
    seconds: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Cloud:
    """A cloud with Novita's states and, unless another catalogue is given, the made-up goods of `shop`.

    `seconds` replaces durations of states, by Novita's word. Raises KeyError for an unknown word.
    """
    lifecycle = LIFECYCLE.with_seconds(seconds or {})
    return Cloud(clock, lifecycle, catalogue or shop(), settings=settings, seed=seed)
