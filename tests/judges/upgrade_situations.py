"""The table: every situation of an InstanceUpgrade, ended or not, and what each judge has to say about it.

As `situations.py` for a GPUInstance. docs/waiting.md shows this table, too.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.record import Unclear
from gpuinstance.core.snapshot import Blind
from tests.judges import verdicts
from tests.judges.situations import Situation
from tests.judges.stories import Delete, Edit, Story
from tests.judges.upgrade_stories import MANUAL_UPGRADE, UPGRADE, UpgradeLook
from tests.judges.verdicts import Judgement
from tests.materials import HOST, NOW, report
from tests.upgrade_builders import BIG, OURS, PAID, SMALL, THEIRS, renting, server

_SERVING = renting().serving_at(HOST, 80)


def _row(name: str, story: Story, expected: Judgement) -> Situation:
    return Situation(name, story, expected, UPGRADE)


def _blind(minute: float, reason: Reason, *, needs_person: bool = False) -> UpgradeLook:
    last = NOW + timedelta(minutes=minute - 0.5)
    return UpgradeLook(minute=minute, blind=Blind(reason, f"because of {reason}", needs_person, last))


def _at(minute: float, state: MachineState, sizes: Any = SMALL, **more: Any) -> UpgradeLook:
    """The server is in this state; our order is paid for."""
    machine: Machine = server(state, sizes)
    return UpgradeLook(machine, minute, order=PAID, **more)


_SICK: dict[str, Any] = {"instance": _SERVING, "health": report(sick=[80])}

# What goes before --------------------------------------------------------------------------------------

_ORDERED: Story = (UpgradeLook(), UpgradeLook(minute=1, order=OURS))
_PAID: Story = (*_ORDERED, UpgradeLook(minute=2, order=PAID))
_RESIZING: Story = (*_PAID, _at(3, MachineState.RESIZING))
_RESIZED: Story = (*_RESIZING, _at(4, MachineState.RESIZED, BIG))
_COMPLETED: Story = (*_RESIZED, _at(5, MachineState.RUNNING, BIG))
_LOOKED_AT_SICK: Story = (*_RESIZING, _at(4, MachineState.RESIZED, BIG, **_SICK))
_REVERTING: Story = (*_LOOKED_AT_SICK, _at(10, MachineState.RESIZED, BIG, **_SICK))

# The table ---------------------------------------------------------------------------------------------

UPGRADES: tuple[Situation, ...] = (
    # Before it begins.
    _row("upgrade created, not looked at yet", (), verdicts.WAITING),
    _row("its instance does not exist yet", (UpgradeLook(instance=None),), verdicts.WAITING),
    _row("its instance is stopped", (_at(0, MachineState.STOPPED),), verdicts.ASKING),
    _row("queued behind another upgrade", (UpgradeLook(ahead="first"),), verdicts.WAITING),
    _row("somebody else's order is open", (UpgradeLook(order=THEIRS),), verdicts.STUCK),
    # Ordered and paid for.
    _row("ordering, the call is under way", (UpgradeLook(answer=None),), verdicts.WAITING),
    _row("ordering, the call got no answer", (UpgradeLook(answer=Unclear("no answer in time")),), verdicts.WAITING),
    _row("awaiting payment", _ORDERED, verdicts.ASKING),
    _row(
        "awaiting payment, provider out of sight", (*_ORDERED, _blind(2, Reason.PROVIDER_UNAVAILABLE)), verdicts.WAITING
    ),
    _row(
        "awaiting payment, API key refused",
        (*_ORDERED, _blind(2, Reason.UNAUTHORIZED, needs_person=True)),
        verdicts.STUCK,
    ),
    _row(
        "another invoice than its own is said to be paid",
        (*_ORDERED, Edit({"payment": {"confirmedInvoiceID": "1"}}), UpgradeLook(minute=2, order=OURS)),
        verdicts.ASKING,
    ),
    _row(
        "said to be paid, not looked at yet",
        (*_ORDERED, Edit({"payment": {"confirmedInvoiceID": "416"}})),
        verdicts.WAITING,
    ),
    # Changing the server.
    _row("paid, being applied", _PAID, verdicts.WAITING),
    _row("being resized", _RESIZING, verdicts.WAITING),
    _row("resized, its application does not answer yet", _LOOKED_AT_SICK, verdicts.WAITING),
    Situation("awaiting confirmation", _RESIZED, verdicts.ASKING, MANUAL_UPGRADE),
    _row("being confirmed", _RESIZED, verdicts.WAITING),
    _row("being reverted", _REVERTING, verdicts.WAITING),
    _row("cancelled too late", (*_RESIZING, Edit({"cancel": True}), _at(4, MachineState.RESIZING)), verdicts.WAITING),
    # Ended.
    _row("completed", _COMPLETED, verdicts.SUCCEEDED),
    _row("completed, then edited, not looked at yet", (*_COMPLETED, Edit({"confirm": True})), verdicts.WAITING),
    _row(
        "completed, then edited, acknowledged",
        (*_COMPLETED, Edit({"confirm": True}), _at(9, MachineState.RUNNING, BIG)),
        verdicts.SUCCEEDED,
    ),
    _row("nobody paid in time", (*_ORDERED, UpgradeLook(minute=60 * 73, order=OURS)), verdicts.FAILED),
    _row("cancelled", (*_ORDERED, Edit({"cancel": True}), UpgradeLook(minute=2, order=OURS)), verdicts.CANCELLED),
    _row("reverted", (*_REVERTING, _at(12, MachineState.RUNNING)), verdicts.FAILED),
    # On the way out.
    _row("upgrade deleted, not looked at yet", (*_RESIZING, Delete()), verdicts.LEAVING),
    _row("upgrade deleted while it resizes", (*_RESIZING, Delete(), _at(4, MachineState.RESIZING)), verdicts.LEAVING),
    _row(
        "upgrade deleted while it resizes, API key refused",
        (*_RESIZING, Delete(), _blind(4, Reason.UNAUTHORIZED, needs_person=True)),
        replace(verdicts.STUCK_LEAVING, asks=True),
    ),
)
