"""What only the provider knows is wrong with a spec: a condition with a stable reason, and no purchase.

Each trouble ends by itself once its cause is gone; nobody has to wake the operator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.integration.manifests import serving
from tests.integration.world import SECRET_VALUE, World, until

pytestmark = pytest.mark.cluster


class Trouble(NamedTuple):
    """A spec that cannot be had now, what is said about it, and what helps."""

    spec: dict[str, Any]
    reason: str
    words: str
    needs_person: bool
    remedy: Callable[[World], None]


def patch(**spec: Any) -> Callable[[World], None]:
    return lambda world: world.patch("trainer", **spec)


def sell(product: str) -> Callable[[World], None]:
    def put_on_sale(world: World) -> None:
        world.simulator.tell("catalogue", {"product": product, "available": True})

    return put_on_sale


def store(**data: str) -> Callable[[World], None]:
    return lambda world: world.set_secret("team", **data)


TOKEN = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "team", "key": "token"}}}
TROUBLES = {
    "too expensive": Trouble(
        {"billing": {"maxHourlyPrice": 0.3}},
        "PriceAboveLimit",
        "0.35 USD/h",
        True,
        patch(billing={"maxHourlyPrice": 0.35}),
    ),
    "too expensive together": Trouble(
        {"billing": {"maxHourlyPrice": 0.5}, "gpuCount": 2}, "PriceAboveLimit", "0.7 USD/h", True, patch(gpuCount=1)
    ),
    "a product that does not exist": Trouble(
        {"product": {"name": "RTX 9090"}},
        "ProductNotFound",
        "'RTX 9090'",
        True,
        patch(product={"name": "RTX 4090 24GB"}),
    ),
    "regions that do not exist": Trouble(
        {"regions": ["MARS-01"]}, "RegionNotFound", "us-ca-6", True, patch(regions=["MARS-01", "US-CA-06"])
    ),
    "a template that does not exist": Trouble(
        {"image": None, "templateID": "999"}, "TemplateNotFound", "'999'", True, patch(templateID="107672")
    ),
    "sold out": Trouble(
        {"product": {"name": "H100 SXM 80GB"}},
        "NoProductAvailable",
        "not available now",
        False,
        sell("h100.24c240g"),
    ),
    "never sold so": Trouble(
        {"product": {"name": "RTX 6000 Ada 48GB"}, "billing": {"mode": "Spot"}},
        "ProductNotFound",
        "with billing mode Spot",
        True,
        patch(billing={"mode": "OnDemand"}),
    ),
    "more disk than the product has": Trouble(
        {"product": {"name": "L40S 48GB"}, "billing": {"mode": "Spot"}, "rootfsSizeGB": 600},
        "UnsupportedByProvider",
        "at most 500 GB",
        True,
        patch(product={"name": "RTX 4090 24GB"}),
    ),
    "a Secret that does not exist": Trouble(
        {"env": [TOKEN]}, "ReferenceNotFound", "team", True, store(token=SECRET_VALUE)
    ),
}


@pytest.mark.parametrize("case", TROUBLES)
def test_nothing_is_bought_and_the_reason_is_said(world: World, case: str) -> None:
    """The condition names the trouble, the ledger stays empty, and it is bought once the cause is gone."""
    trouble = TROUBLES[case]
    world.apply(serving(**trouble.spec))
    assert trouble.words in world.reason("trainer", trouble.reason)
    standing, other = ("Stalled", "Reconciling") if trouble.needs_person else ("Reconciling", "Stalled")
    assert world.condition("trainer", standing)["reason"] == trouble.reason
    assert world.condition("trainer", other) == {}
    assert ("outcome" in world.status("trainer")) is trouble.needs_person
    assert world.ledger("trainer") == []
    trouble.remedy(world)
    world.ready("trainer")
    assert world.done("trainer")["create"] == 1


@pytest.mark.parametrize(
    ("code", "reason", "standing"),
    [
        ("BALANCE_NOT_ENOUGH", "BalanceNotEnough", "Stalled"),
        ("INSUFFICIENT_RESOURCE", "InsufficientResource", "Reconciling"),
        ("IMAGE_NOT_FOUND", "ImageRejected", "Stalled"),
        ("VALIDATOR_PARAM", "RequestRejected", "Stalled"),
    ],
)
def test_a_refused_purchase_is_tried_again_when_the_spec_changes(
    world: World, code: str, reason: str, standing: str
) -> None:
    """The provider's no becomes a reason; nothing was bought, and a change of the spec is tried at once."""
    world.fault({"kind": "answer", "status": 400, "reason": code}, "trainer", operation="create")
    world.apply(serving())
    world.reason("trainer", reason)
    assert world.condition("trainer", standing)["reason"] == reason
    assert world.ledger("trainer") == []
    warned = until(lambda: world.events("trainer"), "an Event")
    assert [(event["type"], event["reason"]) for event in warned] == [("Warning", reason)]
    world.patch("trainer", command="serve")
    world.ready("trainer")
    assert world.done("trainer") == Counter(create=1)
