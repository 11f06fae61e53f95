"""The admin calls that only Hostwinds has: its invoices, and paying them, as a person does in the portal.

    GET    /_simulator/invoices                   ?machine= : id, total, due, status (unpaid, paid, cancelled)
    POST   /_simulator/invoices/{id}/pay

Orders are placed and cancelled behind a client's back through the console: see `console` and `portal`.
"""

from __future__ import annotations

from aiohttp import web

from gpuinstance_simulator.admin import guarded
from gpuinstance_simulator.hostwinds import upgrades
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.simulation import Simulation


class Desk:
    """The cashier's desk of one simulation."""

    def __init__(self, simulation: Simulation, cloud: HostwindsCloud) -> None:
        self._simulation = simulation
        self._cloud = cloud

    def routes(self) -> list[web.AbstractRouteDef]:
        """Everything listed above."""
        table = (
            ("GET", "/invoices", self._invoices),
            ("POST", r"/invoices/{id:\d+}/pay", self._pay),
        )
        return guarded(self._simulation, table)

    async def _invoices(self, request: web.Request) -> web.Response:
        self._cloud.engine.now()
        wanted = request.query.get("machine")
        invoices = self._cloud.books.invoices.values()
        return web.json_response([it.as_json() for it in invoices if wanted in (None, it.machine_id)])

    async def _pay(self, request: web.Request) -> web.Response:
        invoice = upgrades.pay(self._cloud, int(request.match_info["id"]))
        return web.json_response(invoice.as_json())
