"""What people do in the provider's web console, behind the back of every API client.

Used by the admin API and by faults: foreign interference to be noticed, never undone blindly. Each
verb is an accepted change like any other and enters the ledger with the actor `console`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import Machine, SpotStatus

_TRANSITIONS = {
    "start": Operation.START,
    "stop": Operation.STOP,
    "restart": Operation.RESTART,
    "migrate": Operation.MIGRATE,
    "exit": Operation.EXIT,
    "freeze": Operation.FREEZE,
    "unfreeze": Operation.UNFREEZE,
    "suspend": Operation.FREEZE,
    "unsuspend": Operation.UNFREEZE,
}


class ConsoleAction(BaseModel):
    """One verb for one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal[
        "start",
        "stop",
        "restart",
        "migrate",
        "exit",
        "freeze",
        "unfreeze",
        "delete",
        "rename",
        "reclaim",
        "fail",
        "suspend",
        "unsuspend",
        "lock",
        "unlock",
        "order",
        "cancel_order",
        "pay",
        "apply",
        "confirm",
        "revert",
    ]
    """`exit`: the container ends by itself; `freeze`, or `suspend`: the provider blocks the machine;
    `reclaim`: a spot machine is announced to be taken back; `fail`: an error appears on it, and it stops
    working where the provider has a state for that. From `lock` on: only at providers that have it;
    `order` and what follows it are the steps of a paid upgrade."""
    name: str = Field(default="", max_length=255)
    """For `rename`."""
    plan: str = ""
    """For `order`: the id of the product to change to."""
    message: str = "out of memory"
    """For `fail`."""
    state: str = "error"
    """For `fail`: the provider's error state."""
    notice: float | None = Field(default=None, ge=0)
    """For `reclaim`: virtual seconds from announcement to start; None: as the settings say."""


def act(cloud: Cloud, machine_id: str, action: ConsoleAction) -> Machine:
    """Do it. Raises CloudError as the API would: unknown machine, wrong state, no stock."""
    if action.action in _TRANSITIONS:
        return cloud.transit(_TRANSITIONS[action.action], machine_id, actor=Actor.CONSOLE)
    if action.action == "delete":
        return cloud.delete(machine_id, actor=Actor.CONSOLE)
    machine, engine = cloud.machine(machine_id), cloud.engine
    now = engine.now()
    if action.action == "rename":
        machine.name = action.name
        operation = Operation.RENAME
    elif action.action == "fail":
        operation = Operation.FAIL
        if operation in engine.lifecycle.transitions:
            cloud.transit(operation, machine_id, actor=Actor.CONSOLE)
            machine.error = (action.state, action.message)
            return machine
        machine.error = (action.state, action.message)
    elif action.action != "reclaim":
        _do_as_this_provider_does(cloud, machine, action)
        return machine
    else:
        if machine.spot_status is SpotStatus.NONE or machine.up_since is None:
            raise CloudError(Refusal.WRONG_STATE, "only a running spot machine can be reclaimed")
        notice = cloud.settings.spot_notice if action.notice is None else action.notice
        engine.schedule_reclaim(machine, now, notice)
        operation = Operation.RECLAIM
    engine.record(operation, Actor.CONSOLE, machine, now)
    return machine


def _do_as_this_provider_does(cloud: Cloud, machine: Machine, action: ConsoleAction) -> None:
    verb = cloud.console_verbs.get(action.action)
    if verb is None:
        raise CloudError(Refusal.WRONG_STATE, f"{action.action} does not exist at this provider")
    verb(machine, action.plan)
