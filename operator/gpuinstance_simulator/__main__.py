"""`python -m gpuinstance_simulator`: serves a simulated GPU cloud until it is told to stop.

Builds clock, cloud and face from the command line, and prints where it listens. All the rest is
elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence

from gpuinstance_simulator import options as command_line
from gpuinstance_simulator.clock import VirtualClock
from gpuinstance_simulator.novita import LIFECYCLE, NovitaFace, Quirks, new_cloud
from gpuinstance_simulator.server import serve
from gpuinstance_simulator.simulation import TEST_KEY


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    options = command_line.parser(LIFECYCLE, TEST_KEY).parse_args(arguments)
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        sys.stderr.write(f"cannot serve: {error}\n")
        return 1
    return 0


async def _serve(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    cloud = new_cloud(
        VirtualClock(start=time.time(), speed=options.speed),
        settings=command_line.settings(options),
        seconds=command_line.state_seconds(options, LIFECYCLE),
        seed=options.seed,
    )
    face = NovitaFace(Quirks(first_page=options.first_page, not_found_status=options.not_found_status))
    host, port = options.listen
    keys = options.api_key or [TEST_KEY]
    async with serve(cloud, face, api_keys=keys, host=host, port=port) as simulation:
        for fault in options.faults:
            simulation.faults.add(fault, cloud.clock.now())
        sys.stdout.write(f"listening on {simulation.base_url}\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    sys.exit(main())
