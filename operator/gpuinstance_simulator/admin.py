"""The admin API below `/_simulator`: what a test may know and do, and a client never should.

    GET    /_simulator/health
    GET    /_simulator/clock                      {now, speed}
    POST   /_simulator/clock                      {speed?, advance?}
    GET    /_simulator/ledger                     ?operation= &machine= &name= &actor=
    GET    /_simulator/calls                      {total, operations, credentials, recent[?recent=N]}
    DELETE /_simulator/calls                      count from zero again
    GET    /_simulator/machines                   the truth, without lag; ?gone=true: also what is gone
    POST   /_simulator/machines                   somebody buys a machine in the console
    POST   /_simulator/machines/{id}/console      {action, ...}: see `console`
    GET    /_simulator/faults                     with `seen` and `hits` of each
    POST   /_simulator/faults                     one fault, or a list: see `faults`
    DELETE /_simulator/faults[/{id}]
    GET    /_simulator/apps
    POST   /_simulator/apps                       one rule, or a list: see `apps`
    DELETE /_simulator/apps
    GET    /_simulator/visits                     requests to applications, by machine and http port
    GET    /_simulator/catalogue
    POST   /_simulator/catalogue                  {product, ...changes}: price, available, capacity ...
    GET    /_simulator/settings
    POST   /_simulator/settings                   any of `settings.Settings`
    GET    /_simulator/quirks
    POST   /_simulator/quirks                     any of the provider's `Quirks`

There is no authentication: the simulator belongs on a loopback address. A bad request is answered with
400 and a text that names what is wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from gpuinstance_simulator import admin_models as models
from gpuinstance_simulator.apps import AppRule
from gpuinstance_simulator.console import ConsoleAction, act
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.faults import Fault
from gpuinstance_simulator.lifecycle import Actor
from gpuinstance_simulator.settings import Settings
from gpuinstance_simulator.simulation import Simulation

PREFIX = "/_simulator"

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.Response]]
_FAULTS = TypeAdapter[Fault | list[Fault]](Fault | list[Fault])
_RULES = TypeAdapter[AppRule | list[AppRule]](AppRule | list[AppRule])
_CHANGES = TypeAdapter(dict[str, Any])
_UNKNOWN = frozenset({Refusal.NO_SUCH_MACHINE, Refusal.NO_SUCH_INVOICE})


def guarded(simulation: Simulation, table: Iterable[tuple[str, str, Handler]]) -> list[web.AbstractRouteDef]:
    """Routes below `PREFIX`, in which errors become answers and after which the doors notice changes."""

    def guard(handler: Handler) -> Handler:
        async def guarded_handler(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except (ValidationError, ValueError) as problem:
                return web.json_response({"error": str(problem)}, status=400)
            except CloudError as refusal:
                status = 404 if refusal.reason in _UNKNOWN else 409
                error = {"error": refusal.message, "reason": refusal.reason.value}
                return web.json_response(error, status=status)
            finally:
                simulation.doors.wake()

        return guarded_handler

    return [web.route(method, PREFIX + path, guard(handler)) for method, path, handler in table]


class Admin:
    """The admin API of one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._cloud = simulation.cloud

    def routes(self) -> list[web.AbstractRouteDef]:
        """Everything listed above."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/health", self._health),
            ("GET", "/clock", self._clock),
            ("POST", "/clock", self._change_clock),
            ("GET", "/ledger", self._ledger),
            ("GET", "/calls", self._calls),
            ("DELETE", "/calls", self._reset_calls),
            ("GET", "/machines", self._machines),
            ("POST", "/machines", self._buy),
            ("POST", "/machines/{id}/console", self._console),
            ("GET", "/faults", self._faults),
            ("POST", "/faults", self._add_faults),
            ("DELETE", "/faults", self._remove_faults),
            ("DELETE", "/faults/{id}", self._remove_faults),
            ("GET", "/apps", self._apps),
            ("POST", "/apps", self._add_apps),
            ("DELETE", "/apps", self._clear_apps),
            ("GET", "/visits", self._visits),
            ("GET", "/catalogue", self._catalogue),
            ("POST", "/catalogue", self._change_catalogue),
            ("GET", "/settings", self._settings),
            ("POST", "/settings", self._change_settings),
            ("GET", "/quirks", self._quirks),
            ("POST", "/quirks", self._change_quirks),
        )
        return guarded(self._simulation, table)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _clock(self, _: web.Request) -> web.Response:
        clock = self._cloud.clock
        return web.json_response({"now": clock.now(), "speed": clock.speed})

    async def _change_clock(self, request: web.Request) -> web.Response:
        change = models.ClockChange.model_validate_json(await request.read())
        if change.speed is not None:
            self._cloud.clock.set_speed(change.speed)
        if change.advance:
            self._cloud.clock.advance(change.advance)
        return await self._clock(request)

    async def _ledger(self, request: web.Request) -> web.Response:
        query = models.LedgerQuery.model_validate(dict(request.query))
        self._cloud.engine.now()
        entries = self._cloud.ledger.select(
            operation=query.operation, machine_id=query.machine, name=query.name, actor=query.actor
        )
        return web.json_response([entry.as_json() for entry in entries])

    async def _calls(self, request: web.Request) -> web.Response:
        query, calls = models.CallsQuery.model_validate(dict(request.query)), self._simulation.calls
        answer: models.Json = {
            "total": calls.counts.total(),
            "operations": dict(calls.counts),
            "credentials": {key: dict(counts) for key, counts in calls.by_credential.items()},
            "recent": [record.as_json() for record in calls.last(query.recent)],
        }
        return web.json_response(answer)

    async def _reset_calls(self, request: web.Request) -> web.Response:
        self._simulation.calls.reset()
        return await self._calls(request)

    async def _machines(self, request: web.Request) -> web.Response:
        query = models.MachinesQuery.model_validate(dict(request.query))
        machines, now = self._cloud.truth(with_gone=query.gone), self._cloud.engine.now()
        return web.json_response([models.machine_json(it, now) for it in machines])

    async def _buy(self, request: web.Request) -> web.Response:
        purchase = models.Purchase.model_validate_json(await request.read())
        machine = self._cloud.create(purchase.to_order(), actor=Actor.CONSOLE)
        return web.json_response(models.machine_json(machine, self._cloud.engine.now()), status=201)

    async def _console(self, request: web.Request) -> web.Response:
        action = ConsoleAction.model_validate_json(await request.read())
        machine = act(self._cloud, request.match_info["id"], action)
        return web.json_response(models.machine_json(machine, self._cloud.engine.now()))

    async def _faults(self, _: web.Request) -> web.Response:
        planted = self._simulation.faults.planted()
        return web.json_response([models.fault_json(it) for it in planted])

    async def _add_faults(self, request: web.Request) -> web.Response:
        faults, now = _as_list(_FAULTS.validate_json(await request.read())), self._cloud.clock.now()
        planted = [self._simulation.faults.add(fault, now) for fault in faults]
        return web.json_response([models.fault_json(it) for it in planted], status=201)

    async def _remove_faults(self, request: web.Request) -> web.Response:
        removed = self._simulation.faults.remove(request.match_info.get("id"))
        return web.json_response({"removed": removed})

    async def _apps(self, _: web.Request) -> web.Response:
        return web.json_response([rule.model_dump() for rule in self._simulation.apps.rules()])

    async def _add_apps(self, request: web.Request) -> web.Response:
        for rule in _as_list(_RULES.validate_json(await request.read())):
            self._simulation.apps.add(rule)
        return await self._apps(request)

    async def _clear_apps(self, request: web.Request) -> web.Response:
        self._simulation.apps.clear()
        return await self._apps(request)

    async def _visits(self, _: web.Request) -> web.Response:
        visits: dict[str, dict[int, int]] = {}
        for (machine, port), count in self._simulation.apps.visits.items():
            visits.setdefault(machine, {})[port] = count
        return web.json_response(visits)

    async def _catalogue(self, _: web.Request) -> web.Response:
        sales, products = self._cloud.sales, self._cloud.catalogue.products.values()
        return web.json_response([models.product_json(it, sales.free_gpus(it)) for it in products])

    async def _change_catalogue(self, request: web.Request) -> web.Response:
        change = models.ProductChange.model_validate_json(await request.read())
        if change.product not in self._cloud.catalogue.products:
            raise CloudError(Refusal.NO_SUCH_PRODUCT, f"unknown product {change.product}")
        product = self._cloud.catalogue.change(change.product, change.changes())
        return web.json_response(models.product_json(product, self._cloud.sales.free_gpus(product)))

    async def _settings(self, _: web.Request) -> web.Response:
        return web.json_response(self._cloud.settings.model_dump(mode="json"))

    async def _change_settings(self, request: web.Request) -> web.Response:
        now = self._cloud.settings.model_dump()
        change = Settings.model_validate_json(await request.read()).model_dump(exclude_unset=True)
        self._cloud.settings = Settings.model_validate(now | change)
        return await self._settings(request)

    async def _quirks(self, _: web.Request) -> web.Response:
        return web.json_response(self._simulation.switches.now.model_dump(mode="json"))

    async def _change_quirks(self, request: web.Request) -> web.Response:
        self._simulation.switches.change(_CHANGES.validate_json(await request.read()))
        return await self._quirks(request)


def _as_list(one_or_many: T | list[T]) -> list[T]:
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]
