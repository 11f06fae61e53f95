"""A machine that nobody bought for its object, and what becomes of both: for tests of adopting and observing.

`Found` looks as the operator does: ours is what carries our name or is recorded, and what `spec.adopt` names is
shown apart from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.words import BillingMode
from gpuinstance.core.decision import Need
from gpuinstance.core.model import Machine, MachineState, Software
from gpuinstance.core.snapshot import FoundUpgrade, Seen, Snapshot
from tests.builders import IDENTITY, IMAGE, InstanceBuilder, instance, machine
from tests.unit.core.life import Life

THEIRS = "x-9"
"""The id of a machine that was bought by hand."""


def workstation(state: MachineState = MachineState.RUNNING, **fields: Any) -> Machine:
    """Return the machine that was bought by hand; by default it is as `adopting()` says."""
    usual: dict[str, Any] = {
        "name": "workstation",
        "image": IMAGE,
        "product_id": "4090.a",
        "product_name": "RTX 4090",
        "gpu_count": 1,
        "billing_mode": BillingMode.ON_DEMAND,
    }
    return machine(THEIRS, state, **usual | fields)


def adopting(**spec: Any) -> InstanceBuilder:
    """Return a new object that names the machine."""
    return instance().with_ports(80).with_spec(adopt={"instance_id": THEIRS}, **spec)


@dataclass
class Found(Life):
    """One object and the machines of its account for a while."""

    claimed_by: str | None = None
    """Who else owns the machine."""
    upgrade: FoundUpgrade | None = None
    """The upgrade that concerns it."""

    def _first_look(self) -> Snapshot:
        seen = replace(super()._first_look(), upgrade=self.upgrade)
        if not isinstance(seen.view, Seen):
            return seen
        recorded, adopt = self.status.instance, self.instance.spec.adopt
        ours = IDENTITY.ours(self.machines)
        ours += tuple(it for it in self.machines if recorded and it.id == recorded.id and it not in ours)
        named = tuple(it for it in self.machines if adopt and it.id == adopt.instance_id)
        return replace(seen, view=Seen(ours, (), self.now, named), claimed_by=self.claimed_by if named else None)

    def _with_fact(self, seen: Snapshot, need: Need) -> Snapshot:
        if need is Need.SOFTWARE:
            return replace(seen, software=Software(seen.spec.image or ""))
        return super()._with_fact(seen, need)

    def forget(self, **metadata: Any) -> None:
        """Somebody empties the status, and changes this of the metadata."""
        changed = self.instance.metadata.model_copy(update=metadata)
        self.instance = self.instance.model_copy(update={"status": GPUInstanceStatus(), "metadata": changed})

    def settle(self) -> Found:
        """Look until nothing is left to do, two minutes at most."""
        self.watch(120, every=5)
        return self

    def shown(self) -> dict[str, tuple[str, str]]:
        """Return the differences that the status shows: what is wanted and what was found, by field."""
        return {it.field: (it.wanted, it.found) for it in self.status.differences or ()}


def found(of: InstanceBuilder, *machines: Machine, **more: Any) -> Found:
    """Return an object and the machines of its account, before the first look."""
    return Found(of.build(), machines, **more)


def with_image(of: InstanceBuilder, image: str | None = IMAGE, **more: Any) -> InstanceBuilder:
    """Return an object with machine m-1 and what the provider showed as its image when that was last our work."""
    recorded = {"id": "m-1", "name": IDENTITY.name(1), "product_name": "RTX 4090", "state": "running"}
    return of.with_status(instance={**recorded, "image": image, **more})
