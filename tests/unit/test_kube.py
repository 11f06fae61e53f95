"""The door to Kubernetes: patches that say exactly what changed, and errors that a pass understands."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes.aio import client

from gpuinstance import kube
from gpuinstance.kube import Conflict, Forbidden, Key, Kube, KubeError, Vanished, merge_patch

KEY = Key("default", "trainer", "uid-1")
OBJECT = {
    "apiVersion": "gpuinstance.dev/v1alpha1",
    "kind": "GPUInstance",
    "metadata": {"name": "trainer", "namespace": "default", "uid": "uid-1", "resourceVersion": "7"},
    "spec": {},
}
INSTANCES = "/apis/gpuinstance.dev/v1alpha1/namespaces/default/gpuinstances/trainer"

# ------------------------------------------------------------------------------------------------ merge patches

_values = st.none() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]) | st.lists(st.sampled_from("ab"), max_size=2)
_keys = st.sampled_from("abc")
_documents = st.recursive(
    st.dictionaries(_keys, _values.filter(lambda value: value is not None), max_size=3),
    lambda inner: st.dictionaries(_keys, inner | _values.filter(lambda value: value is not None), max_size=3),
    max_leaves=8,
)


def apply(target: Any, patch: Any) -> Any:
    """Apply a merge patch as RFC 7386 says, word by word: what the API server does with it."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply(result.get(name), value)
    return result


def size(patch: Any) -> int:
    return 1 + sum(map(size, patch.values())) if isinstance(patch, Mapping) else 1


@settings(derandomize=True, database=None, deadline=None)
@given(_documents, _documents)
def test_a_patch_leads_from_old_to_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Exactly, for any two documents; and there is one only where they differ."""
    patch = merge_patch(old, new)
    assert apply(old, patch) == new
    assert (patch == {}) is (old == new)


@settings(derandomize=True, database=None, deadline=None)
@given(_documents, _documents, _documents)
def test_what_others_wrote_meanwhile_stays(old: dict[str, Any], new: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Fields that neither `old` nor `new` know, such as those of a newer version, are not touched."""
    other = {f"x{name}": value for name, value in theirs.items()}
    assert apply(old | other, merge_patch(old, new)) == new | other


PATCHES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing changed": ({"a": {"b": [1]}}, {"a": {"b": [1]}}, {}),
    "a field appeared": ({}, {"a": 1}, {"a": 1}),
    "a field changed": ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 2}),
    "a field vanished": ({"a": 1, "b": 1}, {"b": 1}, {"a": None}),
    "deep inside": ({"a": {"b": {"c": 1, "d": 1}}}, {"a": {"b": {"c": 2, "d": 1}}}, {"a": {"b": {"c": 2}}}),
    "the last field of an object vanished: it stays, empty": ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
    "a list is replaced as a whole": ({"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, 3]}),
    "an object took the place of a value": ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    "a value took the place of an object": ({"a": {"b": 1}}, {"a": 1}, {"a": 1}),
}


@pytest.mark.parametrize(("old", "new", "patch"), PATCHES.values(), ids=PATCHES)
def test_a_patch_holds_no_more_than_what_changed(
    old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any]
) -> None:
    """Each write is seen by every watcher: it carries the difference only."""
    assert merge_patch(old, new) == patch


# -------------------------------------------------------------------------------------------------- the API server

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def api_server(answer: Answer) -> AsyncIterator[Kube]:
    """Serve this answer to every request on a free port, and yield the door to it."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return await answer(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = runner.addresses[0]
    opened = Kube(client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{address[1]}")))
    try:
        yield opened
    finally:
        await opened.aclose()
        await runner.cleanup()


def saying(status: int, body: object) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    return answer


async def test_the_object_is_read_as_it_is() -> None:
    """Under its own path, as plain JSON."""
    paths = []

    async def answer(request: web.Request) -> web.Response:
        paths.append((request.method, request.path))
        return web.json_response(OBJECT)

    async with api_server(answer) as api:
        assert await api.get_object(KEY) == OBJECT
    assert paths == [("GET", INSTANCES)]


async def test_another_life_of_the_name_is_another_object() -> None:
    """A pass that was meant for a deleted object must not act on its successor."""
    async with api_server(saying(200, OBJECT)) as api:
        with pytest.raises(Vanished, match="another object now"):
            await api.get_object(Key("default", "trainer", "uid-0"))


async def test_a_status_is_written_for_the_object_that_was_read() -> None:
    """One merge patch of the status subresource, guarded by resourceVersion and uid; the saved object comes back."""
    seen: list[tuple[str, str, str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, request.content_type, await request.json()))
        return web.json_response(OBJECT | {"status": {"phase": "Ready"}})

    async with api_server(answer) as api:
        saved = await api.patch_status(OBJECT, {"phase": "Ready", "operation": None})
    assert saved["status"] == {"phase": "Ready"}
    guard = {"resourceVersion": "7", "uid": "uid-1"}
    patch = {"metadata": guard, "status": {"phase": "Ready", "operation": None}}
    assert seen == [("PATCH", f"{INSTANCES}/status", "application/merge-patch+json", patch)]


REFUSED = {"kind": "Status", "status": "Failure", "message": "gpuinstances is\nforbidden: no"}
ERRORS: dict[str, tuple[int, type[KubeError], str]] = {
    "the object is gone": (404, Vanished, "Not Found"),
    "somebody else was faster": (409, Conflict, "Conflict"),
    "we may not": (403, Forbidden, "API server: 403 Forbidden: .*gpuinstances is.nforbidden: no"),
    "the token is refused": (401, KubeError, "API server: 401"),
    "it does not like the patch": (422, KubeError, "API server: 422"),
    "it is overloaded": (429, KubeError, "API server: 429"),
    "it is broken": (500, KubeError, "API server: 500"),
    "it is starting": (503, KubeError, "API server: 503"),
}


@pytest.mark.parametrize(("status", "error", "words"), ERRORS.values(), ids=ERRORS)
async def test_refusals_have_their_meanings(status: int, error: type[KubeError], words: str) -> None:
    """Gone, changed, forbidden, or to be tried again; the message is one line and holds the server's own words."""
    async with api_server(saying(status, REFUSED)) as api:
        for call in (api.get_object(KEY), api.patch_status(OBJECT, {"phase": "Ready"})):
            with pytest.raises(KubeError, match=words) as caught:
                await call
            assert type(caught.value) is error
            assert "\n" not in str(caught.value)
            assert len(str(caught.value)) < 400


async def test_a_server_that_cannot_be_reached_is_to_be_tried_again() -> None:
    """Nothing of the client library comes through."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        api = Kube(client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{unused.getsockname()[1]}")))
        with pytest.raises(KubeError, match="cannot be reached"):
            await api.get_object(KEY)
        await api.aclose()


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that waits for ever would hold its worker for ever."""
    monkeypatch.setattr(kube, "_TIMEOUT_SECONDS", 0.05)

    given_up = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await given_up.wait()
        return web.Response()

    async with api_server(hang) as api:
        with pytest.raises(KubeError, match=r"cannot be reached: .*Timeout"):
            await api.get_object(KEY)
        given_up.set()


async def test_secrets_are_decoded_and_config_maps_are_text() -> None:
    """What is not base64 counts as empty: it cannot be a key."""
    encoded = {"apiKey": base64.b64encode(b"\xffkey").decode(), "broken": "%%%"}
    async with api_server(saying(200, {"metadata": {"name": "s"}, "data": encoded})) as api:
        assert await api.get_secret("default", "s") == {"apiKey": b"\xffkey", "broken": b""}
    async with api_server(saying(200, {"metadata": {"name": "c"}, "data": {"mode": "fast"}})) as api:
        assert await api.get_config_map("default", "c") == {"mode": "fast"}


async def test_what_does_not_exist_is_none_and_what_is_empty_is_empty() -> None:
    """Only the server's own word counts as absence."""
    async with api_server(saying(404, REFUSED)) as api:
        assert await api.get_secret("default", "s") is None
        assert await api.get_config_map("default", "c") is None
        assert await api.get_namespace_annotations("n") is None
    async with api_server(saying(200, {"metadata": {"name": "s"}})) as api:
        assert await api.get_secret("default", "s") == {}
        assert await api.get_config_map("default", "c") == {}
        assert await api.get_namespace_annotations("s") == {}
    async with api_server(saying(403, REFUSED)) as api:
        with pytest.raises(Forbidden, match="403"):
            await api.get_namespace_annotations("s")
        with pytest.raises(KubeError, match="403"):
            await api.get_secret("default", "s")
        with pytest.raises(KubeError, match="403"):
            await api.get_config_map("default", "c")


@pytest.mark.parametrize("name", ["", ".", "..", "../secrets", "a/b"])
async def test_a_name_that_would_lead_to_another_path_names_nothing(name: str) -> None:
    """The client library puts a name into the path as it is: such a one is not asked for at all."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"metadata": {"name": "other"}, "data": {"apiKey": ""}})

    async with api_server(answer) as api:
        assert await api.get_secret("default", name) is None
        assert await api.get_config_map("default", name) is None
    assert asked == []


async def test_a_namespace_is_read_for_its_annotations() -> None:
    """By its name, alone."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"metadata": {"name": "team-a", "annotations": {"budget": "1"}}})

    async with api_server(answer) as api:
        assert await api.get_namespace_annotations("team-a") == {"budget": "1"}
    assert asked == ["/api/v1/namespaces/team-a"]


@pytest.mark.parametrize(("warning", "kind"), [(True, "Warning"), (False, "Normal")])
async def test_an_event_is_about_the_object(kind: str, *, warning: bool) -> None:
    """In its namespace, with its uid, and no longer than Kubernetes takes; no two share a name."""
    posted: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        posted.append(await request.json())
        return web.json_response(posted[-1], status=201)

    long_name = json.loads(json.dumps(OBJECT))
    long_name["metadata"]["name"] = "t" * 253
    async with api_server(answer) as api:
        for _ in range(2):
            await api.post_event(long_name, reason="InstanceLost", message="x" * 5000, warning=warning)
    first, second = posted
    assert (first["type"], first["reason"], first["message"]) == (kind, "InstanceLost", "x" * 1000)
    assert first["metadata"]["namespace"] == "default"
    assert first["involvedObject"] == {
        "apiVersion": "gpuinstance.dev/v1alpha1",
        "kind": "GPUInstance",
        "name": "t" * 253,
        "namespace": "default",
        "uid": "uid-1",
        "resourceVersion": "7",
    }
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert len(first["metadata"]["name"]) <= 253


ENDS = "unable to create new content in namespace default because it is being terminated"


@pytest.mark.parametrize("name", ["trainer", "t" * 253])
async def test_a_namespace_that_goes_takes_no_events_and_that_is_no_trouble(name: str) -> None:
    """Nothing can be created in it any more; the API server has a word for that, behind a message of any length."""

    async def answer(_: web.Request) -> web.Response:
        causes = [{"reason": "NamespaceTerminating", "message": "it goes", "field": "metadata.namespace"}]
        message = f'events "{name}" is forbidden: {ENDS}'
        refusal = {"kind": "Status", "message": message, "reason": "Forbidden", "details": {"causes": causes}}
        return web.json_response(refusal, status=403)

    async with api_server(answer) as api:
        await api.post_event(OBJECT, reason="Terminating", message="gone", warning=False)


@pytest.mark.parametrize(
    "refusal",
    [
        '{"kind": "Status", "message": "no"}',
        '{"kind": "Status", "message": "no", "details": null}',
        '{"kind": "Status", "message": "no", "details": {"causes": [{"reason": "Other"}, "it is being terminated"]}}',
        '{"kind": "Status", "message": "no", "details": {"causes": "NamespaceTerminating"}}',
        '["being terminated"]',
        "the proxy says no: it is being terminated",
    ],
)
async def test_any_other_refusal_of_an_event_is_told(refusal: str) -> None:
    """Whatever it is made of: words for people decide nothing."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=refusal, status=403, content_type="application/json")

    async with api_server(answer) as api:
        with pytest.raises(Forbidden):
            await api.post_event(OBJECT, reason="Terminating", message="gone", warning=False)


CONFIGURATIONS = {
    "there is none": None,
    "it is empty": "",
    "it is not YAML": "{",
    "it is not a kubeconfig": "[1, 2]",
    "it names a context that it does not have": "{apiVersion: v1, kind: Config, current-context: x, contexts: []}",
}


@pytest.mark.parametrize("text", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
async def test_a_configuration_that_cannot_be_used_is_told_in_one_line(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a cluster, with a KUBECONFIG that leads nowhere: no traceback of a library."""
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    with pytest.raises(KubeError, match="KUBECONFIG") as caught:
        await kube.connect()
    assert "\n" not in str(caught.value)


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: me, user: {token: secret}}]
"""


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:3128"], ids=["none", "one"])
async def test_a_proxy_is_looked_for_only_where_there_is_one(
    proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking for it costs a third of each request, and hardly any cluster has one."""
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if proxy:
        monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    connected = await kube.connect()
    assert connected.api.configuration.client_session_kwargs == {"trust_env": bool(proxy)}
    await connected.aclose()
