"""What a scrape shows."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gpuinstance.api.words import Phase
from gpuinstance.metrics import OTHER, Metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"gpuinstance_{name}", labels)


def test_each_event_counts_once() -> None:
    """Every method moves the collectors that it is about."""
    metrics = Metrics()
    metrics.passed("done", 0.2)
    metrics.decided("settled")
    metrics.provider_request(provider="novita", operation="create", outcome="UnknownOutcome", seconds=2)
    metrics.wrote("status")
    metrics.wrote("status")
    metrics.conflict()
    metrics.unknown_outcome("Create")
    metrics.transition("Ready")
    metrics.became_ready(42)
    metrics.health_check(False, "badGateway", 0.1)
    metrics.health_check(True, None)
    metrics.audited("done")
    metrics.found("missed", 3)
    assert value(metrics, "passes_total", result="done") == 1
    assert value(metrics, "pass_duration_seconds_sum") == 0.2
    assert value(metrics, "decisions_total", rule="settled") == 1
    labels = {"provider": "novita", "operation": "create"}
    assert value(metrics, "provider_requests_total", **labels, code="UnknownOutcome") == 1
    assert value(metrics, "provider_request_duration_seconds_count", **labels) == 1
    assert value(metrics, "kubernetes_writes_total", kind="status") == 2
    assert value(metrics, "conflicts_total") == 1
    assert value(metrics, "unknown_outcomes_total", operation="Create") == 1
    assert value(metrics, "transitions_total", reason="Ready") == 1
    assert value(metrics, "time_to_ready_seconds_bucket", le="60.0") == 1
    assert value(metrics, "health_checks_total", result="unhealthy", category="badGateway") == 1
    assert value(metrics, "health_checks_total", result="healthy", category="none") == 1
    assert value(metrics, "health_check_duration_seconds_count") == 1
    assert value(metrics, "audits_total", result="done") == 1
    assert value(metrics, "audit_findings_total", what="missed") == 3


def instance(namespace: str, phase: str | None, price: str | None = None) -> dict[str, Any]:
    status: dict[str, Any] = {"observedGeneration": 1} | ({"phase": phase} if phase else {})
    if price is not None:
        status["instance"] = {"id": "m-1", "hourlyPrice": price}
    return {"metadata": {"namespace": namespace, "name": "x"}, "status": status}


def test_gauges_are_computed_when_somebody_asks() -> None:
    """Phases are all there, also at zero; only what is up or coming up has a price."""
    metrics, known = Metrics(), [instance("a", "Ready", "0.35"), instance("a", "Starting", "1.4")]
    metrics.show_instances(lambda: known)
    assert value(metrics, "instances", phase="Ready") == 1
    assert value(metrics, "instances", phase="Failed") == 0
    assert value(metrics, "hourly_price_usd", namespace="a") == 1.75
    known += [instance("b", "Stopped", "9"), instance("b", None), {"metadata": {"namespace": "b"}}]
    assert value(metrics, "instances", phase="Stopped") == 1
    assert value(metrics, "instances", phase="Pending") == 2
    assert value(metrics, "hourly_price_usd", namespace="b") is None


def test_ages_and_depths_are_asked_for() -> None:
    """What nobody provides is not shown."""
    metrics = Metrics()
    assert b"queue_depth" not in metrics.render()[0]
    metrics.show_queue_depth(lambda: 7)
    metrics.show_watch_age(lambda: 1.5)
    metrics.show_standstill(lambda: 2.5)
    metrics.show_leader(lambda: True)
    metrics.show_observation_ages(lambda: {"novita": 12.0})
    assert value(metrics, "queue_depth") == 7
    assert value(metrics, "watch_age_seconds") == 1.5
    assert value(metrics, "standstill_seconds") == 2.5
    assert value(metrics, "leader") == 1
    assert value(metrics, "observation_age_seconds", provider="novita") == 12


def test_no_label_grows_without_bound() -> None:
    """Should a name of an object ever be passed as a word, the number of series stays small."""
    metrics = Metrics()
    for number in range(1000):
        metrics.decided(f"rule-{number}")
        metrics.provider_request(provider="novita", operation=f"op-{number}", outcome="Success", seconds=1)
    metrics.decided("rule-1")
    assert value(metrics, "decisions_total", rule=OTHER) == 1000 - 64
    assert value(metrics, "decisions_total", rule="rule-1") == 2
    families = {it.name: it for it in text_string_to_metric_families(metrics.render()[0].decode())}
    assert len(families["gpuinstance_decisions"].samples) == 65


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_both_formats_are_spoken(accept: str, content_type: str) -> None:
    """The text says what it is, and each collector carries our prefix and an explanation."""
    metrics = Metrics()
    metrics.show_instances(lambda: [instance("a", phase) for phase in Phase])
    body, said = metrics.render(accept)
    assert said.startswith(content_type)
    for line in body.decode().splitlines():
        if line.startswith("# HELP"):
            _, _, name, text = line.split(" ", 3)
            assert name.startswith("gpuinstance_")
            assert text.endswith(".")
    assert b"_created" not in body
