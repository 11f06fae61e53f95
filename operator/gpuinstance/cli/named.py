"""Objects as the arguments name them: `trainer`, `gpui/trainer`, `iup/bigger`, also as kubectl prints names.

Used by the commands that are about one object or a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from gpuinstance import __version__
from gpuinstance.api.base import ApiModel
from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.cluster import INSTANCES, UPGRADES, Resource
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.session import Session

AnyKind = TypeVar("AnyKind", bound=ApiModel)

_KINDS = {
    **dict.fromkeys(("gpui", "gpuinstance", "gpuinstances"), INSTANCES),
    **dict.fromkeys(("iup", "instanceupgrade", "instanceupgrades"), UPGRADES),
}
"""What kubectl takes for the kind before the slash."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One object by kind and name."""

    resource: Resource
    name: str

    @classmethod
    def of(cls, argument: str, *, default: Resource = INSTANCES) -> Reference:
        """Return what is meant; a name without a kind is of the kind `default`. Raises Trouble."""
        kind, slash, name = argument.rpartition("/")
        resource = kind_of(kind) if slash else default
        if resource is None or not name:
            raise Trouble(f'"{argument}" is neither NAME nor gpui/NAME nor iup/NAME', Exit.USAGE)
        return cls(resource, name)

    @property
    def names_upgrade(self) -> bool:
        """True if it is an InstanceUpgrade."""
        return self.resource is UPGRADES


def kind_of(argument: str) -> Resource | None:
    """Return the kind that is named without an object, such as `iup`; None for anything else."""
    return _KINDS.get(argument.partition(".")[0].lower())


def named_instance(session: Session, argument: str) -> GPUInstance:
    """Return the instance of that name. Raises Trouble, also if an upgrade is named."""
    reference = Reference.of(argument)
    if reference.names_upgrade:
        raise Trouble(f"{argument} is an upgrade, and this is for instances", Exit.USAGE)
    return understood(GPUInstance, session.cluster.instance(session.namespace_or_current, reference.name))


def named_upgrade(session: Session, argument: str) -> InstanceUpgrade:
    """Return the upgrade of that name. Raises Trouble, also if an instance is named."""
    reference = Reference.of(argument, default=UPGRADES)
    if not reference.names_upgrade:
        raise Trouble(f"{argument} is an instance, and this is for upgrades", Exit.USAGE)
    return understood(InstanceUpgrade, session.cluster.upgrade(session.namespace_or_current, reference.name))


def understood(kind: type[AnyKind], found: Object) -> AnyKind:
    """Return an object as its model. Raises Trouble."""
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        text = f"kubectl-gpu {__version__} does not understand {field} of this object: another version wrote it"
        raise Trouble(text) from error
