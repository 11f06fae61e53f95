"""Serves a simulation over HTTP: a provider's face, the applications, and the admin API, on one port.

Tests use `serve` as an asynchronous context manager around a cloud of theirs; `__main__` uses the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from gpuinstance_simulator.admin import Admin
from gpuinstance_simulator.apps import Apps
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.simulation import TEST_KEY, Face, Simulation

_LARGEST_BODY = 4 * 1024 * 1024
_BACKLOG = 1024
_FAREWELL_SECONDS = 0.2
"""Calls in progress (some hang on purpose) may take so long when the server stops."""


@contextlib.asynccontextmanager
async def serve(
    cloud: Cloud,
    face: Face,
    *,
    api_keys: Sequence[str] = (TEST_KEY,),
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Simulation]:
    """Serve `cloud` until the block ends; port 0 takes any free one. See `Simulation.base_url`."""
    apps = Apps(cloud)
    simulation = Simulation(
        cloud, apps, face.doors(cloud, apps, host), switches=face.switches, api_keys=tuple(api_keys)
    )
    runner = web.AppRunner(_application(simulation, face), access_log=None, shutdown_timeout=_FAREWELL_SECONDS)
    keeper = asyncio.create_task(simulation.doors.keep())
    try:
        await runner.setup()
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        simulation.base_url = f"http://{host}:{runner.addresses[0][1]}"
        yield simulation
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await runner.cleanup()
        await simulation.doors.close()


def _application(simulation: Simulation, face: Face) -> web.Application:
    application = web.Application(client_max_size=_LARGEST_BODY)
    application.add_routes(simulation.apps.routes())
    application.add_routes(Admin(simulation).routes())
    application.add_routes(face.routes(simulation))
    return application
