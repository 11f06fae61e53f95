"""What the machines of a namespace may cost together, and what each of them counts for. US dollars per hour.

Pure. The limit is an annotation on the Namespace; the sum is that of the prices in the statuses, intents
included, because an intent is saved before money is spent. What cannot be counted is never taken for nothing.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from gpuinstance.api.upgrade_words import UpgradeOutcome, UpgradePhase
from gpuinstance.api.words import BillingMode, OperationPhase, OperationType, Phase

LIMIT = "gpuinstance.dev/max-hourly-price"
"""The annotation of a Namespace that holds the limit, e.g. `12.50`."""

_ENOUGH = 40
"""Characters of an unreadable limit that are repeated."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a namespace allows, as it concerns one of its instances."""

    limit: Decimal | None = None
    """None: no limit, or it is not known; see `trouble`."""
    others: Decimal = Decimal(0)
    """What all other instances of the namespace count for."""
    unpriced: str = ""
    """The name of another instance with a machine whose price nobody knows; empty if there is none."""
    trouble: str = ""
    """Why the limit is not known, in words; empty where it is, or where there is none."""

    @property
    def limits(self) -> bool:
        """True if anything has to be asked before money is spent."""
        return self.limit is not None or bool(self.trouble)


def read_limit(annotations: Mapping[str, str]) -> Budget:
    """Return the limit that a Namespace's annotations say, or why it cannot be read."""
    text = annotations.get(LIMIT)
    if text is None:
        return Budget()
    try:
        limit = Decimal(text.strip())
    except InvalidOperation:
        limit = Decimal("NaN")
    if limit.is_finite() and limit >= 0:
        return Budget(limit)
    return Budget(trouble=f"its annotation {LIMIT} is {text[:_ENOUGH]!r}, which is no price such as 12.50")


def spend_of(spec: Mapping[str, Any], status: Mapping[str, Any], *, bill_stopped: Container[str]) -> Decimal | None:
    """Return what an instance counts for, in US dollars per hour; None where its machine's price is unknown.

    `spec` and `status` are as the API server holds them; `bill_stopped` are the providers at which a machine
    that is down costs what it costs when it is up. What a stopped disk costs is not counted: no price of it
    is known. Where no price was recorded, as for an adopted machine, the cap of the spec counts in its place.
    """
    machine, operation = status.get("instance") or {}, status.get("operation") or {}
    under_way = operation.get("type") if operation.get("phase") != OperationPhase.FAILED else None
    phase = status.get("phase")
    exists = machine.get("id") is not None or under_way == OperationType.CREATE
    if not exists or (phase == Phase.TERMINATED and under_way is None):
        return Decimal(0)
    prepaid = machine.get("billingMode") == BillingMode.MONTHLY
    if phase in (Phase.STOPPED, Phase.EXITED) and not prepaid and spec.get("provider") not in bill_stopped:
        return Decimal(0)
    return _amount(machine.get("hourlyPrice")) or _amount((spec.get("billing") or {}).get("maxHourlyPrice"))


def room_of(spec: Mapping[str, Any], status: Mapping[str, Any], *, bill_stopped: Container[str]) -> Decimal | None:
    """Return how much of a budget an instance takes: what it counts for, or what will be bought in its place if more.

    Arguments and result are those of `spend_of`.
    """
    spend, operation = spend_of(spec, status, bill_stopped=bill_stopped), status.get("operation") or {}
    # One that is down buys nothing before it is to run again, and then it is asked anew.
    down = status.get("phase") in (Phase.STOPPED, Phase.EXITED)
    if spend is None or down or operation.get("type") != OperationType.RECREATE:
        return spend
    next_price = _amount(operation.get("hourlyPrice")) if operation.get("phase") != OperationPhase.FAILED else None
    return max(spend, next_price or Decimal(0))


def upgraded_price(upgrades: Sequence[Mapping[str, Any]], machine: Mapping[str, Any], *, is_billed: bool) -> Decimal:
    """Return what a machine will cost by its upgrades, in US dollars per hour, as long as its own price is older.

    `upgrades` are the InstanceUpgrades of its instance, and `machine` is `status.instance` of that, as the API
    server holds them. An upgrade counts from its saved intent until the instance has taken note of it. One that
    has failed on its way counts as well, because the machine may have changed, unless it was taken back.
    Where the instance has noted one after another, the last one that it has noted tells, be it gone by now.
    """
    noted = {machine.get("upgradedBy"), machine.get("pricedBy")}
    ends = [(it.get("status") or {}).get("completedAt") for it in upgrades if it["metadata"]["uid"] in noted]
    since = max((end for end in (*ends, machine.get("lastUpgradeEndedAt")) if end), default="")
    counted = [
        status
        for status in (it.get("status") or {} for it in upgrades)
        if not status.get("completedAt") or (is_billed and _is_unnoted(status, machine, since))
    ]
    return max(
        (_amount((it.get("target") or {}).get("hourlyPrice")) or Decimal(0) for it in counted), default=Decimal(0)
    )


def _is_unnoted(status: Mapping[str, Any], machine: Mapping[str, Any], since: str) -> bool:
    """True if an upgrade that has ended made something of this machine, after what was noted last."""
    if status.get("outcome") != UpgradeOutcome.SUCCEEDED:
        changed = status.get("appliedAt") is not None and status.get("phase") != UpgradePhase.REVERTED
        if not changed:
            return False
    is_of_machine = (status.get("instance") or {}).get("machineID") == machine.get("id")
    return is_of_machine and status["completedAt"] > since


def _amount(text: object) -> Decimal | None:
    """Return a positive price; None where there is none, or what is there is none."""
    try:
        amount = Decimal(str(text))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount > 0 else None
