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

from pydantic import ValidationError

from gpuinstance_simulator import options as command_line
from gpuinstance_simulator.clock import VirtualClock
from gpuinstance_simulator.providers import Provider, Wishes
from gpuinstance_simulator.server import serve
from gpuinstance_simulator.simulation import TEST_KEY


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises SystemExit for bad options."""
    provider = command_line.provider(arguments)
    parser = command_line.parser(provider, TEST_KEY)
    options = parser.parse_args(arguments)
    try:
        asyncio.run(_serve(options, provider))
    except ValidationError as error:
        parser.error(str(error))
    except OSError as error:
        sys.stderr.write(f"cannot serve: {error}\n")
        return 1
    return 0


async def _serve(options: argparse.Namespace, provider: Provider) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    wishes = Wishes(
        VirtualClock(start=time.time(), speed=options.speed),
        settings=command_line.settings(options),
        seconds=command_line.state_seconds(options, provider.lifecycle),
        seed=options.seed,
        quirks=command_line.quirks(options, provider.quirks),
        ports=command_line.ports(options, provider.ports),
    )
    cloud, face = provider.build(wishes)
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
