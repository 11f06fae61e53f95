"""The Lease at the API server: which requests are sent, and under which Lease a process stands."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client

from gpuinstance.config import Settings
from gpuinstance.kube import Body, Conflict, Kube, KubeError
from gpuinstance.leading import candidate
from gpuinstance.leading.leadership import Alone
from gpuinstance.leading.lease import LeaseStore, moment, own_namespace
from gpuinstance.leading.shard import Shard

LEASES = "/apis/coordination.k8s.io/v1/namespaces/ours/leases"
KUBECONFIG = """
{apiVersion: v1, kind: Config, current-context: it,
 clusters: [{name: it, cluster: {server: "http://127.0.0.1:9"}}], users: [{name: it, user: {}}],
 contexts: [{name: it, context: {cluster: it, user: it}}]}
"""


class ApiServer:
    """Answers with a status and a body, and notes what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[tuple[str, str, Any]] = []
        self.queries: list[str] = []
        self.items: list[Any] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        """Answer any request."""
        body = json.loads(await request.text() or "null")
        self.asked.append((request.method, request.path, body))
        self.queries.append(request.query_string)
        if self.items is not None:
            return web.json_response({"metadata": {"resourceVersion": "9"}, "items": self.items})
        status = 201 if request.method == "POST" and self.status == 200 else self.status
        return web.json_response(body or {"metadata": {"resourceVersion": "7"}, "spec": {}}, status=status)


@pytest.fixture
async def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def store(server: ApiServer) -> AsyncIterator[LeaseStore]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    opened = LeaseStore(Kube(client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{port}"))), "ours", "it")
    yield opened
    await opened.aclose()
    await runner.cleanup()


async def test_reading_and_writing(server: ApiServer, store: LeaseStore) -> None:
    """One object under its own path; a replacement carries the version and all that it does not change."""
    lease: Body = {
        "metadata": {"name": "it", "resourceVersion": "7", "labels": {"a": "b"}},
        "spec": {"holderIdentity": "x"},
    }
    assert await store.read() == {"metadata": {"resourceVersion": "7"}, "spec": {}}
    created = await store.create({"holderIdentity": "me"}, {})
    replaced = await store.replace(lease, {"holderIdentity": "me"}, {"note": "7"})
    assert [(method, path) for method, path, _ in server.asked] == [
        ("GET", f"{LEASES}/it"),
        ("POST", LEASES),
        ("PUT", f"{LEASES}/it"),
    ]
    assert created["kind"] == "Lease"
    label = {"gpuinstance.dev/lease": "it"}
    assert created["metadata"] == {"name": "it", "namespace": "ours", "labels": label, "annotations": {}}
    metadata: Body = {**lease["metadata"], "labels": {"a": "b", **label}, "annotations": {"note": "7"}}
    assert replaced == {"metadata": metadata, "spec": {"holderIdentity": "me"}}
    assert str(store) == "ours/it"


async def test_answers_are_named(server: ApiServer, store: LeaseStore) -> None:
    """No Lease is no error; somebody else's write is a conflict; everything else is trouble."""
    server.status = 404
    assert await store.read() is None
    server.status = 409
    with pytest.raises(Conflict):
        await store.replace({"metadata": {}}, {}, {})
    server.status = 403
    with pytest.raises(KubeError, match="403"):
        await store.read()


def test_a_moment_has_six_digits_of_a_second() -> None:
    """The API server refuses any other form, also at a full second."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment())


def test_a_pod_knows_its_namespace(tmp_path: Path) -> None:
    """From the file of its service account; without one there is no pod."""
    file = tmp_path / "namespace"
    assert own_namespace(file) is None
    file.write_text("gpu-system\n")
    assert own_namespace(file) == "gpu-system"


@pytest.fixture
def somewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kubeconfig, and no pod around."""
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))


STANDS: dict[str, tuple[dict[str, Any], str | None, str | None]] = {
    "in a pod": ({}, "gpu-system", "gpu-system/gpu-instance-operator"),
    "in a pod, with a Lease elsewhere": ({"lease_namespace": "ours"}, "gpu-system", "ours/gpu-instance-operator"),
    "started by hand, with a Lease": ({"lease_namespace": "ours", "lease_name": "it"}, None, "ours/it"),
    "started by hand": ({}, None, None),
    "one of three": ({"shards": 3, "shard": 2}, "gpu-system", "gpu-system/gpu-instance-operator-2-of-3"),
    "in a pod, and alone by its settings": ({"leader_election": False}, "gpu-system", None),
}


@pytest.mark.usefixtures("somewhere")
@pytest.mark.parametrize(("settings", "pod", "lease"), STANDS.values(), ids=STANDS)
async def test_where_there_is_an_election(
    settings: dict[str, Any], pod: str | None, lease: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pod by default; elsewhere only where a namespace is named."""
    monkeypatch.setattr("gpuinstance.leading.candidacy.own_namespace", lambda: pod)
    one, two = await candidate(Settings(**settings)), await candidate(Settings(**settings))
    if lease is None:
        assert isinstance(one, Alone)
        return
    assert isinstance(one, Shard)
    assert isinstance(two, Shard)
    assert str(one) == lease
    assert one.division == Settings(**settings).division
    assert one._election._identity != two._election._identity, "two processes of one host are two candidates"
    await one.release()
    await two.release()


@pytest.mark.usefixtures("somewhere")
async def test_shards_without_a_place_for_their_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing would keep them from acting on the same objects: such a process does not start."""
    monkeypatch.setattr("gpuinstance.leading.candidacy.own_namespace", lambda: None)
    with pytest.raises(KubeError, match="GPUINSTANCE_LEASE_NAMESPACE"):
        await candidate(Settings(shards=3))


async def test_all_leases_are_listed_as_they_are_now(server: ApiServer, store: LeaseStore) -> None:
    """No label and no version is asked for: an old cache could hide the one that goes first."""
    server.items = [{"metadata": {"name": "it"}, "spec": {}}]
    assert await store.read_all() == server.items
    assert server.asked == [("GET", LEASES, None)]
    assert server.queries == [""]
