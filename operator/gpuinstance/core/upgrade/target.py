"""What the machine is, what it is to become, and whether it has become that.

The words of the spec are made comparable here with what a provider shows. Nothing is decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade import InstanceUpgradeSpec, PlanTarget, Target
from gpuinstance.api.upgrade_status import MachineShape
from gpuinstance.api.words import BillingCycle, BillingMode, PortProtocol
from gpuinstance.core.desired import format_ports, parse_ports
from gpuinstance.core.model import Machine, MachineState, Plan, PlanChoice, Port, Sizes


@dataclass(frozen=True, slots=True)
class Impossible:
    """Why the target can never be reached."""

    reason: Reason
    message: str


def shape_of(machine: Machine) -> MachineShape:
    """Return what the provider shows of a machine, as it is kept in a status."""
    sizes = machine.sizes
    return MachineShape(
        product_id=machine.product_id or None,
        product_name=machine.product_name or None,
        ram_mb=sizes.ram_mb if sizes else None,
        cpu=sizes.cpu if sizes else None,
        disk_gb=sizes.disk_gb if sizes else None,
        image=machine.image or None,
        ports=format_ports((p.number, p.protocol) for p in machine.ports) or None,
        rootfs_size_gb=machine.rootfs_gb,
        billing_mode=machine.billing_mode,
        started_at=machine.started_at,
    )


def plan_of(target: PlanTarget, plans: Sequence[Plan], before: Sizes | None) -> MachineShape | Impossible:
    """Return the plan that is meant: by its id, or the first one on sale with the sizes that are given."""
    if target.id is not None:
        chosen = next((plan for plan in plans if plan.id == target.id), None)
    else:
        chosen = next((plan for plan in plans if _fits(target, plan.sizes, before)), None)
    if chosen is None:
        on_sale = "; ".join(f"{plan.id}: {plan.name} ({plan.sizes})" for plan in plans[:20])
        what = f"with id {target.id}" if target.id is not None else "with these sizes"
        return Impossible(
            Reason.PLAN_NOT_FOUND, f"the provider sells no plan {what}; it sells {on_sale or 'nothing to this machine'}"
        )
    return MachineShape(
        product_id=chosen.id,
        product_name=chosen.name,
        ram_mb=target.ram or chosen.sizes.ram_mb or None,
        cpu=target.cpu or chosen.sizes.cpu or None,
        disk_gb=target.disk or chosen.sizes.disk_gb or None,
    )


def _fits(target: PlanTarget, sizes: Sizes, before: Sizes | None) -> bool:
    """True if a plan has every size that is given, and takes away none that is not."""
    pairs = (
        (target.ram, sizes.ram_mb, before.ram_mb if before else 0),
        (target.cpu, sizes.cpu, before.cpu if before else 0),
        (target.disk, sizes.disk_gb, before.disk_gb if before else 0),
    )
    return all(size == wanted if wanted is not None else size >= now for wanted, size, now in pairs)


def choice_of(target: PlanTarget, resolved: MachineShape) -> PlanChoice:
    """Return what is ordered: sizes are named only for a custom plan, by id and sizes together."""
    if target.id is None:
        return PlanChoice(resolved.product_id or "")
    return PlanChoice(target.id, target.ram, target.cpu, target.disk, target.bandwidth)


def price_step(plans: Sequence[Plan], chosen_id: str | None, cycle: BillingCycle) -> Decimal | None:
    """Return what the new plan costs more than the current one in a cycle, negative for one that costs less; None
    where it cannot be told.
    """
    chosen = next((plan for plan in plans if plan.id == chosen_id), None)
    price = dict(chosen.cycle_prices).get(cycle) if chosen is not None else None
    if price is None:
        return None
    current = next((plan for plan in plans if plan.is_current), None)
    now = dict(current.cycle_prices).get(cycle) if current is not None else None
    return price - (now or Decimal(0))


def direct_shape(spec: InstanceUpgradeSpec, machine: Machine) -> MachineShape:
    """Return what a directly applied change makes of the machine."""
    target = spec.target
    if target.image is not None:
        return MachineShape(image=target.image.image)
    if target.rootfs_expand_gb is not None:
        return MachineShape(rootfs_size_gb=(machine.rootfs_gb or 0) + target.rootfs_expand_gb)
    if target.ports is not None:
        return MachineShape(ports=ports_of(target))
    return MachineShape(billing_mode=BillingMode.MONTHLY)


def summary_of(target: Target, resolved: MachineShape | None) -> str:
    """Return in a few words what a machine is to become; a plan by its name, once it is known what is sold."""
    if target.plan is not None:
        return (resolved.product_name if resolved is not None else None) or _plan_in_words(target.plan)
    if target.image is not None:
        return f"image {target.image.image}"
    if target.rootfs_expand_gb is not None:
        return f"root disk +{target.rootfs_expand_gb} GB"
    if target.billing is not None:
        return f"billed monthly, {target.billing.months} month{'s' if target.billing.months != 1 else ''}"
    return f"ports {ports_of(target)}" if target.ports else "no ports"


def _plan_in_words(plan: PlanTarget) -> str:
    sizes = [(plan.ram, "MB RAM"), (plan.cpu, "CPU"), (plan.disk, "GB disk")]
    told = ", ".join(f"{size} {unit}" for size, unit in sizes if size is not None)
    return " ".join(["plan", *([plan.id] if plan.id is not None else []), *([f"with {told}"] if told else [])])


def ports_of(target: Target) -> str:
    """Return the target's ports, sorted, as `22/tcp,80/http`."""
    return format_ports((p.port, p.protocol) for p in target.ports or ())


def wanted_ports_of(shape: MachineShape) -> tuple[Port, ...]:
    """Return the ports of a shape."""
    return parse_ports(shape.ports or "")


def is_resized_to(machine: Machine, shape: MachineShape | None, before: MachineShape | None) -> bool:
    """True if the machine shows the sizes of a shape; where its sizes do not tell, its plan must.

    `before` is what was known of the machine: a size that it showed then, and does not show now, tells nothing,
    rather than that all is well.
    """
    if shape is None or before is None:
        return False
    sizes = machine.sizes
    told = [
        (wanted, shown)
        for wanted, known, shown in (
            (shape.ram_mb, before.ram_mb, sizes.ram_mb if sizes else None),
            (shape.cpu, before.cpu, sizes.cpu if sizes else None),
            (shape.disk_gb, before.disk_gb, sizes.disk_gb if sizes else None),
        )
        if wanted and known
    ]
    if told:
        return all(wanted == shown for wanted, shown in told)
    return bool(shape.product_id) and shape.product_id == machine.product_id


def runs_as(machine: Machine, shape: MachineShape | None, before: MachineShape | None) -> bool:
    """True if the machine runs, at rest, with the sizes of a shape; `before` as in `is_resized_to`."""
    return machine.state is MachineState.RUNNING and is_resized_to(machine, shape, before)


def is_as_before(machine: Machine, before: MachineShape) -> bool:
    """True if the machine shows no other size than it did; what it does not show has not changed."""
    sizes = machine.sizes
    if sizes is None:
        return True
    pairs = ((before.ram_mb, sizes.ram_mb), (before.cpu, sizes.cpu), (before.disk_gb, sizes.disk_gb))
    return all(was == now for was, now in pairs if was and now)


def is_on_plan(machine: Machine, target: PlanTarget, chosen_id: str | None, plans: Sequence[Plan]) -> bool:
    """True if a machine that has the sizes of a target has its plan as well, as far as anybody can tell."""
    if target.id is None:
        return True
    if target.bandwidth is not None:
        return False
    current = {plan.id for plan in plans if plan.is_current} or {machine.product_id}
    return chosen_id in current


def has_changed_to(machine: Machine, shape: MachineShape, before: MachineShape, *, restarted: bool) -> bool:
    """True if a directly applied change shows on the machine."""
    if machine.state is not MachineState.RUNNING:
        return False
    if shape.image is not None:
        return restarted and machine.image in ("", shape.image)
    if shape.rootfs_size_gb is not None:
        return (machine.rootfs_gb or 0) >= shape.rootfs_size_gb
    if shape.billing_mode is not None:
        return machine.billing_mode is shape.billing_mode
    shown = {(p.number, p.protocol) for p in machine.ports}
    wanted = {(p.number, p.protocol) for p in wanted_ports_of(shape)}
    gone = {(p.number, p.protocol) for p in parse_ports(before.ports or "")} - wanted
    # The provider may publish ports of its own beside ours; only those that were there before must go.
    return wanted <= shown and not (gone & shown - _OWN_PORTS)


_OWN_PORTS = {(number, protocol) for number in (2222, 2223, 2224) for protocol in PortProtocol}
"""Ports that Novita keeps for tools of its own."""
