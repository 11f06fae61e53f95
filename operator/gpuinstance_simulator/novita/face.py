"""Novita's GPU instance API v1 over a simulated cloud: routes, authentication, faults, error answers.

A request goes: API key, body, faults, then one synchronous method of `verbs` that does what was asked
and says what to answer. Where the documentation is silent the behaviour is an assumption; where clients
disagree it is a switch in `Quirks`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

from aiohttp import web
from pydantic import ValidationError

from gpuinstance_simulator.apps import Apps
from gpuinstance_simulator.calls import CallRecord
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.doors import Doors
from gpuinstance_simulator.effects import Page
from gpuinstance_simulator.errors import CloudError
from gpuinstance_simulator.faults import Call
from gpuinstance_simulator.injection import Exchange, carry_out
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.novita import refusals
from gpuinstance_simulator.novita.paging import Quirks, page_index
from gpuinstance_simulator.novita.verbs import Ask, Done, Verbs
from gpuinstance_simulator.reply import Reply
from gpuinstance_simulator.simulation import Simulation
from gpuinstance_simulator.switches import Switches

PREFIX = "/gpu-instance/openapi/v1"
"""Where the API begins, below the base URL of the server."""

_LISTS_OF_PAGES = frozenset({Operation.LIST, Operation.TEMPLATES, Operation.NETWORK_STORAGES})

Verb = Callable[[Ask], Done]


class NovitaFace:
    """The wire face; hand it to `server.serve`."""

    def __init__(self, quirks: Quirks | None = None) -> None:
        self.switches = Switches(quirks or Quirks())

    def doors(self, cloud: Cloud, apps: Apps, host: str) -> Doors:
        """Each tcp port is published under a number of its own."""
        return Doors(cloud, apps, host)

    def routes(self, simulation: Simulation) -> list[web.AbstractRouteDef]:
        """All routes of the API; anything else below the prefix is API_NOT_FOUND."""
        verbs = Verbs(simulation, self.switches)
        table: tuple[tuple[str, str, Operation, Verb], ...] = (
            ("GET", "/gpu/instances", Operation.LIST, verbs.instances),
            ("GET", "/gpu/instance", Operation.GET, verbs.instance),
            ("POST", "/gpu/instance/create", Operation.CREATE, verbs.create),
            ("POST", "/gpu/instance/start", Operation.START, verbs.start),
            ("POST", "/gpu/instance/stop", Operation.STOP, verbs.stop),
            ("POST", "/gpu/instance/restart", Operation.RESTART, verbs.restart),
            ("POST", "/gpu/instance/delete", Operation.DELETE, verbs.delete),
            ("POST", "/gpu/instance/migrate", Operation.MIGRATE, verbs.migrate),
            ("POST", "/gpu/instance/edit", Operation.EDIT, verbs.edit),
            ("POST", "/gpu/instance/upgrade", Operation.UPGRADE, verbs.upgrade),
            ("POST", "/gpu/instance/transToMonthlyInstance", Operation.CHANGE_CYCLE, verbs.switch_to_monthly),
            ("GET", "/clusters", Operation.CLUSTERS, verbs.clusters),
            ("GET", "/products", Operation.PRODUCTS, verbs.products),
            ("GET", "/template", Operation.TEMPLATE, verbs.template),
            ("GET", "/templates", Operation.TEMPLATES, verbs.templates),
            ("GET", "/repository/auths", Operation.REGISTRY_AUTHS, verbs.registry_auths),
            ("GET", "/networkstorages/list", Operation.NETWORK_STORAGES, verbs.network_storages),
        )
        known = [
            web.route(method, PREFIX + path, _Gate(simulation, self.switches, operation, verb).handle)
            for method, path, operation, verb in table
        ]
        return [*known, web.route("*", PREFIX + "/{rest:.*}", _no_such_call)]


class _Gate:
    """What every call of one kind passes through."""

    def __init__(self, simulation: Simulation, switches: Switches[Quirks], operation: Operation, verb: Verb) -> None:
        self._simulation = simulation
        self._switches = switches
        self._operation = operation
        self._verb = verb

    async def handle(self, request: web.Request) -> web.StreamResponse:
        simulation, now = self._simulation, self._simulation.cloud.clock.now()
        credential = self._credential(request)
        arrived = asyncio.get_running_loop().time()
        record = simulation.calls.begin(self._operation, credential or "none", time=now, arrived=arrived)
        if credential is None:
            return _plain(record, self._unauthorized())
        ask = Ask(dict(request.query), await _read_body(request))
        call = self._describe(ask)
        record.machine_id, record.machine_name = call.machine_id, call.machine_name
        struck = simulation.faults.take(call, now)
        record.faults = [it.fault.id for it in struck]
        exchange = Exchange(
            request,
            simulation.cloud,
            call.machine_id,
            accept=lambda page_faults: self._accept(ask, page_faults),
            excuse=refusals.excuse,
        )
        response, record.status = await carry_out(exchange, [it.fault.effect for it in struck])
        simulation.doors.wake()
        return response

    def _accept(self, ask: Ask, page_faults: Sequence[Page]) -> Reply:
        if ask.body is None:
            return refusals.error(400, "REQUEST", "request error: the body is not a JSON object")
        try:
            done = self._verb(Ask(ask.query, ask.body, page_faults))
        except ValidationError as problem:
            return refusals.invalid(problem)
        except CloudError as refusal:
            status = self._switches.now.not_found_status
            return refusals.refused(refusal, self._operation, not_found_status=status)
        return Reply.of_json(done.payload, machine=done.machine)

    def _describe(self, ask: Ask) -> Call:
        body = ask.body or {}
        machine_id = str(body.get("instanceId") or ask.query.get("instanceId") or "")
        machine = self._simulation.cloud.engine.machines.get(machine_id)
        name = machine.name if machine else str(body.get("name") or "")
        return Call(self._operation, machine_id, name, self._page(ask))

    def _page(self, ask: Ask) -> int | None:
        if self._operation not in _LISTS_OF_PAGES:
            return None
        number = ask.query.get("pageNum") or ask.query.get("pageNo") or ""
        return page_index(self._switches.now, int(number) if number.isdecimal() else 0)

    def _credential(self, request: web.Request) -> str | None:
        keys = self._simulation.api_keys
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or key not in keys:
            return None
        return f"key-{keys.index(key) + 1}"

    def _unauthorized(self) -> Reply:
        if self._switches.now.gateway_auth:
            return refusals.error(403, "INVALID_API_KEY", "invalid api key")
        return refusals.error(401, "UNAUTHORIZED", "unauthorized")


async def _read_body(request: web.Request) -> dict[str, object] | None:
    """The JSON object in the body; empty without a body, None if it is anything else."""
    raw = await request.read()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _plain(record: CallRecord, reply: Reply) -> web.Response:
    record.status = reply.status
    return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)


async def _no_such_call(_: web.Request) -> web.Response:
    reply = refusals.error(404, "API_NOT_FOUND", "api not found")
    return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)
