"""From options to the manifest of an InstanceUpgrade, and what it will do, in words. Pure.

What the provider of the instance cannot do is refused before anything is written; what only the provider knows
(whether the plan exists, what it costs) is the operator's to find out.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.upgrade_words import Confirmation, VerifyFailurePolicy
from gpuinstance.api.v1alpha1 import GROUP, VERSION, GPUInstance
from gpuinstance.api.words import Management, PortProtocol, ProviderName
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import Exit, Trouble

_PLAN_FIELDS = ("ram", "cpu", "disk", "bandwidth")
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Draft:
    """An InstanceUpgrade that is not created yet."""

    manifest: Object
    consequence: str
    needs_word: bool = False
    """Something is lost or paid that cannot be undone: somebody has to confirm it."""


def draft(instance: GPUInstance, options: Namespace, now: datetime) -> Draft:
    """Return the upgrade that the options ask for. Raises Trouble."""
    _refuse_untouchable(instance)
    given = [name for name in _TARGETS if getattr(options, name) is not None]
    if len(given) != 1:
        raise Trouble("exactly one of --plan, --image, --rootfs-expand, --ports and --monthly is needed", Exit.USAGE)
    provider, make = _TARGETS[given[0]]
    if instance.spec.provider is not provider:
        flag = f"--{given[0].replace('_', '-')}"
        words = f"{instance.metadata.name}: {flag} is for {provider}, and it is at {instance.spec.provider}"
        raise Trouble(words, Exit.REFUSED)
    target, consequence, needs_word = make(instance, options)
    name = options.name or f"{instance.metadata.name}-{now:%Y%m%d-%H%M%S}"[-_LONGEST_NAME:].lstrip("-.")
    manifest = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": UPGRADE_KIND,
        "metadata": {"name": name, "namespace": instance.metadata.namespace},
        "spec": {"instanceRef": {"name": instance.metadata.name}, "target": target, **_limits(options)},
    }
    return Draft(manifest, consequence, needs_word)


def _refuse_untouchable(instance: GPUInstance) -> None:
    name = instance.metadata.name
    if instance.metadata.deletion_timestamp is not None:
        raise Trouble(f"{name}: it is being deleted", Exit.REFUSED)
    if instance.spec.managed is Management.OBSERVE:
        words = f"{name}: its machine is only observed, and so not upgraded: set spec.management to Full first"
        raise Trouble(words, Exit.REFUSED)


def _limits(options: Namespace) -> Object:
    """Return what of the spec limits the payment, and says who confirms."""
    payment = {"maxTotal": options.max_total, "timeout": options.payment_timeout}
    spec: Object = {
        "payment": {key: value for key, value in payment.items() if value is not None} or None,
        "confirmation": Confirmation.MANUAL.value if options.manual_confirm else None,
        "onVerifyFailure": VerifyFailurePolicy.HOLD.value if options.hold else None,
        "ttlAfterFinished": options.ttl,
    }
    return {key: value for key, value in spec.items() if value is not None}


_Made = tuple[Object, str, bool]


def _plan(_: GPUInstance, options: Namespace) -> _Made:
    plan = plan_of(options.plan)
    words = "a plan is ordered, which makes an invoice; nothing is changed before that is paid"
    return {"plan": plan}, words, False


def _image(instance: GPUInstance, options: Namespace) -> _Made:
    """Only the image changes: the provider is sent all of it anew, so the rest is taken from the instance."""
    spec = instance.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    kept: Object = {key: spec[key] for key in ("registryAuthID", "command", "entrypoint", "env") if key in spec}
    target: Object = {**kept, "image": options.image, "keepData": not options.discard_data}
    if options.discard_data:
        return {"image": target}, "the machine is reset, and everything on its root disk is LOST", True
    return {"image": target}, "the machine is reset to the image, and restarts; its root disk keeps its data", False


def _rootfs_expand(_: GPUInstance, options: Namespace) -> _Made:
    words = f"the root disk grows by {options.rootfs_expand} GB, is billed so, and cannot shrink again"
    return {"rootfsExpandGB": options.rootfs_expand}, words, False


def _ports(_: GPUInstance, options: Namespace) -> _Made:
    return {"ports": ports_of(options.ports)}, "these ports are published instead of those before", False


def _monthly(_: GPUInstance, options: Namespace) -> _Made:
    term = f"{options.monthly} month" + ("s" if options.monthly > 1 else "")
    words = f"{term} are PAID AHEAD at once; there is no way back, and the machine cannot be deleted before the end"
    return {"billing": {"mode": "Monthly", "months": options.monthly}}, words, True


_TARGETS: Mapping[str, tuple[ProviderName, Callable[[GPUInstance, Namespace], _Made]]] = {
    "plan": (ProviderName.HOSTWINDS, _plan),
    "image": (ProviderName.NOVITA, _image),
    "rootfs_expand": (ProviderName.NOVITA, _rootfs_expand),
    "ports": (ProviderName.NOVITA, _ports),
    "monthly": (ProviderName.NOVITA, _monthly),
}
"""By option: who can do it, and how it is said in the manifest."""


def plan_of(text: str) -> Object:
    """Return a plan from its id, `403`, or its sizes, `ram=4096,cpu=2,disk=100`, or both. Raises Trouble."""
    plan: Object = {}
    for part in text.split(","):
        key, equals, value = part.strip().partition("=")
        if not equals and key and "id" not in plan:
            plan["id"] = key
        elif key == "id" and value and "id" not in plan:
            plan["id"] = value
        elif key in _PLAN_FIELDS and value.isdigit() and key not in plan:
            plan[key] = int(value)
        else:
            words = f'--plan "{text}": neither an id nor sizes such as ram=4096,cpu=2,disk=100 (MB, cores, GB)'
            raise Trouble(words, Exit.USAGE)
    return plan


def ports_of(text: str) -> list[Object]:
    """Return ports from `80,22/tcp,8080/http`. Raises Trouble."""
    ports: list[Object] = []
    for part in text.split(","):
        number, _, protocol = part.strip().partition("/")
        if not number.isdigit() or (protocol or PortProtocol.HTTP) not in set(PortProtocol):
            raise Trouble(f'--ports "{text}": not a list such as 80/http,22/tcp', Exit.USAGE)
        ports.append({"port": int(number), "protocol": protocol or PortProtocol.HTTP.value})
    return ports
