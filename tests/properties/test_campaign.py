"""One trouble at each boundary: every call of a life goes wrong once, in every way that it can.

A life is first lived undisturbed, and its calls are counted. Then it is lived again for each call and each
trouble that the call can meet. Whatever happens, the end is the same as without trouble, and the provider
has accepted the same changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.properties.world.fate import TROUBLES, Kind, Trouble
from tests.properties.world.world import Lags, World

Step = Callable[[World], None]
Life = tuple[Step, ...]


def edit(**spec: Any) -> Step:
    """A user edits the spec."""
    return lambda world: world.server.edit(**spec)


def delete(world: World) -> None:
    """A user deletes the object."""
    world.server.delete()


LIVES: dict[str, Life] = {
    "create": (),
    "delete": (delete,),
    "stop": (edit(powerState="Stopped"),),
    "start": (edit(powerState="Stopped"), edit(powerState="Running")),
    "restart": (edit(actions={"restart": "now"}),),
    "recreate": (edit(actions={"recreate": "now"}),),
    "image": (edit(image="docker.io/library/nginx:1.28"),),
    "ports": (edit(ports=[{"port": 80, "protocol": "http"}, {"port": 8080, "protocol": "http"}]),),
    "disk": (edit(rootfsSizeGB=100),),
}
"""What the user does after the object has become Ready; trouble comes in the last step."""

IN_PLACE: dict[str, Life] = {
    "create": (),
    "rebuild": (edit(actions={"recreate": "now"}),),
    "reinstall": (edit(templateID="debian", actions={"reinstall": "now"}),),
    "networking": (edit(actions={"regenerateNetworking": "now"}),),
}
"""The same where the cloud sells nameless machines and makes them anew in place."""

Trail = tuple[Counter[str], dict[str, Any] | None]
"""Accepted changes, and the final status without times and ids."""


def live(steps: Life, plan: tuple[Kind, Trouble, int] | None, *, in_place: bool) -> tuple[World, Trail]:
    """Live a life, with a trouble in its last step, and return what is left of it."""
    world = World(Lags(listing=10, deletion=10), in_place=in_place)
    for step in steps:
        world.come_to_rest()
        if step is not steps[-1]:
            step(world)
    world.fate.begin_counting()
    if plan is not None:
        kind, trouble, after = plan
        world.fate.plan(kind, trouble, after=after)
    for step in steps[-1:]:
        step(world)
    world.come_to_rest(relent=False)
    world.close()
    return world, (Counter(world.changes()), masked(world))


def masked(world: World) -> dict[str, Any] | None:
    """Return what the status says, without what differs from one life to the next."""
    if world.server.body is None:
        return None
    status = world.status
    return {
        "phase": status.phase,
        "outcome": status.outcome,
        "conditions": [(c.type, c.status, c.reason) for c in status.conditions],
        "operation": status.operation,
        "applied": status.applied,
        "handled": status.handled_actions,
        "ports": [endpoint.port for endpoint in status.endpoints or []],
    }


@pytest.mark.parametrize("life", LIVES)
def test_trouble_at_any_boundary_changes_nothing_in_the_end(life: str) -> None:
    """The same changes at the provider, the same final status, no complaint of the judge."""
    campaign(life, LIVES[life], in_place=False)


@pytest.mark.parametrize("life", IN_PLACE)
def test_nor_does_it_where_machines_are_made_anew_in_place(life: str) -> None:
    """No disk is lost twice, and nothing is bought twice, by one token."""
    campaign(life, IN_PLACE[life], in_place=True)


def campaign(life: str, steps: Life, *, in_place: bool) -> None:
    undisturbed, expected = live(steps, None, in_place=in_place)
    for kind, count in undisturbed.fate.counted().items():
        for trouble in TROUBLES[kind]:
            for after in boundaries(kind, count):
                world, trail = live(steps, (kind, trouble, after), in_place=in_place)
                told = f"{life}: {trouble.name} at {kind.name} number {after} of {count}"
                assert world.complaints == [], told
                assert world.fate.struck, f"{told}: it was never met"
                assert trail == expected, told


def boundaries(kind: Kind, count: int) -> list[int]:
    """Return which calls go wrong: each change and write; of reads, which are many and alike, three."""
    every = range(count)
    return list(every) if kind in {Kind.CHANGE, Kind.WRITE} else sorted({*every[:2], *every[-1:]})
