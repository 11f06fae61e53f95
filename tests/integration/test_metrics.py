"""After a full story `/metrics` shows exactly what the golden file lists, and numbers that are true.

The story: a machine is bought while the answer is lost, is billed, fails its health checks, and is stopped; another
one is too dear; the provider asks for a pause; a server is upgraded for money.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.manifests import serving
from tests.integration.saga import Saga
from tests.integration.world import World, until
from tests.prometheus.rules import GOLDEN
from tests.prometheus.shown import shown

pytestmark = pytest.mark.cluster


class Scraper:
    """Collects what `/metrics` shows from moment to moment."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.pages: list[str] = []

    def scrape(self) -> str:
        """Return the page of this moment."""
        self.pages.append(self._world.stack.operator.metrics())
        return self.pages[-1]

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of all series of that name with these labels, at this moment."""
        families = text_string_to_metric_families(self.scrape())
        samples = [it for family in families for it in family.samples if it.name == f"gpuinstance_{name}"]
        return sum(it.value for it in samples if labels.items() <= it.labels.items())

    def rises(self, name: str, **labels: str) -> Callable[[], bool]:
        """Return whether the number is greater than it was when this was asked for."""
        before = self.value(name, **labels)
        return lambda: self.value(name, **labels) > before


def test_a_full_story_shows_what_the_golden_file_lists(world: World, saga: Saga) -> None:
    """Names, types, labels and texts are those of tests/golden/metrics.txt: none is missing, none is new."""
    scraper = Scraper(world)
    buy_without_an_answer(world, scraper)
    be_too_dear(world, scraper)
    be_sick(world, scraper)
    be_asked_for_a_pause(world, scraper)
    upgrade(saga, scraper)
    world.patch("trainer", powerState="Stopped")
    world.outcome("trainer", "Stopped")
    until(lambda: scraper.value("hourly_price_usd", namespace=world.namespace) == 0, "what is down costs nothing")
    assert scraper.value("duplicate_machines") == 0
    assert scraper.value("leader") == 1
    assert shown(scraper.pages) == GOLDEN.read_text().splitlines()


def buy_without_an_answer(world: World, scraper: Scraper) -> None:
    """The create call is carried out and its answer lost: counted, and counted as found."""
    unknown = scraper.rises("unknown_outcomes_total", operation="Create")
    world.kubectl("annotate", "namespace", world.namespace, "gpuinstance.dev/max-hourly-price=100")
    found = scraper.rises("unknown_outcomes_resolved_total", operation="Create", resolution="found")
    bought = scraper.rises("operation_duration_seconds_count", type="Create", result="completed")
    ready = scraper.rises("time_to_ready_seconds_count")
    world.fault({"kind": "drop", "when": "after"}, "trainer", operation="create")
    world.apply(serving())
    world.ready("trainer")
    for has_risen in (unknown, found, bought, ready):
        until(has_risen, "the purchase was counted")
    assert scraper.value("hourly_price_usd", namespace=world.namespace) == pytest.approx(0.35)
    assert scraper.value("namespace_budget_usd", namespace=world.namespace) == 100
    until(lambda: scraper.value("spend_usd_total", namespace=world.namespace) > 0, "what it costs adds up")


def be_too_dear(world: World, scraper: Scraper) -> None:
    """A refused purchase waits for a person, and says why."""
    world.apply(serving("dear", billing={"maxHourlyPrice": 0.3}))
    world.reason("dear", "PriceAboveLimit")
    until(lambda: scraper.value("instances_stalled", reason="PriceAboveLimit") >= 1, "it is shown as stalled")
    world.delete("dear")


def be_sick(world: World, scraper: Scraper) -> None:
    """An application that fails is counted by what is wrong with it."""
    failed = scraper.rises("health_checks_total", result="unhealthy")
    world.patch("trainer", healthCheck={"intervalSeconds": 5, "failureThreshold": 1, "retryAttempts": 0})
    world.wait("trainer", "jsonpath={.status.observedGeneration}=2", "condition=Ready")
    world.simulator.tell("apps", {"machine": world.machine("trainer")["id"], "behaviour": {"crashed": True}})
    world.reason("trainer", "HealthCheckFailed")
    until(failed, "the check was counted")
    assert scraper.value("instances_health", status="False") >= 1
    world.simulator.forget("apps")
    world.ready("trainer")


def be_asked_for_a_pause(world: World, scraper: Scraper) -> None:
    """A 429 is counted as what it is, and so is every call that was held back for it."""
    limited = scraper.rises("provider_requests_total", provider="novita", code="RateLimited")
    held_back = scraper.rises("provider_calls_refused_total", provider="novita", reason="RateLimited")
    world.fault({"kind": "answer", "status": 429, "retry_after": 3}, "patient", operation="create")
    world.apply(serving("patient"))
    until(limited, "the provider has asked for a pause")
    until(held_back, "the next look was held back")
    world.ready("patient")
    world.delete("patient")


def upgrade(saga: Saga, scraper: Scraper) -> None:
    """While nobody pays it is seen how long it waits; then it has succeeded."""
    succeeded = scraper.rises("upgrades_finished_total", outcome="Succeeded")
    saga.order()
    until(lambda: scraper.value("upgrades", phase="AwaitingPayment") >= 1, "it is shown as waiting")
    until(lambda: scraper.value("upgrade_phase_age_seconds", phase="AwaitingPayment") > 0, "its age grows")
    saga.pay()
    saga.ended("Succeeded", "Completed")
    until(succeeded, "its end was counted")
