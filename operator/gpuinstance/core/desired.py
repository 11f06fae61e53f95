"""What the spec asks for, in forms that can be compared with what was brought about.

`status.applied` keeps what the operator last brought about. Spec against applied is a change to
carry out; applied against the machine is drift: somebody else's doing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from gpuinstance.api.spec import DEFAULT_ROOTFS_GB, GPUInstanceSpec
from gpuinstance.api.status import AppliedStatus
from gpuinstance.api.words import PortProtocol, PowerState
from gpuinstance.core.model import Machine, Port
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
    return _digest(product, spec.gpu_count, spec.billing.mode, spec.billing.months, spec.min_cuda_version)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def applied_by_purchase(spec: GPUInstanceSpec, *, ports: str, rootfs_gb: int) -> AppliedStatus:
    """Return what a purchase by this spec brings about."""
    return AppliedStatus(
        power_state=PowerState.RUNNING,
        ports=ports,
        rootfs_size_gb=rootfs_gb,
        software=software_fingerprint(spec),
        hardware=hardware_fingerprint(spec),
    )


def applied_as_found(spec: GPUInstanceSpec, machine: Machine) -> AppliedStatus:
    """Return what is taken as applied for a machine that is found again without a record of it.

    Its name proves that it was bought for this object; what cannot be seen is taken as the spec
    says, because the spec is the only other witness.
    """
    return AppliedStatus(
        ports=shown_ports(machine),
        rootfs_size_gb=machine.rootfs_gb or spec.rootfs_size_gb or DEFAULT_ROOTFS_GB,
        software=software_fingerprint(spec),
        hardware=hardware_fingerprint(spec),
    )


def applied_by_change(applied: AppliedStatus, target: str) -> AppliedStatus:
    """Return what is applied after a change; `target` is its operation's token, e.g. `disk:100`."""
    kind, _, value = target.partition(":")
    if kind == "software":
        return applied.model_copy(update={"software": value})
    if kind == "ports":
        return applied.model_copy(update={"ports": value})
    if kind == "disk":
        return applied.model_copy(update={"rootfs_size_gb": int(value)})
    return applied


def applied_matches(s: Snapshot) -> bool:
    """True if everything that the spec says about the machine itself has been brought about."""
    applied, spec = s.status.applied, s.spec
    ports = wanted_ports(spec)
    return (
        applied.hardware == hardware_fingerprint(spec)
        and applied.software == software_fingerprint(spec)
        and (ports is None or ports == applied.ports)
        and (spec.rootfs_size_gb or 0) <= (applied.rootfs_size_gb or 0)
    )
