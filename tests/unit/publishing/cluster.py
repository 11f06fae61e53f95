"""An API server as small as can be, over HTTP: three kinds of objects, versions, preconditions, and faults.

It answers as the real one does where `publishing` depends on it; the real one is asked in tests/integration.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.unit.test_kube import apply

Body = dict[str, Any]
Name = tuple[str, str]
"""Plural and name."""

_PATHS = ("/api/v1/namespaces/default/{plural}", "/apis/discovery.k8s.io/v1/namespaces/default/{plural}")


class SmallCluster:
    """What it holds, and what was asked of it."""

    def __init__(self) -> None:
        self.objects: dict[Name, Body] = {}
        self.writes: list[tuple[str, str, str]] = []
        """Method, plural and name of each write that was accepted."""
        self.reads = 0
        self.refuse: dict[str, tuple[int, str]] = {}
        """Status and text with which writes of a plural are refused."""
        self.meanwhile: Callable[[], None] | None = None
        """Done once, after the next write has been sent and before it is judged."""
        self.broken_from: int | None = None
        """From so many writes on it answers with errors."""
        self.acts_first = False
        """What is answered with an error is done nevertheless."""
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)

    def put(self, plural: str, body: Body) -> None:
        """Somebody else makes or replaces an object."""
        metadata = {"uid": f"uid-{next(self._uids)}", **body.get("metadata", {}), "namespace": "default"}
        self.objects[plural, metadata["name"]] = self._versioned({**body, "metadata": metadata})

    def edit(self, plural: str, name: str, patch: Body) -> None:
        """Somebody else changes an object."""
        self.objects[plural, name] = self._versioned(apply(self.objects[plural, name], patch))

    def names(self, plural: str) -> list[str]:
        """The names of all objects of a kind."""
        return sorted(name for kind, name in self.objects if kind == plural)

    def take_writes(self) -> list[tuple[str, str, str]]:
        """The writes since the last time."""
        taken, self.writes = self.writes, []
        return taken

    def _versioned(self, body: Body) -> Body:
        return {**body, "metadata": {**body["metadata"], "resourceVersion": str(next(self._versions))}}

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        plural, name = request.match_info["plural"], request.match_info.get("name", "")
        body = await request.json() if request.can_read_body else {}
        if request.method == "GET":
            self.reads += 1
            return self._read(plural, name, request.query.get("labelSelector", ""))
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        if plural in self.refuse:
            status, text = self.refuse[plural]
            return web.Response(status=status, text=text)
        is_broken = self.broken_from is not None and len(self.writes) >= self.broken_from
        if is_broken and not self.acts_first:
            return web.Response(status=500)
        status, answer = self._write(request.method, plural, name or body["metadata"]["name"], body)
        if status < 300:
            self.writes.append((request.method, plural, name or body["metadata"]["name"]))
        if is_broken:
            return web.Response(status=500)
        return web.json_response(answer, status=status)

    def _read(self, plural: str, name: str, selector: str) -> web.Response:
        if name:
            found = self.objects.get((plural, name))
            return web.json_response(found or {}, status=200 if found else 404)
        wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
        items = [it for (kind, _), it in self.objects.items() if kind == plural]
        items = [it for it in items if wanted.items() <= it["metadata"].get("labels", {}).items()]
        return web.json_response({"items": items})

    def _write(self, method: str, plural: str, name: str, body: Body) -> tuple[int, Body]:
        found = self.objects.get((plural, name))
        if method == "POST":
            if found is not None:
                return 409, {}
            self.put(plural, body)
            return 201, self.objects[plural, name]
        if found is None:
            return 404, {}
        guard = body["preconditions"] if method == "DELETE" else body["metadata"]
        if any(found["metadata"][key] != guard[key] for key in ("uid", "resourceVersion")):
            return 409, {}
        if method == "DELETE":
            return 200, self.objects.pop((plural, name))
        self.objects[plural, name] = self._versioned(apply(found, json.loads(json.dumps(body))))
        return 200, self.objects[plural, name]


@asynccontextmanager
async def served(cluster: SmallCluster) -> AsyncIterator[str]:
    """Give the URL at which the cluster is reached."""
    application = web.Application()
    for path in _PATHS:
        application.router.add_route("*", path, cluster.handle)
        application.router.add_route("*", path + "/{name}", cluster.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
