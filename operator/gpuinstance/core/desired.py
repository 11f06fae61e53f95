"""What the spec asks for, in forms that can be compared with what was brought about.

`status.applied` keeps what the operator last brought about. Spec against applied is a change to
carry out; applied against the machine is drift: somebody else's doing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from gpuinstance.api.parts import Product
from gpuinstance.api.spec import DEFAULT_ROOTFS_GB, GPUInstanceSpec
from gpuinstance.api.status import AppliedStatus, InstanceStatus
from gpuinstance.api.words import PortProtocol, PowerState
from gpuinstance.core.images import same_image
from gpuinstance.core.model import Machine, MachineState, Port
from gpuinstance.core.snapshot import Snapshot


def format_ports(ports: Iterable[tuple[int, PortProtocol]]) -> str:
    """Return e.g. `22/tcp,80/http`, sorted."""
    return ",".join(f"{number}/{protocol}" for number, protocol in sorted(ports))


def parse_ports(text: str) -> tuple[Port, ...]:
    """Return the ports of a text made by `format_ports`."""
    pairs = [part.split("/") for part in text.split(",") if part]
    return tuple(Port(int(number), PortProtocol(protocol)) for number, protocol in pairs)


def wanted_ports(spec: GPUInstanceSpec) -> str | None:
    """Return the ports that the spec names itself; None where they are the template's."""
    if spec.ports is None and spec.template_id is not None:
        return None
    return format_ports((p.port, p.protocol) for p in spec.ports or ())


def asked_ports(s: Snapshot) -> str | None:
    """Return the ports that should be reachable; None where they are those of a template that was expanded."""
    if s.limits.publishes_ports:
        return wanted_ports(s.spec)
    return format_ports((p.port, p.protocol) for p in s.spec.ports or ())


def published_ports(applied: AppliedStatus) -> str | None:
    """Return the ports that the machine should publish: the spec's, or what an upgrade made of them."""
    return applied.upgraded_ports if applied.upgraded_ports is not None else applied.ports


def shown_ports(machine: Machine) -> str:
    """Return the ports that the provider shows."""
    return format_ports((p.number, p.protocol) for p in machine.ports)


def software_fingerprint(spec: GPUInstanceSpec) -> str:
    """Return a digest of what the spec says about the software.

    References to Secrets count, their values do not: a digest of a secret in the status could be
    guessed. A changed Secret therefore takes effect with the next create or change.
    """
    env = [variable.model_dump(mode="json") for variable in spec.env or ()]
    volumes = [volume.model_dump(mode="json") for volume in spec.network_volumes or ()]
    return _digest(spec.image, spec.template_id, spec.registry_auth_id, spec.command, spec.entrypoint, env, volumes)


def hardware_fingerprint(spec: GPUInstanceSpec) -> str:
    """Return a digest of what can only be chosen when a machine is bought."""
    product = spec.product.model_dump(mode="json")
    parts = [product, spec.gpu_count, spec.billing.mode, spec.billing.months, spec.min_cuda_version]
    if spec.hostwinds is not None:
        parts += [spec.hostwinds.location_id, spec.hostwinds.billing_cycle]
    return _digest(*parts)


def terms_fingerprint(spec: GPUInstanceSpec) -> str | None:
    """Return a digest of what not even an upgrade can change; None where a machine is simply replaced."""
    if spec.hostwinds is None:
        return None
    return _digest(spec.hostwinds.location_id, spec.hostwinds.billing_cycle)


def is_of_product(machine: Machine, product: Product, recorded: InstanceStatus | None = None) -> bool:
    """True if the machine is shown, or `recorded`, as one of that product."""
    if product.id is not None:
        return product.id in {machine.product_id, recorded.product_id if recorded else None}
    names = {machine.product_name, recorded.product_name or "" if recorded else ""}
    return (product.name or "").strip().lower() in {name.strip().lower() for name in names if name}


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def applied_by_purchase(spec: GPUInstanceSpec, *, ports: str, rootfs_gb: int) -> AppliedStatus:
    """Return what a purchase by this spec brings about; 0 GB where the product alone says the size."""
    return AppliedStatus(
        power_state=PowerState.RUNNING,
        ports=ports,
        rootfs_size_gb=rootfs_gb or None,
        software=software_fingerprint(spec),
        hardware=hardware_fingerprint(spec),
        terms=terms_fingerprint(spec),
    )


def applied_as_found(s: Snapshot, machine: Machine) -> AppliedStatus:
    """Return what is taken as applied for a machine that is found again without a record of it.

    Its name proves that it was bought for this object; what cannot be seen is taken as the spec
    says, because the spec is the only other witness.
    """
    spec = s.spec
    usual = DEFAULT_ROOTFS_GB if spec.hostwinds is None else None
    return AppliedStatus(
        ports=shown_ports(machine) if s.limits.publishes_ports else asked_ports(s),
        rootfs_size_gb=machine.rootfs_gb or spec.rootfs_size_gb or usual,
        software=software_fingerprint(spec),
        hardware=hardware_fingerprint(spec),
        terms=terms_fingerprint(spec),
    )


def other_hardware(spec: GPUInstanceSpec, machine: Machine) -> list[tuple[str, str, str]]:
    """Return what the spec says of the hardware and the machine shows otherwise: field, wanted, found.

    What a provider does not show is taken as the spec says.
    """
    product = spec.product
    shown = machine.product_id if product.id is not None else machine.product_name
    found = []
    if shown and not is_of_product(machine, product):
        found.append(("product", product.id or product.name or "", shown))
    if machine.gpu_count is not None and machine.gpu_count != spec.gpu_count:
        found.append(("gpuCount", str(spec.gpu_count), str(machine.gpu_count)))
    if machine.billing_mode is not None and machine.billing_mode is not spec.billing.mode:
        found.append(("billing.mode", spec.billing.mode, machine.billing_mode))
    return found


FOUND_OTHERWISE = "found"
"""Stands for a fingerprint where the machine is known not to be as the spec says: no spec has it."""


def applied_by_others(s: Snapshot, machine: Machine, before: AppliedStatus) -> AppliedStatus:
    """Return what is applied on a machine that somebody else has bought or changed: what shows, as far as it shows.

    What is known to differ from the spec counts as a change to be applied; what does not show is as `before`.
    """
    spec, changes = s.spec, dict[str, object]()
    if machine.state in _POWER:
        changes["power_state"] = _POWER[machine.state]
    if not s.limits.publishes_ports:
        changes["ports"] = asked_ports(s)
    elif machine.ports or machine.state is MachineState.RUNNING:  # one that is down may show none
        changes["ports"] = shown_ports(machine)
    changes["rootfs_size_gb"] = machine.rootfs_gb or before.rootfs_size_gb
    hardware, software = hardware_fingerprint(spec), software_fingerprint(spec)
    changes["hardware"] = _as_shown(before.hardware, hardware, differs=bool(other_hardware(spec, machine)))
    if spec.image is not None and machine.image:
        differs = not same_image(machine.image, spec.image)
        changes["software"] = _as_shown(before.software, software, differs=differs)
    return before.model_copy(update=changes)


_POWER = {MachineState.RUNNING: PowerState.RUNNING, MachineState.STOPPED: PowerState.STOPPED}


def _as_shown(before: str | None, by_spec: str, *, differs: bool) -> str | None:
    """Return the fingerprint of a part of the machine; one of another spec is a change to be applied anyway."""
    if differs:
        return FOUND_OTHERWISE if before in (by_spec, None) else before
    return by_spec if before == FOUND_OTHERWISE else before


def applied_by_change(applied: AppliedStatus, target: str) -> AppliedStatus:
    """Return what is applied after a change; `target` is its operation's token, e.g. `disk:100`."""
    kind, _, value = target.partition(":")
    if kind == "software":
        return applied.model_copy(update={"software": value})
    if kind == "ports":
        return applied.model_copy(update={"ports": value, "upgraded_ports": None})
    if kind == "disk":
        return applied.model_copy(update={"rootfs_size_gb": int(value)})
    return applied


def applied_matches(s: Snapshot) -> bool:
    """True if everything that the spec says about the machine itself has been brought about."""
    applied, spec = s.status.applied, s.spec
    ports = asked_ports(s)
    return (
        applied.hardware == hardware_fingerprint(spec)
        and applied.software == software_fingerprint(spec)
        and (ports is None or ports == applied.ports)
        and (spec.rootfs_size_gb or 0) <= (applied.rootfs_size_gb or 0)
    )
