"""Performs one action at the provider and names what became of it.

Called by `reconcile`, at most once a pass, after the intent was saved. Nothing is retried here: what
an error means for the status is said by `core.record`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from gpuinstance.core.decision import (
    Action,
    ApplyUpgrade,
    ChangeSoftware,
    ConfirmUpgrade,
    Create,
    Delete,
    GrowDisk,
    OrderUpgrade,
    Rebuild,
    RegenerateNetworking,
    Reinstall,
    Restart,
    RevertUpgrade,
    SetPorts,
    Start,
    Stop,
    SwitchToMonthly,
)
from gpuinstance.core.record import Accepted, Answer, Outdated, Refused, Unclear
from gpuinstance.providers import base

if TYPE_CHECKING:
    from gpuinstance.providers.base import Provider


async def act(provider: Provider, action: Action) -> Answer:
    """Perform the action. Raises nothing that a provider can cause."""
    try:
        return Accepted(await _call(provider, action))
    except base.UnknownOutcome as error:
        return Unclear(error.message)
    except base.NotFound as error:
        if isinstance(action, Delete):
            return Accepted()  # What is to be removed is gone already; the next look confirms it.
        if isinstance(action, Create):
            return Refused(error.reason, error.message, needs_person=True)
        return Outdated(error.message)
    except base.WrongState as error:
        return Outdated(error.message)
    except (base.RateLimited, base.CircuitOpen) as error:
        pause = timedelta(seconds=error.retry_after) if error.retry_after is not None else None
        return Refused(error.reason, error.message, needs_person=False, retry_after=pause)
    except (base.Unauthorized, base.Rejected) as error:
        return Refused(error.reason, error.message, needs_person=True)
    except base.ProviderError as error:
        return Refused(error.reason, error.message, needs_person=False)


async def _call(provider: Provider, action: Action) -> str | None:  # noqa: C901, PLR0912 - one plain line for each action
    match action:
        case Create(order):
            return await provider.create(order)
        case Start(machine_id):
            await provider.start(machine_id)
        case Stop(machine_id):
            await provider.stop(machine_id)
        case Restart(machine_id):
            await provider.restart(machine_id)
        case Delete(machine_id):
            await provider.delete(machine_id)
        case SetPorts(machine_id, ports):
            await provider.set_ports(machine_id, ports)
        case GrowDisk(machine_id, from_gb, to_gb):
            await provider.grow_disk(machine_id, from_gb=from_gb, to_gb=to_gb)
        case ChangeSoftware(machine_id, software, keep_data):
            await provider.change_software(machine_id, software, keep_data=keep_data)
        case Rebuild(machine_id):
            await provider.rebuild(machine_id)
        case Reinstall(machine_id, template_id):
            await provider.reinstall(machine_id, template_id)
        case RegenerateNetworking(machine_id):
            await provider.regenerate_networking(machine_id)
        case SwitchToMonthly(machine_id, months):
            await provider.switch_to_monthly(machine_id, months)
        case OrderUpgrade(machine_id, choice):
            await provider.order_upgrade(machine_id, choice)
        case ApplyUpgrade(machine_id, disk_gb):
            await provider.apply_upgrade(machine_id, disk_gb=disk_gb)
        case ConfirmUpgrade(machine_id):
            await provider.confirm_upgrade(machine_id)
        case RevertUpgrade(machine_id):
            await provider.revert_upgrade(machine_id)
        case _:
            assert_never(action)
    return None
