"""A namespace for patients: instances whose applications misbehave as told, while other tests go on.

Beside the fixture `world`, which heals every application when a test ends: what happens here lasts until the
ward is closed, so that what takes half a minute by nature can go on in the background of a whole module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.world import World
from tests.rig.stack import Stack


class Ward(World):
    """What can be done to applications, and what is known about them."""

    def behave(self, *names: str, port: int | None = None, **behaviour: Any) -> None:
        """From now on the applications of these instances behave so; without `behaviour` they are healthy."""
        rules = [{"name": f"{self._prefix(name)}*", "port": port, "behaviour": behaviour} for name in names]
        self.simulator.tell("apps", rules)

    def visits(self, name: str) -> int:
        """Return how often anybody has asked the http ports of this instance's machine."""
        visits = self.simulator.ask("visits").get(self.machine(name)["id"], {})
        return sum(int(count) for count in visits.values())


@contextmanager
def open_ward(stack: Stack, namespace: str) -> Iterator[Ward]:
    """A namespace with credentials; its instances go when it is closed."""
    if not stack.operator.child.running:  # a test that failed may have left it so
        stack.start_operator()
    stack.create_namespace(namespace)
    ward = Ward(stack, namespace)
    try:
        yield ward
    finally:
        ward.kubectl("delete", "gpui", "--all", "--wait=false")
