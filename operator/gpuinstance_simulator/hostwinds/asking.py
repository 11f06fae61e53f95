"""One call of Hostwinds' API on its way through the simulator: what was asked, and what is to be answered.

Reads answer an object or a list, in an envelope or bare; changes answer result items. Which shape, is a quirk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gpuinstance_simulator.effects import Page
from gpuinstance_simulator.hostwinds import items
from gpuinstance_simulator.hostwinds.actions import Action
from gpuinstance_simulator.hostwinds.answers import with_numbers_as_text
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.hostwinds.form import Form
from gpuinstance_simulator.machine import Machine


@dataclass(frozen=True, slots=True)
class Ask:
    """One call, with a valid key."""

    action: Action
    form: Form
    page_faults: Sequence[Page] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What to answer (None: an empty body), and the machine that the call was about."""

    payload: object
    machine: Machine | None = None


Verb = Callable[[Ask], Done]


def read(cloud: HostwindsCloud, payload: object, machine: Machine | None = None, *, bare: bool | None = None) -> Done:
    """The answer to a read; `bare` overrides the quirk for answers that every source shows in the envelope."""
    quirks = cloud.quirks
    shown = with_numbers_as_text(payload) if quirks.numbers_as_text else payload
    return Done(shown if (quirks.bare_reads if bare is None else bare) else {"success": shown}, machine)


def result(cloud: HostwindsCloud, ask: Ask, machine: Machine, text: str | None = None) -> Done:
    """The answer to an accepted change; `text` replaces the usual message."""
    done = items.success(ask.action, machine.id, text)
    return Done(items.accepted(done, ask.action, cloud.quirks), machine)
