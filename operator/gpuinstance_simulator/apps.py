"""The fake applications that run in the machines: what answers behind an exposed port, and when.

By default an application answers 200 `ok` once its machine has been up for the warm-up time, and until
then the provider's proxy answers for it: 502 with a page of HTML. Rules change that for machines, names and
ports; the newest matching rule wins. http ports behind the provider's proxy are served here, below
`/_apps/{machine}/{port}`; all other ports have doors of their own: see `keeper`. Deciding is pure; only `serve` and
`respond` touch a request.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.machine import Machine
from gpuinstance_simulator.reply import Reply

PREFIX = "/_apps"


class Behaviour(BaseModel):
    """How an application behaves. The defaults are those of a healthy one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ready: bool = True
    """False: it never comes up."""
    crashed: bool = False
    """True: it is down at this moment, whatever it was before."""
    warm_up: float | None = Field(default=None, ge=0)
    """Virtual seconds from the machine being up to the first answer; None: as the settings say."""
    status: int = Field(default=200, ge=200, le=599)
    body: str = "ok\n"
    content_type: str = "text/plain"
    headers: dict[str, str] = Field(default_factory=dict)
    requires: dict[str, str] = Field(default_factory=dict)
    """Headers of a request; without them it is answered with 401."""
    delay: float = Field(default=0, ge=0)
    """Real seconds until it answers."""
    banner: str = ""
    """What a tcp application says when somebody connects."""


class AppRule(BaseModel):
    """Which applications behave so. A rule without conditions is for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str | None = None
    """A machine's id."""
    name: str | None = None
    """A glob for the machine's name."""
    port: int | None = None
    behaviour: Behaviour

    def matches(self, machine: Machine, port: int) -> bool:
        """Whether the rule is for this application."""
        return (
            self.machine in (None, machine.id)
            and (self.name is None or fnmatchcase(machine.name, self.name))
            and self.port in (None, port)
        )


@dataclass(frozen=True, slots=True)
class App:
    """One application at this moment."""

    behaviour: Behaviour
    answers: bool
    """False: nothing listens on its port."""
    answers_from: float | None
    """Virtual time of its first answer in this run, where that lies ahead."""


class Apps:
    """All applications of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._rules: list[AppRule] = []
        self.visits: Counter[tuple[str, int]] = Counter()
        """Requests so far, by machine id and http port."""

    def add(self, rule: AppRule) -> None:
        """From now on the newest rule."""
        self._rules.append(rule)

    def clear(self) -> None:
        """All applications are healthy again."""
        self._rules.clear()

    def rules(self) -> Sequence[AppRule]:
        """The rules, oldest first."""
        return tuple(self._rules)

    def behaviour(self, machine: Machine, port: int) -> Behaviour:
        """How the application on this port is meant to behave."""
        matching = (it.behaviour for it in reversed(self._rules) if it.matches(machine, port))
        return next(matching, Behaviour())

    def at(self, machine: Machine, port: int) -> App:
        """The application on this port, now."""
        now = self._cloud.engine.now()
        behaviour = self.behaviour(machine, port)
        if machine.up_since is None or behaviour.crashed or not behaviour.ready:
            return App(behaviour, answers=False, answers_from=None)
        warm_up = self._cloud.settings.warm_up if behaviour.warm_up is None else behaviour.warm_up
        first = machine.up_since + warm_up
        return App(behaviour, answers=now >= first, answers_from=None if now >= first else first)

    async def serve(self, request: web.Request) -> web.Response:
        """Answer for an http port, as the provider's proxy would: 404 where nothing is exposed."""
        machine = self._cloud.engine.machines.get(request.match_info["machine"])
        port = int(request.match_info["port"])
        if machine is None or not _exposes_http(machine, port):
            return _page(404)
        return await self.respond(request, machine, port)

    async def respond(self, request: web.BaseRequest, machine: Machine, port: int) -> web.Response:
        """The application's own answer; 502 while it does not answer."""
        self.visits[machine.id, port] += 1
        app = self.at(machine, port)
        if not app.answers:
            return _page(502)
        behaviour = app.behaviour
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        if any(request.headers.get(name) != value for name, value in behaviour.requires.items()):
            return _page(401)
        return web.Response(
            status=behaviour.status,
            text=behaviour.body,
            content_type=behaviour.content_type,
            headers=behaviour.headers,
        )

    def routes(self) -> list[web.AbstractRouteDef]:
        """Any method, any path below the port."""
        path = PREFIX + r"/{machine}/{port:\d{1,5}}"
        return [web.route("*", path, self.serve), web.route("*", path + "/{rest:.*}", self.serve)]


def _exposes_http(machine: Machine, port: int) -> bool:
    exposed = (*machine.order.ports, *(tool_port for _, tool_port in machine.order.tools))
    return any(it.number == port and it.protocol == "http" for it in exposed)


def _page(status: int) -> web.Response:
    page = Reply.of_html(status)
    return web.Response(status=page.status, body=page.body, content_type=page.content_type)
