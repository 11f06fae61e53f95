"""What a scrape shows."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gpuinstance.metrics import OTHER, Metrics
from tests.prometheus.rules import GOLDEN
from tests.prometheus.shown import declared, shown


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
    metrics.unknown_outcome_resolved(operation="Create", resolution="found")
    metrics.transition("Ready")
    metrics.became_ready(42)
    metrics.operation_ended(operation="Create", result="completed", seconds=41)
    metrics.upgrade_finished("Succeeded")
    metrics.duplicate_seen("novita")
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
    assert value(metrics, "unknown_outcomes_resolved_total", operation="Create", resolution="found") == 1
    assert value(metrics, "transitions_total", reason="Ready") == 1
    assert value(metrics, "time_to_ready_seconds_bucket", le="60.0") == 1
    assert value(metrics, "operation_duration_seconds_sum", type="Create", result="completed") == 41
    assert value(metrics, "upgrades_finished_total", outcome="Succeeded") == 1
    assert value(metrics, "duplicate_machines_seen_total", provider="novita") == 1
    assert value(metrics, "health_checks_total", result="unhealthy", category="badGateway") == 1
    assert value(metrics, "health_checks_total", result="healthy", category="none") == 1
    assert value(metrics, "health_check_duration_seconds_count") == 1
    assert value(metrics, "audits_total", result="done") == 1
    assert value(metrics, "audit_findings_total", what="missed") == 3


def test_what_alerts_look_at_is_there_before_it_happens() -> None:
    """`increase()` does not see a series appear, so that the first time would wake nobody."""
    metrics = Metrics()
    assert value(metrics, "passes_total", result="error") == 0
    assert value(metrics, "audit_findings_total", what="ghost") == 0
    assert value(metrics, "unknown_outcomes_resolved_total", operation="Order", resolution="given_up") == 0
    assert value(metrics, "duplicate_machines_seen_total", provider="hostwinds") == 0
    assert value(metrics, "upgrades_finished_total", outcome="Failed") == 0


def test_ages_and_depths_are_asked_for() -> None:
    """What nobody provides is not shown."""
    metrics = Metrics()
    assert b"queue_depth" not in metrics.render()[0]
    metrics.show_queue_depth(lambda: 7)
    metrics.show_watch_age(lambda: 1.5)
    metrics.show_standstill(lambda: 2.5)
    metrics.show_leader(lambda: True, shard="1-of-3", shards=3)
    metrics.show_observation_ages(lambda: {"novita": 12.0})
    metrics.show_build("1.2.3", "3.11.9")
    assert value(metrics, "queue_depth") == 7
    assert value(metrics, "watch_age_seconds") == 1.5
    assert value(metrics, "standstill_seconds") == 2.5
    assert value(metrics, "leader", shard="1-of-3") == 1
    assert value(metrics, "shards") == 3
    assert value(metrics, "observation_age_seconds", provider="novita") == 12
    assert value(metrics, "build_info", version="1.2.3", python="3.11.9") == 1


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
    """The text says what it is, and each collector carries our prefix, or the library's, and an explanation."""
    metrics = Metrics()
    body, said = metrics.render(accept)
    assert said.startswith(content_type)
    for line in body.decode().splitlines():
        if line.startswith("# HELP"):
            _, _, name, text = line.split(" ", 3)
            assert name.startswith(("gpuinstance_", "process_"))
            assert text.endswith(".")
    assert b"_created" not in body


def test_the_golden_file_lists_what_can_be_shown() -> None:
    """Whoever adds, renames or takes away a metric sees it in a diff. After that change, write what is declared there.

    That a running operator shows all of it, and nothing else, is tried by tests/integration/test_metrics.py.
    """
    assert declared() == GOLDEN.read_text().splitlines()


def test_what_is_shown_is_read_off_the_page() -> None:
    """Labels are taken from the series, so that a page without any shows none."""
    metrics = Metrics()
    before = next(it for it in shown([metrics.render()[0].decode()]) if it.startswith("gpuinstance_decisions_total"))
    metrics.decided("settled")
    after = next(it for it in shown([metrics.render()[0].decode()]) if it.startswith("gpuinstance_decisions_total"))
    assert before.startswith("gpuinstance_decisions_total counter {} ")
    assert after.startswith("gpuinstance_decisions_total counter {rule} ")
