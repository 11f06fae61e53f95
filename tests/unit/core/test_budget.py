"""Counting: what a namespace allows, and what each of its instances counts for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.core.budget import LIMIT, Budget, read_limit, room_of, spend_of


@pytest.mark.parametrize(
    ("text", "limit"),
    [("12.50", "12.5"), (" 3 ", "3"), ("0", "0"), ("1e2", "100")],
)
def test_a_limit_is_a_number_of_dollars(text: str, limit: str) -> None:
    """Spaces around it are nothing; 0 allows nothing."""
    assert read_limit({LIMIT: text}) == Budget(Decimal(limit))


def test_without_the_annotation_there_is_no_limit() -> None:
    """Other annotations say nothing about money."""
    assert read_limit({"team": "a"}) == Budget()
    assert not Budget().limits


@pytest.mark.parametrize("text", ["", "12,50", "twelve", "-1", "NaN", "Infinity", "1_0 USD"])
def test_what_cannot_be_read_is_trouble(text: str) -> None:
    """It is never taken for no limit, and the text is repeated."""
    budget = read_limit({LIMIT: text})
    assert (budget.limit, budget.limits) == (None, True)
    assert repr(text) in budget.trouble


def test_a_long_text_is_repeated_in_part() -> None:
    """A status does not grow with an annotation."""
    assert len(read_limit({LIMIT: "9" * 30 + "x" * 5000}).trouble) < 200


NOVITA = {"provider": "novita"}
UP = {"phase": "Ready", "instance": {"id": "m-1", "hourlyPrice": "0.35"}}
NEVER_BOUGHT: dict[str, Any] = {"phase": "Pending"}


def create(phase: str) -> dict[str, Any]:
    """A purchase in that phase, of a machine without an id."""
    operation = {"type": "Create", "phase": phase}
    return {"phase": "Creating", "instance": {"hourlyPrice": "0.35"}, "operation": operation}


COUNTED: dict[str, tuple[dict[str, Any], dict[str, Any], str | None]] = {
    "nothing was bought": (NOVITA, NEVER_BOUGHT, "0"),
    "nothing was seen": (NOVITA, {}, "0"),
    "it runs": (NOVITA, UP, "0.35"),
    "the intent to buy it is saved": (NOVITA, create("initiated"), "0.35"),
    "its order is accepted": (NOVITA, create("monitoring"), "0.35"),
    "its order was refused": (NOVITA, create("failed"), "0"),
    "it is going down": (NOVITA, UP | {"phase": "Stopping"}, "0.35"),
    "it is down": (NOVITA, UP | {"phase": "Stopped"}, "0"),
    "it went down by itself": (NOVITA, UP | {"phase": "Exited"}, "0"),
    "it is being started": (NOVITA, UP | {"phase": "Starting"}, "0.35"),
    "it is down, and Hostwinds bills it": ({"provider": "hostwinds"}, UP | {"phase": "Stopped"}, "0.35"),
    "it is down, and paid for the month": (
        NOVITA,
        {"phase": "Stopped", "instance": {"id": "m-1", "hourlyPrice": "0.35", "billingMode": "Monthly"}},
        "0.35",
    ),
    "it has failed, and may be billed": (NOVITA, UP | {"phase": "Failed"}, "0.35"),
    "it is frozen, and may be billed": (NOVITA, UP | {"phase": "Suspended"}, "0.35"),
    "it is being deleted": (NOVITA, UP | {"phase": "Terminating"}, "0.35"),
    "it is lost": (NOVITA, UP | {"phase": "Terminated"}, "0"),
    "it is lost, and being replaced": (
        NOVITA,
        UP | {"phase": "Terminated", "operation": {"type": "Recreate", "phase": "initiated"}},
        "0.35",
    ),
    "nobody knows its price": (NOVITA, {"phase": "Ready", "instance": {"id": "m-1"}}, None),
    "its price is no price": (NOVITA, {"phase": "Ready", "instance": {"id": "m-1", "hourlyPrice": "cheap"}}, None),
    "nobody knows its price, and it has a cap": (
        NOVITA | {"billing": {"maxHourlyPrice": 0.5}},
        {"phase": "Ready", "instance": {"id": "m-1"}},
        "0.5",
    ),
}


@pytest.mark.parametrize(("spec", "status", "amount"), COUNTED.values(), ids=COUNTED)
def test_what_an_instance_counts_for(spec: dict[str, Any], status: dict[str, Any], amount: str | None) -> None:
    """What costs something, or is about to, counts; an unknown price is never nothing."""
    expected = Decimal(amount) if amount is not None else None
    assert spend_of(spec, status, bill_stopped={"hostwinds"}) == expected


REPLACING = {"type": "Recreate", "phase": "initiated", "hourlyPrice": "0.50"}
KEPT: dict[str, tuple[dict[str, Any], dict[str, Any], str | None]] = {
    "it is being replaced by a dearer one": (
        NOVITA,
        UP | {"phase": "Terminating", "operation": REPLACING},
        "0.50",
    ),
    "it is gone, and a dearer one is about to be bought": (
        NOVITA,
        UP | {"phase": "Creating", "operation": REPLACING | {"phase": "monitoring"}},
        "0.50",
    ),
    "it is being replaced by a cheaper one, and not gone yet": (
        NOVITA,
        UP | {"phase": "Terminating", "operation": REPLACING | {"hourlyPrice": "0.20"}},
        "0.35",
    ),
    "it is gone, and is to be stopped before another one was bought": (
        NOVITA,
        UP | {"phase": "Stopped", "operation": REPLACING},
        "0",
    ),
    "it went down by itself before it was removed": (NOVITA, UP | {"phase": "Exited", "operation": REPLACING}, "0"),
    "it was not replaced by a dearer one": (NOVITA, UP | {"operation": REPLACING | {"phase": "failed"}}, "0.35"),
    "nobody knows its price, and that of the next one is known": (
        NOVITA,
        {"phase": "Terminating", "instance": {"id": "m-1"}, "operation": REPLACING},
        None,
    ),
}


@pytest.mark.parametrize(("spec", "status", "amount"), (COUNTED | KEPT).values(), ids=COUNTED | KEPT)
def test_how_much_room_an_instance_takes(spec: dict[str, Any], status: dict[str, Any], amount: str | None) -> None:
    """What it counts for; while it is replaced, what the next machine will cost if that is more."""
    expected = Decimal(amount) if amount is not None else None
    assert room_of(spec, status, bill_stopped={"hostwinds"}) == expected
