"""What an instance costs: what is known is counted, what is not known is said."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import yaml

from gpuinstance.cli.money import by_namespace, cost_of, dollars, total
from tests.unit.cli.golden import assert_golden
from tests.unit.cli.objects import MACHINE, NOW, Object, instance
from tests.unit.cli.test_command import Api, Kubectl, api, gpu, server

__all__ = ["api", "gpu", "server"]

BOUGHT, STOPPED, STARTED = "2026-01-01T02:00:00Z", "2026-01-01T05:00:00Z", "2026-01-01T11:30:00Z"


def machine(*, provider: str = "novita", mode: str = "OnDemand", price: str | None = "1.4", **status: Any) -> Object:
    """Return an instance that was bought ten hours ago."""
    record = {**MACHINE, "billingMode": mode, "hourlyPrice": price}
    usual = {"phase": "Ready", "outcome": "Ready", "createdAt": BOUGHT, "startedAt": "2026-01-01T02:05:00Z"}
    it = instance(**{**usual, "instance": record, **status})
    it["spec"]["provider"] = provider
    return it


STOPPED_NOW = {"phase": "Stopped", "outcome": "Stopped", "stoppedAt": STOPPED}
ROWS = [
    ("from the purchase on", machine(), ("running", "1.40", "14.00", "since bought", "1022.00")),
    ("a restart is no break", machine(startedAt=STARTED), ("running", "1.40", "14.00", "since bought", "1022.00")),
    ("after a stop only the last run is known", machine(stoppedAt=STOPPED, startedAt=STARTED),
     ("running", "1.40", "0.70", "since last start", "1022.00")),
    ("coming up again", machine(phase="Starting", outcome=None, stoppedAt=STOPPED),
     ("running", "1.40", "-", "-", "1022.00")),
    ("the stop was of the machine before", machine(stoppedAt="2026-01-01T01:00:00Z"),
     ("running", "1.40", "14.00", "since bought", "1022.00")),
    ("stopped at novita", machine(**STOPPED_NOW), ("disk only", "-", "-", "-", "-")),
    ("gone down by itself", machine(phase="Exited", outcome="Exited", stoppedAt=STOPPED),
     ("disk only", "-", "-", "-", "-")),
    ("stopped at hostwinds", machine(provider="hostwinds", **STOPPED_NOW),
     ("fully, also while stopped", "1.40", "14.00", "since bought", "1022.00")),
    ("suspended while it ran", machine(phase="Suspended", outcome="Suspended"),
     ("running", "1.40", "14.00", "since bought", "1022.00")),
    ("suspended while it was down", machine(phase="Suspended", outcome="Suspended", stoppedAt=STOPPED),
     ("disk only", "-", "-", "-", "-")),
    ("paid ahead", machine(mode="Monthly"), ("paid ahead", "1.40", "-", "-", "1022.00")),
    ("adopted", machine(price=None), ("price not known", "-", "-", "-", "-")),
    ("a price that is none", machine(price="NaN"), ("price not known", "-", "-", "-", "-")),
    ("nothing bought", instance(phase="Pending"), ("nothing", "0.00", "-", "-", "0.00")),
    ("gone", machine(phase="Terminated", outcome=None), ("nothing", "0.00", "-", "-", "0.00")),
]  # fmt: skip


@pytest.mark.parametrize(("it", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_one_instance(it: Object, expected: tuple[str, ...]) -> None:
    """How it is billed, per hour, accrued, since when, and per month."""
    cost = cost_of(it, NOW)
    shown = (cost.billed, dollars(cost.now_hourly), dollars(cost.accrued), cost.since or "-", dollars(cost.monthly))
    assert shown == expected


def test_sums_leave_out_what_is_not_known_and_count_it() -> None:
    """A sum is never said to be more than it is."""
    costs = [cost_of(it, NOW) for it in (machine(), machine(**STOPPED_NOW), machine(price=None))]
    sums = total(costs)
    assert (sums.instances, sums.hourly, sums.accrued, sums.unknown) == (3, Decimal("1.4"), Decimal("14.00"), 2)
    assert list(by_namespace(costs)) == ["team-a"]


def test_money_is_exact() -> None:
    """A tenth ten times is one, as with no float."""
    costs = [cost_of(machine(price="0.1", createdAt="2026-01-01T11:00:00Z"), NOW) for _ in range(10)]
    assert (total(costs).hourly, total(costs).accrued) == (Decimal("1.0"), Decimal("1.00"))
    assert not any(isinstance(value, float) for it in costs for value in (it.hourly, it.accrued, it.monthly))


def test_an_amount_has_two_places_or_more() -> None:
    """A column of money reads as one: nothing is `0.00`, as a sum of nothing is, and no place of a price is lost."""
    shown = [dollars(it) for it in (Decimal(), Decimal("1.4"), Decimal(12), Decimal("0.35"), Decimal("0.01368"), None)]
    assert shown == ["0.00", "1.40", "12.00", "0.35", "0.01368", "-"]


def test_a_clock_that_is_behind_makes_no_negative_amounts() -> None:
    """The machine was bought a moment after our clock's now."""
    assert cost_of(machine(createdAt="2026-01-01T12:00:05Z"), NOW).accrued == Decimal("0.00")


def test_the_command(api: Api, gpu: Kubectl) -> None:
    """A line for each, the sums, and beside them what they mean."""
    elsewhere = machine(provider="hostwinds", **STOPPED_NOW)
    elsewhere["metadata"] |= {"name": "web", "namespace": "team-b"}
    api.holds(machine(), machine(**STOPPED_NOW), elsewhere)
    result = gpu("cost", "-A")
    assert_golden("cost", result.out)
    assert "novita bills a stopped machine for its disk only" in result.err
    assert "hostwinds bills a stopped server in full" in result.err
    document = json.loads(gpu("cost", "-A", "-o", "json").out)
    assert document["total"] == {
        "instances": 3,
        "hourlyPrice": "2.8",
        "monthlyEstimate": "2044.00",
        "accrued": "28.00",
        "notKnown": 1,
    }
    assert (document["currency"], list(document["namespaces"])) == ("USD", ["team-a", "team-b"])
    assert document["items"][1]["accrued"] is None
    assert yaml.safe_load(gpu("cost", "-A", "-o", "yaml").out) == document


def test_nothing_to_pay_for(api: Api, gpu: Kubectl) -> None:
    """It is said aside."""
    api.holds()
    assert (gpu("cost").out, gpu("cost").err) == ("", "No instances found in namespace team-a.\n")
