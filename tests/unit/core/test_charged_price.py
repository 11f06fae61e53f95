"""What a machine really costs, by the provider's own word, and what is said where that is above the cap."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.notifications import NotificationEvent
from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Difference, GPUInstanceStatus
from gpuinstance.api.words import ConditionStatus, Outcome
from gpuinstance.core.announcements import announcements
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Stop
from gpuinstance.core.model import MachineState
from gpuinstance.core.news import news
from tests import laws
from tests.builders import InstanceBuilder, blind_snapshot, instance, machine, snapshot

PRICED = {"id": "m-1", "name": "n", "product_name": "RTX 4090", "hourly_price": "0.35"}
RUNNING = instance().running().with_status(instance=PRICED)
CAPPED = RUNNING.with_spec(billing={"max_hourly_price": Decimal("0.40")})
DEAR: dict[str, Any] = {"hourly_price": Decimal("0.50")}


def told(of: InstanceBuilder, **shown: Any) -> GPUInstanceStatus:
    """The status after a look at a machine that shows this."""
    at = snapshot(of, machine(**shown))
    status = decide(at).status
    laws.check(status, generation=at.generation)
    return status


def synced(status: GPUInstanceStatus) -> tuple[ConditionStatus, str]:
    condition = status.condition("Synced")
    assert condition is not None
    return condition.status, condition.reason


def test_what_the_provider_charges_is_what_the_status_says() -> None:
    """Not what the price list said before the purchase; the budget counts it from then on."""
    status = told(RUNNING, **DEAR)
    assert status.instance is not None
    assert status.instance.hourly_price == "0.5"
    assert synced(status) == (ConditionStatus.TRUE, Reason.SYNCED)


def test_a_provider_that_says_nothing_changes_nothing() -> None:
    """What was recorded at the purchase stays."""
    status = told(RUNNING)
    assert status.instance is not None
    assert status.instance.hourly_price == "0.35"


def test_what_a_machine_shows_while_it_is_down_is_of_yesterday() -> None:
    """The price that was asked before a start is what the intent to start it is saved with."""
    down = instance().stopped().with_status(instance=PRICED | {"hourly_price": "0.5"})
    for state in (MachineState.STOPPED, MachineState.STARTING):
        status = told(down, state=state, hourly_price=Decimal("0.35"))
        assert status.instance is not None
        assert status.instance.hourly_price == "0.5"


@pytest.mark.parametrize(
    ("shown", "expected"), [("0.0000035", "0.35"), ("0.0349", "0.35"), ("0.035", "0.035"), ("35", "35")]
)
def test_a_price_far_below_what_is_known_is_none(shown: str, expected: str) -> None:
    """It is of another unit rather than of a sale; what is far above counts, because nobody may overspend by it."""
    status = told(RUNNING, hourly_price=Decimal(shown))
    assert status.instance is not None
    assert status.instance.hourly_price == expected


def test_a_machine_above_its_cap_is_told_and_left_running() -> None:
    """It is ready and does its work: whether it is worth its price is a person's decision."""
    at = snapshot(CAPPED, machine(**DEAR))
    decision = decide(at)
    assert decision.action is None
    assert decision.status.outcome is Outcome.READY
    assert synced(decision.status) == (ConditionStatus.FALSE, Reason.CHARGED_ABOVE_LIMIT)
    condition = decision.status.condition("Synced")
    assert condition is not None
    assert condition.message == (
        "machine m-1 costs 0.5 USD/h, above spec.billing.maxHourlyPrice of 0.4 USD: it is left running; raise the "
        "limit, or set powerState to Stopped, or delete this object"
    )


def test_it_is_told_once_by_an_event_and_a_notification() -> None:
    """When it comes to light, also together with Ready; at the next look nothing is new."""
    status = told(CAPPED, **DEAR)
    event = news(CAPPED.build().status, status)
    assert event is not None
    assert (event.reason, event.warning) == (Reason.CHARGED_ABOVE_LIMIT, True)
    happened = announcements(CAPPED.build().status, status)
    assert [(it.event, it.facts.reason) for it in happened] == [
        (NotificationEvent.INSTANCE_CHARGED_ABOVE_LIMIT, Reason.CHARGED_ABOVE_LIMIT)
    ]
    assert happened[0].facts.hourly_price == "0.5"
    assert (news(status, status), announcements(status, status)) == (None, ())
    fresh = instance().with_machine().with_status(instance=PRICED).build().status
    with_ready = news(fresh, status)
    assert with_ready is not None
    assert (with_ready.reason, with_ready.warning) == (Reason.READY, True)
    assert "costs 0.5 USD/h" in with_ready.message


def after_an_outage(of: InstanceBuilder, **edit: Any) -> tuple[GPUInstanceStatus, GPUInstanceStatus]:
    """The status that a blind look leaves, after the spec was edited; and that of the look that follows."""
    blind = of.edited(**edit) if edit else of
    blind = blind.after(decide(blind_snapshot(blind)).status)
    return blind.build().status, told(blind, **DEAR)


def is_announced(old: GPUInstanceStatus, new: GPUInstanceStatus) -> tuple[bool, bool]:
    """Whether an Event and a notification say so."""
    event = news(old, new)
    happened = {it.event for it in announcements(old, new)}
    return (
        event is not None and "costs 0.5 USD/h" in event.message,
        NotificationEvent.INSTANCE_CHARGED_ABOVE_LIMIT in happened,
    )


def test_an_outage_does_not_make_it_news() -> None:
    """While nobody could look, Synced said that; what is seen afterwards was told before."""
    saved = CAPPED.after(told(CAPPED, **DEAR))
    old, new = after_an_outage(saved)
    assert synced(new) == (ConditionStatus.FALSE, Reason.CHARGED_ABOVE_LIMIT)
    assert is_announced(old, new) == (False, False)


def test_what_became_true_during_an_outage_is_news_afterwards() -> None:
    """The price was raised meanwhile, or the cap lowered, or it had never been said."""
    assert is_announced(*after_an_outage(CAPPED.after(told(CAPPED)))) == (True, True)
    loose = RUNNING.after(told(RUNNING, **DEAR))
    edit = {"billing": {"max_hourly_price": Decimal("0.40")}}
    assert is_announced(*after_an_outage(loose, **edit)) == (True, True)
    fresh = instance().with_machine().with_status(instance=PRICED | {"hourly_price": "0.5"})
    capped = fresh.with_spec(billing={"max_hourly_price": Decimal("0.40")})
    assert is_announced(*after_an_outage(capped)) == (True, True)


def test_what_a_difference_has_hidden_is_news_once_that_is_gone() -> None:
    """Synced has one reason at a time, and the difference comes first."""
    status = told(CAPPED, **DEAR)
    drift = [Difference(field="ports", wanted="80/http", found="none")]
    conditions = [
        it.model_copy(update={"reason": Reason.DRIFT_DETECTED}) if it.type == "Synced" else it
        for it in status.conditions
    ]
    hidden = status.model_copy(update={"conditions": conditions, "differences": drift})
    assert is_announced(hidden, status) == (True, True)


def test_it_is_said_for_as_long_as_it_is_true() -> None:
    """Also where the provider shows the price once only, as with the machine's addresses; and not one look longer."""
    saved = CAPPED.after(told(CAPPED, **DEAR))
    assert synced(told(saved)) == (ConditionStatus.FALSE, Reason.CHARGED_ABOVE_LIMIT)
    raised = saved.with_spec(billing={"max_hourly_price": Decimal("0.50")})
    assert synced(told(raised)) == (ConditionStatus.TRUE, Reason.SYNCED)
    assert synced(told(saved, hourly_price=Decimal("0.30"))) == (ConditionStatus.TRUE, Reason.SYNCED)


def test_a_machine_that_is_down_is_not_complained_about() -> None:
    """Its GPU costs nothing, and before it is started its price is asked."""
    down = instance().stopped().with_status(instance=PRICED | {"hourly_price": "0.5"})
    status = told(down.with_spec(billing={"max_hourly_price": Decimal("0.40")}), state=MachineState.STOPPED)
    assert synced(status)[0] is ConditionStatus.TRUE


@pytest.mark.parametrize("edit", [{"power_state": "Stopped"}])
def test_stopping_it_is_not_held_up(edit: dict[str, Any]) -> None:
    """The way out that the message names is one."""
    saved = CAPPED.after(told(CAPPED, **DEAR))
    assert decide(snapshot(saved.edited(**edit), machine(**DEAR))).action == Stop("m-1")


def test_while_blind_nobody_knows() -> None:
    """The condition says why nothing is known; the price stays what it was."""
    saved = CAPPED.after(told(CAPPED, **DEAR))
    status = decide(blind_snapshot(saved)).status
    assert synced(status)[1] == Reason.PROVIDER_UNAVAILABLE
    assert status.instance is not None
    assert status.instance.hourly_price == "0.5"
