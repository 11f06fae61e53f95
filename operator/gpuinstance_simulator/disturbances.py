"""What goes wrong inside the cloud, machine by machine, without anybody having asked for it.

Used by faults and directly by tests. None of these is an accepted change, so none is in the ledger;
their consequences (a machine that fails or is reclaimed) are.
"""

from __future__ import annotations

import math

from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.machine import Failure, Machine


def stick(cloud: Cloud, machine: Machine, state: str, seconds: float | None = None) -> None:
    """Keep the machine in `state` for so much longer than usual; None: for ever."""
    now = cloud.engine.now()
    machine.stuck[state] = math.inf if seconds is None else seconds
    if machine.state == state:
        machine.leg += 1
        cloud.engine.schedule_step(machine, now)


def doom(cloud: Cloud, machine: Machine, failure: Failure) -> None:
    """Let the machine fail at the end of a state, instead of going on."""
    cloud.engine.now()
    machine.failure = failure


def mislabel(cloud: Cloud, machine: Machine, word: str, state: str | None = None) -> None:
    """Show another word for the machine's state: always, or only while it is in `state`."""
    cloud.engine.now()
    cloud.engine.revision += 1
    machine.alias = (state, word)


def hide(cloud: Cloud, machine: Machine, seconds: float) -> None:
    """Keep the machine, or its accepted deletion, out of listings for so long from now."""
    cloud.engine.show_from(machine, cloud.engine.now() + seconds)


def reclaim(cloud: Cloud, machine: Machine, after: float, notice: float) -> None:
    """Reclaim a spot machine: announced `after` seconds of running, begun after the notice."""
    now = cloud.engine.now()
    if machine.up_since is None:
        machine.spot_plan = (after, notice)
    else:
        cloud.engine.schedule_reclaim(machine, max(now, machine.up_since + after), notice)
