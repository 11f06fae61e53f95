"""What some providers lack, refused in words: nothing is sent, nothing has happened.

Adapters inherit from here what their `Capabilities` deny, so that a caller that asks nevertheless gets the
same definite no everywhere. What a provider has is never here.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpuinstance.api.reasons import Reason
from gpuinstance.core.model import Plan, PlanChoice, UpgradeOrder
from gpuinstance.providers.base import Rejected


def unsupported(provider: str, verb: str) -> Rejected:
    """Return the refusal of something that a provider's API does not offer; `verb` as in `rename a machine`."""
    return Rejected(f"{provider} has no way to {verb}", reason=Reason.UNSUPPORTED_BY_PROVIDER)


class _Lacking:
    """`_PROVIDER` is the provider's name in messages."""

    _PROVIDER: str


class WithoutRebuilds(_Lacking):
    """A provider with `Capabilities.rebuilds_in_place` False."""

    async def rebuild(self, machine_id: str) -> None:
        """Refuse."""
        raise unsupported(self._PROVIDER, "make a machine anew in place")

    async def reinstall(self, machine_id: str, template_id: str) -> None:
        """Refuse."""
        raise unsupported(self._PROVIDER, "install a template on an existing machine")

    async def regenerate_networking(self, machine_id: str) -> None:
        """Refuse."""
        raise unsupported(self._PROVIDER, "set the network of a machine up anew")


class WithoutOrderedUpgrades(_Lacking):
    """A provider with `Capabilities.upgrades_are_ordered` False."""

    async def list_plans(self, machine_id: str) -> Sequence[Plan]:
        """Refuse."""
        raise unsupported(self._PROVIDER, "move a machine to another plan")

    async def get_upgrade_order(self, machine_id: str) -> UpgradeOrder | None:
        """Refuse."""
        raise unsupported(self._PROVIDER, "move a machine to another plan")

    async def order_upgrade(self, machine_id: str, choice: PlanChoice) -> None:
        """Refuse."""
        raise unsupported(self._PROVIDER, "move a machine to another plan")

    async def apply_upgrade(self, machine_id: str, *, disk_gb: int | None) -> None:
        """Refuse."""
        raise unsupported(self._PROVIDER, "move a machine to another plan")

    async def confirm_upgrade(self, machine_id: str) -> None:
        """Refuse."""
        raise unsupported(self._PROVIDER, "move a machine to another plan")

    async def revert_upgrade(self, machine_id: str) -> None:
        """Refuse."""
        raise unsupported(self._PROVIDER, "move a machine to another plan")
