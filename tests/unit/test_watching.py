"""Watches are known by their beginnings: which have begun, and how long ago."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from gpuinstance.watching import Watches, log_in

PATH = "/apis/gpuinstance.dev/v1alpha1"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


def test_each_resource_is_watched_once() -> None:
    """In the whole cluster: all must have begun, and the oldest beginning counts."""
    clock = Clock()
    watches = Watches(["gpuinstances", "instanceupgrades"], [], clock=clock)
    assert len(watches) == 2
    assert watches.age() == 0
    watches.expect()
    clock.seconds += 5
    assert watches.age() == 5
    assert watches.missing() == "the watch of gpuinstances, instanceupgrades has not begun"
    watches.begun(f"{PATH}/gpuinstances")
    assert watches.missing() == "the watch of instanceupgrades has not begun"
    assert watches.age() == 5
    watches.begun(f"{PATH}/instanceupgrades")
    assert watches.missing() is None
    assert watches.age() == 0
    clock.seconds += 200
    watches.begun(f"{PATH}/instanceupgrades")
    assert watches.age() == 200


def test_each_namespace_is_watched() -> None:
    """One that is not served, or another resource in it, is no sign of life."""
    watches = Watches(["gpuinstances"], ["a", "b"])
    watches.begun(f"{PATH}/namespaces/a/gpuinstances")
    watches.begun(f"{PATH}/gpuinstances")
    watches.begun(f"{PATH}/namespaces/bb/gpuinstances")
    watches.begun(f"{PATH}/namespaces/b/secrets")
    assert watches.missing() == "the watch of gpuinstances has not begun"
    watches.begun(f"{PATH}/namespaces/b/gpuinstances")
    assert watches.missing() is None


def test_an_api_server_may_have_a_path_in_front() -> None:
    """As behind the proxies of some clusters."""
    watches = Watches(["gpuinstances"], [])
    watches.begun(f"/k8s/clusters/c-1{PATH}/gpuinstances")
    assert watches.missing() is None


# ------------------------------------------------------------------------------------------------------ the login


@pytest.fixture
async def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str | None]]:
    """An API server in the kubeconfig that notes who asks; it has only gpuinstances."""
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.json_response({}, status=200 if request.path.endswith("/gpuinstances") else 403)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(f"""
        {{apiVersion: v1, kind: Config, current-context: it,
         clusters: [{{name: it, cluster: {{server: "http://127.0.0.1:{runner.addresses[0][1]}"}}}}],
         users: [{{name: it, user: {{token: a-token}}}}], contexts: [{{name: it, context: {{cluster: it, user: it}}}}]}}
    """)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
    yield seen
    await runner.cleanup()


async def test_the_session_reports_watches_that_were_accepted(asked: list[str | None]) -> None:
    """A list is none, and neither is a watch that was refused; every request carries the token."""
    watches = Watches(["gpuinstances", "instanceupgrades"], [])
    info = await log_in(watches)
    assert info.expiration is not None
    async with info.aiohttp_session as session:
        await session.get(f"{info.server}{PATH}/gpuinstances")
        assert "gpuinstances" in str(watches.missing())
        await session.get(f"{info.server}{PATH}/gpuinstances?watch=true&allowWatchBookmarks=true")
        await session.get(f"{info.server}{PATH}/instanceupgrades?watch=true")
        assert watches.missing() == "the watch of instanceupgrades has not begun"
    assert set(asked) == {"Bearer a-token"}
    assert len(asked) == 3
