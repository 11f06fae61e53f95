"""`kubectl gpu why iup/NAME`: one screen that answers how far an upgrade is, what it waits for, and what to do.

Everything on it comes from the object. Pure but for the screen: the moment is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition
from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus, MachineShape
from gpuinstance.api.upgrade_words import UpgradeCondition, UpgradeOutcome
from gpuinstance.api.words import ConditionStatus
from gpuinstance.cli.screen import Row, Screen, Style, Text, ago, span
from gpuinstance.cli.upgrade_hints import hint_of

_TROUBLES = (UpgradeCondition.RECONCILING, UpgradeCondition.STALLED, UpgradeCondition.ACTION_REQUIRED)


def show_why_upgrade(upgrade: InstanceUpgrade, screen: Screen, now: datetime) -> None:
    """Print the screen."""
    _headline(upgrade, screen, now)
    _change(upgrade, screen)
    _steps(upgrade.status, screen)
    _invoice(upgrade.status, screen, now)
    _trouble(upgrade.status, screen, now)
    _conditions(upgrade.status, screen, now)
    _advice(upgrade, screen)


def _headline(upgrade: InstanceUpgrade, screen: Screen, now: datetime) -> None:
    status, metadata = upgrade.status, upgrade.metadata
    ready = status.condition(UpgradeCondition.READY)
    screen.line(Text(f"{metadata.namespace}/{metadata.name}", Style.BOLD), " ", _said(status, ready, now))
    screen.paragraph(ready.message if ready else "A running operator looks at a new object within seconds.", indent=2)
    if metadata.deletion_timestamp is not None:
        screen.paragraph(f"It has been in deletion for {ago(metadata.deletion_timestamp, now)}.", indent=2)
    if ready is not None and status.observed_generation < metadata.generation:
        text = (
            f"All this is about generation {status.observed_generation} of the spec; the operator has not looked at "
            f"generation {metadata.generation} yet."
        )
        screen.paragraph(Text(text, Style.WAITING), indent=2)


def _said(status: InstanceUpgradeStatus, ready: Condition | None, now: datetime) -> Text:
    if ready is None:
        return Text("has not been looked at by the operator", Style.WAITING)
    if status.outcome is UpgradeOutcome.SUCCEEDED:
        return Text(f"has succeeded, {ago(status.completed_at, now)} ago", Style.GOOD)
    if status.outcome is UpgradeOutcome.CANCELLED:
        return Text(f"was cancelled, {ago(status.completed_at, now)} ago", Style.DIM)
    if status.outcome is not None:
        return Text(f"has failed: {ready.reason}", Style.BAD)
    if status.condition(UpgradeCondition.STALLED) is not None:
        return Text(f"is stuck: {ready.reason}", Style.BAD)
    if status.condition(UpgradeCondition.ACTION_REQUIRED) is not None:
        return Text(f"waits for somebody: {ready.reason}", Style.WAITING)
    return Text(f"goes on: {ready.reason}", Style.WAITING)


def _change(upgrade: InstanceUpgrade, screen: Screen) -> None:
    status, name = upgrade.status, upgrade.spec.instance_ref.name
    machine = f", machine {status.instance.machine_id}" if status.instance else ""
    screen.heading("UPGRADE", f"of GPUInstance {name}{machine}")
    named = (("from", status.before), ("to", status.target), ("became", status.after))
    shapes = [(word, shape) for word, shape in named if shape is not None]
    # How a machine is billed is worth a word only where that is what changes.
    billing_changes = len({shape.billing_mode for _, shape in shapes} - {None}) > 1
    if shapes:
        screen.table([(word, _shown(shape, billing=billing_changes)) for word, shape in shapes], indent=2)


def _shown(shape: MachineShape, *, billing: bool) -> str:
    plan = shape.product_name or shape.product_id
    disk = f"root disk of {shape.rootfs_size_gb} GB" if shape.rootfs_size_gb else None
    ports = f"ports {shape.ports}" if shape.ports else None
    billed = f"billed {shape.billing_mode}" if billing and shape.billing_mode else None
    return ", ".join(word for word in (plan, shape.image, disk, ports, billed) if word)


def _steps(status: InstanceUpgradeStatus, screen: Screen) -> None:
    """Print the moments that were reached, each with the time that it took to get there."""
    reached = (
        ("accepted", status.accepted_at),
        ("ordered", status.ordered_at),
        ("paid", status.paid_at),
        ("applied", status.applied_at),
        ("resized", status.resized_at),
        ("confirmed", status.confirmed_at),
        ("ended", status.completed_at),
    )
    rows: list[Row] = []
    before: datetime | None = None
    for step, moment in reached:
        if moment is not None:
            rows.append((step, f"{moment:%Y-%m-%d %H:%M:%SZ}", f"+{span(moment - before)}" if before else ""))
            before = moment
    if rows:
        screen.heading("STEPS")
        screen.table(rows, indent=2)


def _invoice(status: InstanceUpgradeStatus, screen: Screen, now: datetime) -> None:
    order = status.order
    if order is None:
        return
    total = f" of {order.total} USD" if order.total else ""
    due = f", due {order.due_date}" if order.due_date else ""
    screen.heading("INVOICE", f"{order.invoice_id}{total}{due}; upgrade order {order.id}")
    if status.paid_at is None and status.outcome is None and status.payment_deadline is not None:
        left = status.payment_deadline - now
        screen.line(
            f"payment is waited for until {status.payment_deadline:%Y-%m-%d %H:%MZ}, for {span(left)}", indent=2
        )


def _trouble(status: InstanceUpgradeStatus, screen: Screen, now: datetime) -> None:
    call = status.call
    if call is None or call.error is None or status.outcome is not None:
        return
    screen.heading("LAST CALL", f"{call.type}: {call.phase}")
    screen.line(Text("error", Style.BAD), f"  {call.error.code} ({call.error.category})", indent=2)
    screen.paragraph(call.error.message, indent=9)
    if call.retry_at is not None and call.retry_at > now:
        screen.line(f"next try in {span(call.retry_at - now)}", indent=2)


def _conditions(status: InstanceUpgradeStatus, screen: Screen, now: datetime) -> None:
    if status.conditions:
        screen.heading("CONDITIONS")
        screen.table(_rows(status, now), indent=2)


def _rows(status: InstanceUpgradeStatus, now: datetime) -> Iterator[Row]:
    told = status.condition(UpgradeCondition.READY)
    for condition in status.conditions:
        is_good = (condition.status is ConditionStatus.TRUE) is (condition.type not in _TROUBLES)
        bad = Style.BAD if condition.type == UpgradeCondition.STALLED else Style.WAITING
        message = "(see above)" if told is not None and told.message == condition.message else condition.message
        yield (
            condition.type,
            Text(condition.status, Style.GOOD if is_good else bad),
            condition.reason,
            ago(condition.last_transition_time, now),
            Text(message, Style.DIM),
        )


def _advice(upgrade: InstanceUpgrade, screen: Screen) -> None:
    ready = upgrade.status.condition(UpgradeCondition.READY)
    if ready is None or ready.reason not in set(Reason):
        return
    hint, order = hint_of(Reason(ready.reason)), upgrade.status.order
    words = {
        "name": upgrade.metadata.name,
        "namespace": upgrade.metadata.namespace,
        "instance": upgrade.spec.instance_ref.name,
        "invoice": order.invoice_id if order is not None else "...",
    }
    screen.heading("WHAT TO DO")
    screen.paragraph(hint.text, indent=2)
    if hint.command:
        screen.line(Text("$ " + hint.command.format(**words), Style.BOLD), indent=4)
