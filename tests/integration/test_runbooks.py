"""Every command of the runbooks is typed here, once, on a real API server with an instance that is Ready.

What is about a Deployment of the operator cannot run here, because the operator of these tests is a process; what
is about an InstanceUpgrade is tried by the tests of `kubectl gpu`. Those are only looked at, in tests/prometheus.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.manifests import serving
from tests.integration.test_documents import Terminal
from tests.integration.world import World
from tests.prometheus.commands import all_commands

pytestmark = pytest.mark.cluster

ELSEWHERE = ("kubectl logs", "kubectl rollout", "kubectl scale", "kubectl top", "kubectl create secret")
ABOUT_UPGRADES = ("iup/NAME", "kubectl gpu cancel", "kubectl gpu confirm")
NEED_MORE = ("kubectl gpu why", "kubectl gpu abandon", "kubectl gpu abandon NAME")
"""Mentioned by name, or asking a person."""

LAST = ("kubectl gpu stop", "kubectl patch")
"""Change the instance."""


def typed(world: World) -> list[str]:
    """Return what can be typed here, with the names of this test, looking before changing."""
    own = [it for it in all_commands() if it not in NEED_MORE and not it.startswith(ELSEWHERE)]
    own = [it for it in own if not any(about in it for about in ABOUT_UPGRADES)]
    own.sort(key=lambda command: command.startswith(LAST))
    # `NAMESPACE:` is the title of a column.
    return [re.sub(r"\bNAMESPACE\b(?!:)", world.namespace, re.sub(r"\bNAME\b(?!:)", "trainer", it)) for it in own]


def test_the_runbooks_can_be_followed(world: World, tmp_path: Path) -> None:
    """Whoever is woken at night types what the page says, and it works."""
    world.apply(serving())
    world.ready("trainer")
    terminal = Terminal(world, tmp_path)
    for command in typed(world):
        terminal.type(command)
