"""Hostwinds' cloud API over a simulated cloud: one path, authentication, faults, error answers.

A request goes: form, API key, action, faults, then one synchronous method of `verbs` or `bills` that does what
was asked and says what to answer. Errors of the application are answered with HTTP 200. The key counts in the
form only: a key in the URL, or in a JSON body, is no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from gpuinstance_simulator.apps import Apps
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.errors import CloudError
from gpuinstance_simulator.faults import Call
from gpuinstance_simulator.hostwinds import items
from gpuinstance_simulator.hostwinds.actions import ACTIONS, UNKNOWN, Action
from gpuinstance_simulator.hostwinds.asking import Ask, Verb
from gpuinstance_simulator.hostwinds.bills import Bills
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.hostwinds.desk import Desk
from gpuinstance_simulator.hostwinds.doors import ServerDoors
from gpuinstance_simulator.hostwinds.form import Form
from gpuinstance_simulator.hostwinds.quirks import Quirks
from gpuinstance_simulator.hostwinds.verbs import Verbs, page_index
from gpuinstance_simulator.injection import Exchange, carry_out
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.reply import Reply
from gpuinstance_simulator.simulation import Simulation
from gpuinstance_simulator.switches import Switches

PATH = "/cloud/api.php"
"""Where the API is, below the base URL of the server."""


class HostwindsFace:
    """The wire face; hand it to `server.serve`, with a cloud of this provider."""

    def __init__(self, quirks: Quirks | None = None) -> None:
        self.switches = Switches(quirks or Quirks())

    def doors(self, cloud: Cloud, apps: Apps, host: str) -> ServerDoors:
        """Each server has an address of its own, on the loopback interface whatever `host` is."""
        return ServerDoors(_own(cloud), apps)

    def routes(self, simulation: Simulation) -> list[web.AbstractRouteDef]:
        """The API, and the admin calls about its invoices."""
        cloud = _own(simulation.cloud)
        self.switches.follow(cloud.obey)
        return [web.route("*", PATH, _Counter(simulation, cloud).handle), *Desk(simulation, cloud).routes()]


class _Counter:
    """Where all calls arrive."""

    def __init__(self, simulation: Simulation, cloud: HostwindsCloud) -> None:
        self._simulation = simulation
        self._cloud = cloud
        self._verbs: Mapping[str, Verb] = {**Verbs(cloud).table(), **Bills(cloud).table()}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        simulation, now = self._simulation, self._cloud.clock.now()
        form = await _read_form(request)
        action = ACTIONS.get(form.text("action"), UNKNOWN)
        credential = self._credential(form)
        arrived = asyncio.get_running_loop().time()
        record = simulation.calls.begin(action.operation, credential or "none", time=now, arrived=arrived)
        if credential is None:
            reply = items.unauthorized(self._cloud.quirks)
            record.status = reply.status
            return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)
        call = self._describe(action, form)
        record.machine_id, record.machine_name = call.machine_id, call.machine_name
        struck = simulation.faults.take(call, now)
        record.faults = [it.fault.id for it in struck]
        exchange = Exchange(
            request,
            self._cloud,
            call.machine_id,
            accept=lambda page_faults: self._accept(Ask(action, form, page_faults)),
            excuse=lambda answer: items.excuse(answer, action, call.machine_id, self._cloud.quirks),
        )
        response, record.status = await carry_out(exchange, [it.fault.effect for it in struck])
        simulation.doors.wake()
        return response

    def _accept(self, ask: Ask) -> Reply:
        quirks, verb = self._cloud.quirks, self._verbs.get(ask.action.name)
        if verb is None:
            if quirks.unknown_action == "empty":
                return Reply(200, b"", "text/html")
            return Reply.of_json(items.refused(items.error(ask.action.title, items.INVALID_ACTION), ask.action, quirks))
        try:
            done = verb(ask)
        except CloudError as refusal:
            return Reply.of_json(items.refused(items.refusal(ask.action, refusal), ask.action, quirks))
        if done.payload is None:
            return Reply(200, b"", "text/html", machine=done.machine)
        return Reply.of_json(done.payload, machine=done.machine)

    def _describe(self, action: Action, form: Form) -> Call:
        machine = self._cloud.engine.machines.get(form.service_id)
        name = machine.name if machine else form.text("srvrname")
        return Call(action.operation, form.service_id, name, self._page(action, form))

    def _page(self, action: Action, form: Form) -> int | None:
        if action.operation is Operation.LIST:
            return 1
        if action.operation is not Operation.IDS:
            return None
        number = form.text("page")
        return page_index(int(number) if number.isdecimal() else 0, self._cloud.quirks.first_page)

    def _credential(self, form: Form) -> str | None:
        keys, key = self._simulation.api_keys, form.text("API")
        return f"key-{keys.index(key) + 1}" if key in keys else None


async def _read_form(request: web.Request) -> Form:
    """The fields of a posted form; none where something else was sent."""
    if request.method != "POST":
        return Form()
    try:
        posted = await request.post()
    except ValueError:
        return Form()
    return Form(tuple((name, value) for name, value in posted.items() if isinstance(value, str)))


def _own(cloud: Cloud) -> HostwindsCloud:
    if not isinstance(cloud, HostwindsCloud):
        raise TypeError("this face needs a cloud of its own provider: see `new_cloud`")
    return cloud
