"""start, stop, restart, recreate, reinstall, regenerate-networking: what each means for an instance as it is.

Pure: an instance in; out comes the change of its spec with what it costs, or that nothing is to be done, or, as
Trouble, why it cannot be done. The commands in `commands/change` ask, send and wait. What is refused here is what the
operator would leave undone, or the provider refuse: it is said before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import (
    BillingMode,
    ConditionType,
    Management,
    Outcome,
    PowerState,
    ProviderName,
)
from gpuinstance.cli.cluster import INSTANCES
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.goals import Goal, parse, ready_after


@dataclass(frozen=True, slots=True)
class Plan:
    """A change of the spec, and what comes of it."""

    changes: Object
    """Of the spec."""
    doing: str
    """What is under way once it is written."""
    goal: Goal
    """What --wait waits for."""
    consequence: str = ""
    """What it costs, or what is lost."""
    loses_data: bool = False
    """Somebody has to confirm it."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """It is so already, or under way."""

    words: str
    goal: Goal


Answer = Plan | Nothing
_UNTOUCHED = (Reason.INSTANCE_SUSPENDED, Reason.RESIZE_UNCONFIRMED)
"""The operator leaves a machine alone that its provider has frozen, or whose new sizes nobody has confirmed."""


def plan(verb: str, instance: GPUInstance, upgrades: Sequence[InstanceUpgrade], token: str) -> Answer:
    """Return what `verb` means for the instance; `upgrades` are those of the instance, `token` is new.

    Raises Trouble with `Exit.REFUSED`, in words, if it cannot be done as things are.
    """
    _refuse_untouchable(instance, upgrades)
    return _VERBS[verb](instance, token)


def _refuse_untouchable(instance: GPUInstance, upgrades: Sequence[InstanceUpgrade]) -> None:
    metadata, spec = instance.metadata, instance.spec
    if metadata.deletion_timestamp is not None:
        raise _refused(instance, "it is being deleted")
    if spec.suspend:
        raise _refused(instance, "spec.suspend is true, so the operator touches nothing: set it to false first")
    if spec.managed is Management.OBSERVE:
        raise _refused(instance, "its machine is only observed: set spec.management to Full first")
    working = next((it for it in upgrades if it.status.holds_machine), None)
    if working is not None:
        phase, name = working.status.phase, working.metadata.name
        raise _refused(instance, f"upgrade {name} is changing its machine ({phase}): see `kubectl gpu why iup/{name}`")
    ready = instance.status.condition(ConditionType.READY)
    if ready is not None and ready.reason in _UNTOUCHED:
        raise _refused(instance, ready.message)


def _start(instance: GPUInstance, token: str) -> Answer:
    status, ready = instance.status, _goal("Ready")
    reason = _reason(instance)
    if instance.spec.power_state is PowerState.STOPPED:
        return Plan({"powerState": PowerState.RUNNING.value}, "starting", ready, _price_of_running(instance))
    if status.outcome is Outcome.EXITED or reason == Reason.IDLE:
        why = "went down by itself" if status.outcome is Outcome.EXITED else "was stopped because nobody used it"
        doing = f"starting again; the machine {why}"
        changes = {"actions": {"restart": token}}
        return Plan(changes, doing, ready_after("restart", token), _price_of_running(instance))
    if reason == Reason.EXPIRED:
        raise _refused(instance, "its time is over: raise or remove spec.expiry.ttl to run it longer")
    if reason == Reason.INSTANCE_LOST:
        raise _refused(
            instance, f"its machine no longer exists: `kubectl gpu recreate {instance.metadata.name}` buys another"
        )
    if status.outcome is Outcome.FAILED:
        way_out = f"see `kubectl gpu why {instance.metadata.name}`"
        raise _refused(instance, f"it is to run already, and has failed: {_message(instance)}; {way_out}")
    if status.outcome is Outcome.READY:
        return Nothing("is running already", ready)
    return Nothing(f"is on its way already ({status.phase or 'not looked at yet'})", ready)


def _stop(instance: GPUInstance, _: str) -> Answer:
    stopped = _goal("Stopped")
    if instance.spec.power_state is PowerState.STOPPED:
        down = instance.status.outcome is Outcome.STOPPED
        return Nothing("is stopped already" if down else "is being stopped already", stopped)
    if instance.spec.provider is ProviderName.HOSTWINDS:
        consequence = "Hostwinds bills a stopped server as before"
    else:
        consequence = "its GPUs are no longer billed, what is kept of it is; the provider may sell the GPUs meanwhile"
    return Plan({"powerState": PowerState.STOPPED.value}, "stopping", stopped, consequence)


def _restart(instance: GPUInstance, token: str) -> Answer:
    _refuse_without_machine(instance)
    return _by_token(instance, "restart", token, "restarting", "what runs on it ends; its disk is kept")


def _recreate(instance: GPUInstance, token: str) -> Answer:
    _refuse_without_machine(instance, lost_is_fine=True)
    machine = instance.status.instance
    named = f"machine {machine.id}" if machine and machine.id else "its machine"
    if instance.spec.provider is ProviderName.HOSTWINDS:
        consequence = f"{named} is rebuilt in place: everything on its disk is LOST, and it may get another address"
        return _by_token(instance, "recreate", token, "rebuilding", consequence, loses_data=True)
    if machine is not None and machine.billing_mode is BillingMode.MONTHLY:
        raise _refused(instance, f"{named} is paid for a term, and the provider does not delete it before its end")
    price = f" (the old one cost ${machine.hourly_price}/h)" if machine and machine.hourly_price else ""
    limit = instance.spec.billing.max_hourly_price
    cap = f", at most ${limit}/h" if limit is not None else ""
    consequence = (
        f"{named} is removed with everything on it, which is LOST, and another is bought at today's price{cap}{price}"
    )
    return _by_token(instance, "recreate", token, "replacing its machine", consequence, loses_data=True)


def _reinstall(instance: GPUInstance, token: str) -> Answer:
    _refuse_elsewhere(instance, "reinstall")
    _refuse_without_machine(instance)
    template = instance.spec.template_id
    if template is None:
        raise _refused(instance, "it has no spec.templateID to install")
    consequence = f"template {template} is installed: everything on the machine's disk is LOST"
    return _by_token(instance, "reinstall", token, "reinstalling", consequence, loses_data=True)


def _regenerate_networking(instance: GPUInstance, token: str) -> Answer:
    _refuse_elsewhere(instance, "regenerate-networking")
    _refuse_without_machine(instance)
    consequence = "the machine restarts, and may be reached at another address"
    return _by_token(instance, "regenerateNetworking", token, "setting its network up anew", consequence)


_VERBS: Mapping[str, Callable[[GPUInstance, str], Answer]] = {
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "recreate": _recreate,
    "reinstall": _reinstall,
    "regenerate-networking": _regenerate_networking,
}


def _by_token(
    instance: GPUInstance, action: str, token: str, doing: str, consequence: str, *, loses_data: bool = False
) -> Answer:
    field = "regenerate_networking" if action == "regenerateNetworking" else action
    asked: str | None = getattr(instance.spec.actions, field)
    if asked is not None and asked != getattr(instance.status.handled_actions, field):
        return Nothing(f"is asked for that already (token {asked})", ready_after(field, asked))
    goal = ready_after(field, token)
    return Plan({"actions": {action: token}}, doing, goal, consequence, loses_data=loses_data)


def _refuse_without_machine(instance: GPUInstance, *, lost_is_fine: bool = False) -> None:
    name = instance.metadata.name
    if instance.spec.power_state is PowerState.STOPPED:
        raise _refused(instance, f"it is stopped, as spec.powerState asks: `kubectl gpu start {name}` first")
    if instance.status.instance is None or instance.status.instance.id is None:
        raise _refused(instance, f"it has no machine yet: {_message(instance) or 'it was not looked at yet'}")
    if _reason(instance) == Reason.INSTANCE_LOST and not lost_is_fine:
        raise _refused(instance, f"its machine no longer exists: `kubectl gpu recreate {name}` buys another")


def _refuse_elsewhere(instance: GPUInstance, verb: str) -> None:
    if instance.spec.provider is not ProviderName.HOSTWINDS:
        raise _refused(instance, f"{verb} is possible at Hostwinds only, and it is at {instance.spec.provider}")


def _price_of_running(instance: GPUInstance) -> str:
    machine = instance.status.instance
    if machine is None:
        limit = instance.spec.billing.max_hourly_price
        return "a machine is bought at today's price" + (f", at most ${limit}/h" if limit is not None else "")
    return f"it costs ${machine.hourly_price}/h while it runs" if machine.hourly_price else ""


def _goal(word: str) -> Goal:
    return parse(word, INSTANCES)[0]


def _reason(instance: GPUInstance) -> str:
    ready = instance.status.condition(ConditionType.READY)
    return ready.reason if ready is not None else ""


def _message(instance: GPUInstance) -> str:
    ready = instance.status.condition(ConditionType.READY)
    return ready.message if ready is not None else ""


def _refused(instance: GPUInstance, why: str) -> Trouble:
    return Trouble(f"{instance.metadata.name}: {why}", Exit.REFUSED)
