"""What a process without its lease may still do at the API server: read; and what the audit reads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client

from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.kube import Key, Kube, KubeError, NotLeading

OBJECT = {
    "kind": KIND,
    "metadata": {"name": "trainer", "namespace": "default", "uid": "uid-1", "resourceVersion": "7"},
    "spec": {},
}
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiServer:
    """Answers every read with the same object, and a list with three of them on two pages."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Answer any request."""
        self.asked.append(request)
        if not request.path.endswith("/gpuinstances"):
            return web.json_response(OBJECT)
        if "/empty/" in request.path:  # what the API server says instead of an empty list, if it is of metadata
            return web.json_response({"metadata": {}, "items": None})
        second = request.query.get("continue") == "more"
        item = {"kind": "PartialObjectMetadata", "metadata": OBJECT["metadata"]}
        page: dict[str, Any] = {"metadata": {} if second else {"continue": "more"}, "items": [item] * (1 + second)}
        return web.Response(text=json.dumps(page), content_type="application/json")


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def kube(server: ApiServer) -> AsyncIterator[Kube]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    opened = Kube(client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{port}")))
    yield opened
    await opened.aclose()
    await runner.cleanup()


async def test_without_the_lease_nothing_is_written(server: ApiServer, kube: Kube) -> None:
    """Not a status, not an Event, no deletion: nothing is even sent; looking on is harmless."""
    kube.may_write = lambda: False
    for write in (
        kube.patch_status(OBJECT, {"phase": "Ready"}),
        kube.post_event(OBJECT, reason="Created", message="", warning=False),
        kube.delete_object(OBJECT),
    ):
        with pytest.raises(NotLeading, match="nothing was written"):
            await write
    assert server.asked == []
    assert await kube.get_object(Key.of(OBJECT)) == OBJECT
    assert issubclass(NotLeading, KubeError), "a pass ends with it as with any trouble of the API server"


async def test_with_the_lease_it_is_asked_each_time(server: ApiServer, kube: Kube) -> None:
    """The right may end between two writes."""
    rights = [True, False]
    kube.may_write = lambda: rights.pop(0)
    await kube.patch_status(OBJECT, {"phase": "Ready"})
    with pytest.raises(NotLeading):
        await kube.patch_status(OBJECT, {"phase": "Ready"})
    assert [request.method for request in server.asked] == ["PATCH"]


async def test_an_audit_reads_metadata_page_by_page(server: ApiServer, kube: Kube) -> None:
    """Bounded pages of what is compared, and no more; each object says its own kind again."""
    found = await kube.list_objects(KIND, None, metadata_only=True)
    assert [Key.of(body) for body in found] == [Key("default", "trainer", "uid-1", KIND)] * 3
    assert [request.headers["Accept"] for request in server.asked] == [METADATA_ONLY] * 2
    assert [(request.query["limit"], request.query.get("continue")) for request in server.asked] == [
        ("500", None),
        ("500", "more"),
    ]
    assert await kube.list_objects(KIND, "empty", metadata_only=True) == []
    await kube.list_objects(KIND, "default")
    assert server.asked[-1].path.endswith("/namespaces/default/gpuinstances")
    assert server.asked[-1].headers["Accept"] != METADATA_ONLY
