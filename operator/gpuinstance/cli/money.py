"""What instances cost, as far as their status tells: price, accrued, a month's estimate, and the sums. Pure.

Prices are US dollars and Decimal from end to end. What is known is the price at the purchase and when the machine
was bought, came up and went down; what a provider bills beyond that (disks, traffic, taxes, credit) is not known
here. Nothing is made up: what cannot be told is None, is left out of the sums, and is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from gpuinstance.api.words import BillingMode, Outcome, Phase, ProviderName
from gpuinstance.cli.fields import Object, text_at, time_at
from gpuinstance.core.pricing import HOURS_PER_MONTH

_HOUR = timedelta(hours=1)
_CENTS = Decimal("0.01")
_DOWN = frozenset({Outcome.STOPPED, Outcome.EXITED, Phase.STOPPED, Phase.EXITED})
_NO_MACHINE = frozenset({Phase.TERMINATED})


class Billed(StrEnum):
    """How a machine is billed at this moment."""

    RUNNING = "running"
    FULLY = "fully, also while stopped"
    """Hostwinds bills a server by its cycle, whether it runs or not."""
    DISK = "disk only"
    """Novita bills a stopped machine's disk, at a price that is not in the status."""
    AHEAD = "paid ahead"
    """Monthly billing at Novita: the term is paid for, used or not."""
    NOTHING = "nothing"
    """No machine is recorded."""
    UNKNOWN = "price not known"


class Since(StrEnum):
    """From when on the accrued amount counts."""

    BOUGHT = "since bought"
    LAST_START = "since last start"
    """It was down before, and how long it had run until then is not in the status."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one instance costs."""

    namespace: str
    name: str
    provider: str
    billed: Billed
    hourly: Decimal | None
    """USD per hour for the whole machine, when it was bought."""
    accrued: Decimal | None
    since: Since | None
    began: datetime | None

    @property
    def now_hourly(self) -> Decimal | None:
        """What goes on being billed per hour; None where that is not known."""
        if self.billed is Billed.NOTHING:
            return Decimal()
        return None if self.billed in {Billed.DISK, Billed.UNKNOWN} else self.hourly

    @property
    def monthly(self) -> Decimal | None:
        """An estimate: a month of 730 hours at the present price."""
        return None if self.now_hourly is None else cents(self.now_hourly * HOURS_PER_MONTH)


@dataclass(frozen=True, slots=True)
class Total:
    """What several instances cost; what is not known of some is counted in `unknown`."""

    instances: int
    hourly: Decimal
    accrued: Decimal
    monthly: Decimal
    unknown: int


def cost_of(instance: Object, now: datetime) -> Cost:
    """Return what one instance costs."""
    price, billed = _price(instance), _billed(instance)
    if price is None and billed in {Billed.RUNNING, Billed.FULLY, Billed.AHEAD}:
        billed = Billed.UNKNOWN
    since, began = _began(instance, billed)
    accrued = cents(price * _hours(now - began)) if price is not None and began is not None else None
    return Cost(
        namespace=text_at(instance, "metadata", "namespace"),
        name=text_at(instance, "metadata", "name"),
        provider=text_at(instance, "spec", "provider"),
        billed=billed,
        hourly=price,
        accrued=accrued,
        since=since if accrued is not None else None,
        began=began if accrued is not None else None,
    )


def total(costs: Iterable[Cost]) -> Total:
    """Add up."""
    costs = list(costs)
    return Total(
        instances=len(costs),
        hourly=sum((it.now_hourly or Decimal() for it in costs), Decimal()),
        accrued=sum((it.accrued or Decimal() for it in costs), Decimal()),
        monthly=sum((it.monthly or Decimal() for it in costs), Decimal()),
        unknown=sum(it.now_hourly is None for it in costs),
    )


def by_namespace(costs: Sequence[Cost]) -> dict[str, Total]:
    """Return the sums of each namespace, by name."""
    names = sorted({it.namespace for it in costs})
    return {name: total(it for it in costs if it.namespace == name) for name in names}


def cents(amount: Decimal) -> Decimal:
    """Return the amount, rounded to cents."""
    return amount.quantize(_CENTS)


def dollars(amount: Decimal | None) -> str:
    """Return e.g. `0.35` or `1.40`, with all places that it has and at least two; `-` for what is not known."""
    return "-" if amount is None else max(f"{amount:.2f}", f"{amount:f}", key=len)


def _price(instance: Object) -> Decimal | None:
    try:
        price = Decimal(text_at(instance, "status", "instance", "hourlyPrice"))
    except InvalidOperation:
        return None
    return price if price.is_finite() and price >= 0 else None


def _billed(instance: Object) -> Billed:
    phase, outcome = text_at(instance, "status", "phase"), text_at(instance, "status", "outcome")
    if not text_at(instance, "status", "instance", "id") or phase in _NO_MACHINE:
        return Billed.NOTHING
    if text_at(instance, "spec", "provider") == ProviderName.HOSTWINDS:
        return Billed.FULLY
    if text_at(instance, "status", "instance", "billingMode") == BillingMode.MONTHLY:
        return Billed.AHEAD
    return Billed.DISK if {phase, outcome} & _DOWN or _went_down_last(instance, phase) else Billed.RUNNING


def _went_down_last(instance: Object, phase: str) -> bool:
    """True for a suspended instance whose machine was down: what the phase says there is about the object alone."""
    if phase != Phase.SUSPENDED:
        return False
    stopped, started = time_at(instance, "status", "stoppedAt"), time_at(instance, "status", "startedAt")
    return stopped is not None and (started is None or started < stopped)


def _began(instance: Object, billed: Billed) -> tuple[Since | None, datetime | None]:
    """Return since when the price has been billed without a break, as far as that is known."""
    bought = time_at(instance, "status", "createdAt")
    if billed is Billed.FULLY:
        return Since.BOUGHT, bought
    if billed is not Billed.RUNNING:
        return None, None
    stopped, started = time_at(instance, "status", "stoppedAt"), time_at(instance, "status", "startedAt")
    if stopped is None or (bought is not None and stopped < bought):  # the stop of a machine before this one
        return Since.BOUGHT, bought
    # Coming up again, `startedAt` is still that of the run before: what is billed by now is not known yet.
    return (Since.LAST_START, started) if started is not None and started >= stopped else (None, None)


def _hours(length: timedelta) -> Decimal:
    microseconds = max(length, timedelta()) // timedelta(microseconds=1)
    return Decimal(microseconds) / Decimal(_HOUR // timedelta(microseconds=1))
