"""Ready means serving: real sockets, real applications that misbehave, and what a user is told about them."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.manifests import Manifest, instance
from tests.integration.ward import Ward, open_ward
from tests.integration.world import SECRET_VALUE, World, condition, until
from tests.rig.stack import Stack

pytestmark = pytest.mark.cluster

INTERVAL = 5
"""Seconds between rounds once ready: the shortest that the API allows."""

SICK: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "crashed": ({}, {"crashed": True}, "port 80: HTTP 502 (bad gateway)", "badGateway"),
    "broken": ({}, {"status": 500}, "port 80: HTTP 500 (internal server error)", "serverError"),
    "page": (
        {},
        {"body": "<html><title>Service Unavailable</title><h1>Sorry</h1></html>", "content_type": "text/html"},
        "port 80: HTTP 200 with an error page (service unavailable)",
        "serviceUnavailable",
    ),
    "phrase": (
        {"bodyErrorPatterns": ["model not loaded"]},
        {"body": '{"error": "Model not loaded"}', "content_type": "application/json"},
        "port 80: HTTP 200 with an error page (model not loaded)",
        "serverError",
    ),
    "status": (
        {"endpoints": [{"port": 80, "path": "/live", "expectedStatuses": "200,204"}]},
        {"status": 201},
        "port 80: HTTP 201 (created, not an expected status)",
        "clientError",
    ),
    "hanging": ({"timeoutSeconds": 2}, {"delay": 8}, "port 80: no answer in time", "timeout"),
    "locked": ({}, {"requires": {"Authorization": "Bearer x"}}, "port 80: HTTP 401 (unauthorized)", "clientError"),
}
"""By name: settings of the check, what befalls the application, the words and the category of the failure."""


def patient(name: str, ports: list[dict[str, Any]] | None = None, **health_check: Any) -> Manifest:
    """Return an instance that is asked often, and whose first miss counts."""
    settings = {"intervalSeconds": INTERVAL, "failureThreshold": 1, "retryAttempts": 0, **health_check}
    return instance(name, ports=ports or [{"port": 80}], healthCheck=settings)


THREE: list[dict[str, Any]] = [{"port": 80}, {"port": 8080}, {"port": 22, "protocol": "tcp"}]
OTHERS = (
    patient("three", THREE),
    patient("any", THREE, require="Any"),
    patient("target", THREE, targetPort=8080),
    patient("flapping", failureThreshold=10),
    patient("calm"),
)


@pytest.fixture(scope="module")
def ward(stack: Stack) -> Iterator[Ward]:
    """All of them have been Ready; then each application but the calm one begins to misbehave."""
    with open_ward(stack, "health") as ward:
        sick = [patient(name, **settings) for name, (settings, *_) in SICK.items()]
        ward.apply(*sick, *OTHERS)
        ward.kubectl("wait", "gpui", "--all", "--for=condition=Ready", "--timeout=60s", seconds=70)
        for name, (_, behaviour, *_) in SICK.items():
            ward.behave(name, **behaviour)
        ward.behave("three", "any", "target", port=22, crashed=True)
        ward.behave("flapping", crashed=True)
        yield ward
        stack.simulator.forget("apps")


@pytest.fixture(scope="module", autouse=True)
def rest(ward: Ward) -> tuple[int, int]:
    """When the calm one's rest began, and how often its application had been asked by then."""
    return ward.now(), ward.visits("calm")


@pytest.mark.parametrize("name", SICK)
def test_what_is_wrong_is_said(ward: Ward, name: str) -> None:
    """Within an interval Ready is False, with port and cause; the machine itself is still as the spec says."""
    *_, words, category = SICK[name]
    assert ward.reason(name, "HealthCheckFailed") == words
    status = ward.status(name)
    assert condition(status, "Healthy")["status"] == "False"
    assert condition(status, "Synced")["status"] == "True"
    [endpoint] = status["healthCheck"]["endpoints"]
    assert (endpoint["healthy"], endpoint["errorType"], endpoint["message"]) == (False, category, words[9:])
    assert "outcome" not in status


def test_one_of_three_ports_is_dead(ward: Ward) -> None:
    """With `require: All` that is unhealthy, and the message names the one; with `Any` or another target it is not."""
    assert ward.reason("three", "HealthCheckFailed") == "port 22: connection refused"
    checked = ward.status("three")["healthCheck"]
    assert checked["overall"] == "Partial"
    assert {it["port"]: it["healthy"] for it in checked["endpoints"]} == {80: True, 8080: True, 22: False}
    ward.wait("any", "jsonpath={.status.healthCheck.overall}=Partial")
    for name in ("any", "target"):
        assert ward.condition(name, "Ready")["status"] == "True"
    assert [it["port"] for it in ward.status("target")["healthCheck"]["endpoints"]] == [8080]


def test_a_flapping_application_stays_ready(ward: Ward) -> None:
    """A few misses of ten are shown and forgiven; Ready has been True all along."""

    def misses() -> int:
        return int(ward.status("flapping")["healthCheck"]["consecutiveFailures"])

    until(misses, "a miss is counted")
    said = ward.condition("flapping", "Ready")["message"]
    assert re.fullmatch(r"\d of 10 failed rounds: port 80: HTTP 502 \(bad gateway\)", said)
    ward.behave("flapping")
    until(lambda: misses() == 0, "a good round clears the count")
    shown = [condition(status, "Ready")["status"] for status in ward.history("flapping")]
    assert "False" not in shown[shown.index("True") :]


def test_at_rest_checks_cost_no_write(ward: Ward, rest: tuple[int, int]) -> None:
    """Round after round the application is asked, and nothing is written about it."""
    since, visits = rest
    until(lambda: ward.visits("calm") >= visits + 3, "three further rounds of checks")
    assert ward.writes_about("calm", since) == []


def test_all_heal_by_themselves(ward: Ward) -> None:
    """As soon as they answer, all are Ready again; nothing was done to their machines."""
    names = [*SICK, "three", "flapping"]
    ward.behave(*names)
    ward.ready(*names)
    assert all(ward.done(name) == Counter(create=1) for name in names)


def test_ready_comes_only_when_it_serves(world: World) -> None:
    """While the proxy answers 502 for a slow application it is HealthChecking; when it is Ready, it serves."""
    world.simulator.tell("apps", {"name": f"gpui-{world.namespace}-*", "behaviour": {"warm_up": 180}})
    world.apply(patient("trainer"))
    world.wait("trainer", "jsonpath={.status.phase}=HealthChecking")
    [endpoint] = world.status("trainer")["endpoints"]
    assert httpx.get(endpoint["url"], trust_env=False).status_code == 502
    world.ready("trainer")
    assert httpx.get(endpoint["url"], trust_env=False).status_code == 200
    status = world.status("trainer")
    ended = status["lastOperation"]["phases"]
    moments = [ended[f"{name}At"] for name in ("monitoring", "running", "healthChecking", "completed")]
    assert moments == sorted(moments)
    assert status["healthCheck"]["startedAt"] < status["healthCheck"]["completedAt"] == status["readyAt"]
    first = next(it for it in world.history("trainer") if condition(it, "Ready")["status"] == "True")
    assert first["outcome"] == "Ready"


def test_a_header_comes_from_a_secret(world: World) -> None:
    """An application that wants a token is asked with the one of the Secret; no reader of the object sees it."""
    world.set_secret("app", token=SECRET_VALUE)
    world.simulator.tell("apps", {"behaviour": {"requires": {"Authorization": SECRET_VALUE}}})
    header = {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "app", "key": "token"}}}
    world.apply(patient("trainer", endpoints=[{"port": 80, "headers": [header]}]))
    world.ready("trainer")


def test_a_redirect_is_not_followed(world: World) -> None:
    """It is an answer like any other; where it leads to, even on the same host, nobody connects."""
    with socket.create_server(("127.0.0.1", 0)) as bait:
        bait.setblocking(False)
        location = f"http://127.0.0.1:{bait.getsockname()[1]}/latest/meta-data"
        behaviour = {"status": 302, "headers": {"Location": location}}
        world.simulator.tell("apps", {"name": f"gpui-{world.namespace}-*", "behaviour": behaviour})
        world.apply(patient("trainer"))
        world.ready("trainer")
        with pytest.raises(BlockingIOError):
            bait.accept()


def test_a_provider_outage_is_no_dead_application(world: World) -> None:
    """While the provider cannot be asked, Synced is False, and what was healthy is neither unready nor restarted."""
    world.apply(instance("trainer", ports=[{"port": 80}], recovery={"policy": "Restart"}))
    world.ready("trainer")
    world.fault({"kind": "answer", "status": 503}, operation="list", count=None)
    world.reason("trainer", "ProviderUnavailable", condition="Synced")
    status = world.status("trainer")
    assert [condition(status, kind)["status"] for kind in ("Ready", "Healthy", "Synced")] == ["True", "True", "False"]
    world.simulator.forget("faults")
    world.reason("trainer", "Synced", condition="Synced")
    assert world.done("trainer") == Counter(create=1)
