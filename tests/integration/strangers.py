"""Machines that nobody's object bought, and what people do to machines behind the operator's back.

By the provider's console, and by its public API with the same key, as another program would.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.integration.world import World, until
from tests.rig.simulator import API_KEY


class Stranger:
    """One machine, by its id."""

    def __init__(self, world: World, machine_id: str) -> None:
        self.id = machine_id
        self._world = world
        self._simulator = world.simulator

    @property
    def shown(self) -> dict[str, Any]:
        """The machine as it is, without lag; empty once it is gone."""
        found = [it for it in self._simulator.ask("machines") if it["id"] == self.id]
        return dict(found[0]) if found else {}

    def done(self) -> list[str]:
        """Return what was accepted for the machine through the API, in order, since it was bought."""
        entries = self._simulator.ask("ledger", machine=self.id, actor="api")
        return [entry["operation"] for entry in entries if entry["operation"] != "create"]

    def console(self, action: str, **details: Any) -> None:
        """Do something to it in the provider's console."""
        self._simulator.tell(f"machines/{self.id}/console", {"action": action, **details})

    def expose(self, *numbers: int) -> None:
        """Publish these http ports, and no others, as another client of the API."""
        self._post("edit", ports=[{"port": number, "type": "http"} for number in numbers])

    def run_image(self, image: str) -> None:
        """Reset it to another image, as another client of the API."""
        rest = {"imageAuthId": "", "envs": [], "command": "", "entrypoint": "", "networkVolume": {"volumeMounts": []}}
        self._post("upgrade", imageUrl=image, save=True, **rest)
        until(lambda: self.shown["state"] == "running", f"machine {self.id} runs {image}")

    def _post(self, what: str, **body: Any) -> None:
        url, key = f"{self._simulator.novita_url}/gpu/instance/{what}", {"Authorization": f"Bearer {API_KEY}"}
        httpx.post(url, json={"instanceId": self.id, **body}, headers=key, trust_env=False).raise_for_status()


@contextmanager
def bought_by_hand(world: World, name: str = "", **purchase: Any) -> Iterator[Stranger]:
    """A machine that somebody buys in the console, running; it is removed afterwards, if it still exists."""
    wanted = {"name": name or f"by-hand-{world.namespace}", "ports": [{"number": 80}], **purchase}
    stranger = Stranger(world, world.simulator.tell("machines", wanted)["id"])
    until(lambda: stranger.shown["state"] == "running", f"machine {stranger.id} runs")
    try:
        yield stranger
    finally:
        if stranger.shown:
            stranger.console("delete")


def machine_of(world: World, name: str) -> Stranger:
    """Return the machine of an instance, to do something to it."""
    return Stranger(world, world.machine(name)["id"])
