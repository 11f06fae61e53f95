"""What is computed from all objects when somebody asks: numbers, ages and money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.metrics import OTHER, Metrics

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = 3600.0


def at(minutes_ago: float) -> str:
    return (NOW - timedelta(minutes=minutes_ago)).isoformat()


def instance(namespace: str, phase: str | None, price: str | None = None, **status: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"observedGeneration": 1, **status} | ({"phase": phase} if phase else {})
    if price is not None:
        told["instance"] = {"id": "m-1", "hourlyPrice": price}
    return {"metadata": {"namespace": namespace, "name": "x"}, "spec": {"provider": "novita"}, "status": told}


def condition(kind: str, status: str, reason: str = "Ready") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason}


def upgrade(phase: str, *, created: float = 600, **status: Any) -> dict[str, Any]:
    metadata = {"namespace": "a", "name": "u", "creationTimestamp": at(created)}
    return {"metadata": metadata, "status": {"phase": phase, **status}}


class Scrape:
    """A scrape of these objects, with a clock in the hand."""

    def __init__(self, *instances: dict[str, Any], upgrades: tuple[dict[str, Any], ...] = ()) -> None:
        self.instances = list(instances)
        self.seconds = 0.0
        self.metrics = Metrics(clock=lambda: self.seconds)
        self.metrics.show_objects(lambda: self.instances, lambda: upgrades, lambda: NOW, bill_stopped=["hostwinds"])

    def value(self, name: str, **labels: str) -> float | None:
        """Return one number; None where there is no such series."""
        return self.metrics.registry.get_sample_value(f"gpuinstance_{name}", labels)


def test_phases_are_all_there_also_at_zero() -> None:
    """An object that nobody has looked at yet is Pending."""
    scrape = Scrape(instance("a", "Ready"), instance("a", None), {"metadata": {"namespace": "b"}})
    assert scrape.value("instances", phase="Ready") == 1
    assert scrape.value("instances", phase="Pending") == 2
    assert scrape.value("instances", phase="Failed") == 0


def test_health_is_that_of_the_condition() -> None:
    """True, False and Unknown are told apart; who has no condition yet is none of them."""
    sick = instance("a", "HealthChecking", conditions=[condition("Ready", "False"), condition("Healthy", "False")])
    scrape = Scrape(sick, instance("a", "Ready", conditions=[condition("Healthy", "True")]), instance("a", None))
    assert [scrape.value("instances_health", status=it) for it in ("True", "False", "Unknown")] == [1, 1, 0]


def test_who_waits_for_a_person_says_why() -> None:
    """Counted by the reason of Stalled, and only while it is True."""
    lost = condition("Stalled", "True", "InstanceLost")
    over = condition("Stalled", "False", "Unauthorized")
    scrape = Scrape(*(instance("a", "Failed", conditions=[it]) for it in (lost, lost, over)))
    assert scrape.value("instances_stalled", reason="InstanceLost") == 2
    assert scrape.value("instances_stalled", reason="Unauthorized") is None


def test_who_costs_more_than_the_spec_allows_is_counted() -> None:
    """By the reason of Synced, for as long as it says so."""
    dear = condition("Synced", "False", "ChargedAboveLimit")
    other = condition("Synced", "False", "DriftDetected")
    scrape = Scrape(*(instance("a", "Ready", conditions=[it]) for it in (dear, dear, other)), instance("b", "Ready"))
    assert scrape.value("instances_charged_above_limit", namespace="a") == 2
    assert scrape.value("instances_charged_above_limit", namespace="b") == 0


def test_only_what_is_billed_has_a_price() -> None:
    """What is up or coming up counts; what is down counts only where the provider bills it all the same."""
    scrape = Scrape(instance("a", "Ready", "0.35"), instance("a", "Starting", "1.4"), instance("b", "Stopped", "9"))
    assert scrape.value("hourly_price_usd", namespace="a") == 1.75
    assert not scrape.value("hourly_price_usd", namespace="b")
    dear = instance("b", "Stopped", "9")
    dear["spec"]["provider"] = "hostwinds"
    scrape.instances.append(dear)
    assert scrape.value("hourly_price_usd", namespace="b") == 9


def test_what_was_not_bought_costs_nothing() -> None:
    """A price that stands in an intent is no machine, and a cap of the spec is no price."""
    intent = instance("a", "Creating")
    intent["status"]["instance"] = {"name": "gpui-a-x-1", "hourlyPrice": "5"}
    adopted = instance("a", "Ready")
    adopted["status"]["instance"], adopted["spec"]["billing"] = {"id": "m-2"}, {"maxHourlyPrice": 5}
    scrape = Scrape(intent, adopted)
    assert not scrape.value("hourly_price_usd", namespace="a")


def test_spend_is_price_times_time() -> None:
    """It grows with the clock while something is billed, keeps what it has when that stops, and never goes back."""
    scrape = Scrape(instance("a", "Ready", "2"), instance("b", "Ready", "0.5"))
    assert scrape.value("spend_usd_total", namespace="a") == 0
    scrape.seconds += HOUR / 2
    assert scrape.value("spend_usd_total", namespace="a") == pytest.approx(1)
    scrape.instances[0]["status"]["phase"] = "Stopped"
    scrape.seconds += HOUR
    assert scrape.value("spend_usd_total", namespace="a") == pytest.approx(1)
    assert scrape.value("spend_usd_total", namespace="b") == pytest.approx(0.75)
    del scrape.instances[:]
    scrape.seconds -= HOUR
    assert scrape.value("spend_usd_total", namespace="b") == pytest.approx(0.75)


def test_spend_is_added_up_whether_or_not_anybody_scrapes() -> None:
    """What changes its price between two scrapes is counted from the moment on in which that was noticed."""
    scrape = Scrape(instance("a", "Ready", "2"))
    scrape.metrics.accrue()
    scrape.seconds += HOUR
    scrape.metrics.accrue()
    del scrape.instances[:]
    scrape.seconds += HOUR
    assert scrape.value("spend_usd_total", namespace="a") == pytest.approx(2)


def test_namespaces_beyond_the_hundredth_are_summed_up() -> None:
    """Their money is not lost, and a namespace that was told apart once stays so."""
    scrape = Scrape(*(instance(f"team-{number:03}", "Ready", "1") for number in range(100)))
    assert scrape.value("hourly_price_usd", namespace="team-099") == 1
    scrape.instances[:0] = [instance(name, "Ready", "1") for name in ("a-new-one", "another")]
    assert scrape.value("hourly_price_usd", namespace="team-099") == 1
    assert scrape.value("hourly_price_usd", namespace=OTHER) == 2
    assert scrape.value("hourly_price_usd", namespace="a-new-one") is None


def test_calls_whose_effect_is_not_known_have_an_age() -> None:
    """Those of both kinds are told apart: a paid upgrade is looked after for longer."""
    calling = {"phase": "initiated", "startedAt": at(7)}
    scrape = Scrape(
        instance("a", "Creating", operation=calling),
        instance("a", "Creating", operation={"phase": "initiated", "startedAt": at(2)}),
        instance("a", "Created", operation={"phase": "monitoring", "startedAt": at(9)}),
        upgrades=(upgrade("Ordering", call={"phase": "initiated", "startedAt": at(20)}),),
    )
    assert scrape.value("unconfirmed_calls", kind="GPUInstance") == 2
    assert scrape.value("unconfirmed_call_age_seconds", kind="GPUInstance") == 7 * 60
    assert scrape.value("unconfirmed_call_age_seconds", kind="InstanceUpgrade") == 20 * 60


def test_nothing_unknown_is_nothing_old() -> None:
    """A call that ended with its upgrade is over, whatever was known of it."""
    ended = upgrade("Failed", completedAt=at(1), call={"phase": "initiated", "startedAt": at(20)})
    scrape = Scrape(upgrades=(ended,))
    assert scrape.value("unconfirmed_calls", kind="InstanceUpgrade") == 0
    assert scrape.value("unconfirmed_call_age_seconds", kind="GPUInstance") == 0


def test_an_upgrade_is_as_old_as_its_last_step() -> None:
    """Of several in one phase the slowest counts; one that has ended has no age."""
    scrape = Scrape(
        upgrades=(
            upgrade("AwaitingPayment", acceptedAt=at(50), orderedAt=at(45)),
            upgrade("AwaitingPayment", acceptedAt=at(30), orderedAt=at(25)),
            upgrade("Pending", created=3),
            upgrade("Completed", acceptedAt=at(500), completedAt=at(400)),
        )
    )
    assert scrape.value("upgrades", phase="AwaitingPayment") == 2
    assert scrape.value("upgrades", phase="Reverting") == 0
    assert scrape.value("upgrade_phase_age_seconds", phase="AwaitingPayment") == 45 * 60
    assert scrape.value("upgrade_phase_age_seconds", phase="Pending") == 3 * 60
    assert scrape.value("upgrade_phase_age_seconds", phase="Completed") is None


def test_a_budget_is_that_of_one_namespace() -> None:
    """It is shown for those that are told apart: what the others allow together is no budget of anybody."""
    scrape = Scrape(*(instance(f"team-{number:03}", "Ready", "1") for number in range(100)))
    scrape.metrics.show_budgets(lambda: {"team-007": Decimal("12.5"), "the-hundred-and-first": Decimal(9)})
    assert scrape.value("namespace_budget_usd", namespace="team-007") == 12.5
    assert scrape.value("namespace_budget_usd", namespace=OTHER) is None
