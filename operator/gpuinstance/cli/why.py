"""`kubectl gpu why`: one screen that answers why an instance is not Ready, and what to do.

Everything on it comes from the object, mostly from its status. Pure but for the screen: the moment is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition, Operation
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ConditionStatus, ConditionType, OperationPhase, Outcome, Phase
from gpuinstance.cli.advice import is_behind, show_advice
from gpuinstance.cli.screen import Row, Screen, Style, Text, ago, span
from gpuinstance.cli.why_beside import show_beside

_UNSEEN = "A running operator does so within seconds, or when its call to a provider that does not answer has ended."
_QUIET = frozenset({Outcome.STOPPED, Outcome.SUSPENDED})
_GOOD = (ConditionType.READY, ConditionType.SYNCED, ConditionType.HEALTHY)


def show_why(instance: GPUInstance, screen: Screen, now: datetime) -> None:
    """Print the screen."""
    _headline(instance, screen, now)
    _operation(instance, screen, now)
    _conditions(instance, screen, now)
    _health(instance, screen, now)
    _machine(instance, screen)
    show_beside(instance, screen, now)
    show_advice(instance, screen, now)


def _headline(instance: GPUInstance, screen: Screen, now: datetime) -> None:
    status, name = instance.status, f"{instance.metadata.namespace}/{instance.metadata.name}"
    ready = status.condition(ConditionType.READY)
    if ready is None:
        words, style = "has not been looked at by the operator", Style.WAITING
    elif ready.status is ConditionStatus.TRUE and is_behind(instance):
        words, style = "was Ready before its latest change", Style.WAITING
    elif ready.status is ConditionStatus.TRUE:
        words, style = f"is Ready, for {ago(ready.last_transition_time, now)}", Style.GOOD
    elif ready.status is ConditionStatus.UNKNOWN:
        words, style = f"may or may not be Ready: {ready.reason}", Style.BAD
    elif status.outcome in _QUIET:
        words, style = f"is {status.outcome}", Style.DIM
    else:
        stuck = status.condition(ConditionType.STALLED) is not None or status.outcome is not None
        words, style = f"is not Ready: {ready.reason}", Style.BAD if stuck else Style.WAITING
    screen.line(Text(name, Style.BOLD), " ", Text(words, style))
    screen.paragraph(ready.message if ready else _UNSEEN, indent=2)
    if instance.metadata.deletion_timestamp is not None:
        screen.paragraph(f"It has been in deletion for {ago(instance.metadata.deletion_timestamp, now)}.", indent=2)
    if ready is not None and is_behind(instance):
        seen, wanted = status.observed_generation, instance.metadata.generation
        text = (
            f"All this is about generation {seen} of the spec; the operator has not looked at generation {wanted} yet."
        )
        screen.paragraph(Text(text, Style.WAITING), indent=2)


def _operation(instance: GPUInstance, screen: Screen, now: datetime) -> None:
    operation, last = instance.status.operation, instance.status.last_operation
    if operation is not None:
        left = f", {span(operation.deadline - now)} left" if operation.deadline > now else ", past its deadline"
        if operation.phase is OperationPhase.FAILED:
            left = ""
        attempt = f", attempt {operation.attempt}" if operation.attempt > 1 else ""
        screen.heading("OPERATION", f"{operation.type}{attempt}: {operation.phase}{left}")
        screen.table(_steps(operation), indent=2)
        _trouble(operation, screen, now)
    elif last is not None:
        ended = last.phases.completed_at or last.phases.failed_at
        took = f" after {span(ended - last.started_at)}" if ended else ""
        screen.heading("LAST OPERATION", f"{last.type}: {last.phase}{took}, {ago(ended or last.started_at, now)} ago")
        _trouble(last, screen, now)


def _steps(operation: Operation) -> Iterator[Row]:
    """Return the phases that were reached, in order, each with the time that it took to get there."""
    times = operation.phases
    reached = (
        ("initiated", times.initiated_at or operation.started_at),
        ("monitoring", times.monitoring_at),
        ("at work", times.changing_at),
        ("running", times.running_at),
        ("healthChecking", times.health_checking_at),
        ("completed", times.completed_at),
        ("failed", times.failed_at),
    )
    before: datetime | None = None
    for phase, moment in reached:
        if moment is not None:
            yield phase, f"{moment:%H:%M:%SZ}", f"+{span(moment - before)}" if before else ""
            before = moment


def _trouble(operation: Operation, screen: Screen, now: datetime) -> None:
    error = operation.error
    if error is not None:
        screen.line(Text("error", Style.BAD), f"  {error.code} ({error.category})", indent=2)
        screen.paragraph(error.message, indent=9)
    if operation.phase is OperationPhase.COMPLETED or (error is None and operation.retry_at is None):
        return
    if operation.retry_at is not None and operation.retry_at > now:
        refused = f", after {operation.failures} refusals in a row" if operation.failures > 1 else ""
        screen.line(f"next try in {span(operation.retry_at - now)}{refused}", indent=2)
    elif error is not None and error.retryable:
        screen.line("next try at the next look", indent=2)


def _conditions(instance: GPUInstance, screen: Screen, now: datetime) -> None:
    if not instance.status.conditions:
        return
    screen.heading("CONDITIONS")
    told = instance.status.condition(ConditionType.READY)
    screen.table((_condition(c, told, now) for c in instance.status.conditions), indent=2)


def _condition(condition: Condition, told: Condition | None, now: datetime) -> Row:
    wanted = condition.type in _GOOD
    good = (condition.status is ConditionStatus.TRUE) is wanted
    style = Style.GOOD if good else Style.BAD if condition.type == ConditionType.STALLED else Style.WAITING
    message = "(see above)" if told is not None and told.message == condition.message else condition.message
    age = ago(condition.last_transition_time, now)
    return condition.type, Text(condition.status, style), condition.reason, age, Text(message, Style.DIM)


def _health(instance: GPUInstance, screen: Screen, now: datetime) -> None:
    health, published = instance.status.health_check, instance.status.endpoints or []
    if health is None:
        return
    notes = [str(health.overall)] if health.endpoints else ["not checked yet"]
    if health.completed_at is None and health.started_at is not None:
        left = health.started_at + timedelta(seconds=instance.spec.health_check.max_wait_seconds) - now
        limit = f"{span(left)} left" if left > timedelta() else "longer than maxWaitSeconds"
        notes.append(f"checking for {ago(health.started_at, now)}, {limit}")
    if health.consecutive_failures:
        threshold = instance.spec.health_check.failure_threshold
        notes.append(f"{health.consecutive_failures} failed rounds in a row, unready at {threshold}")
    screen.heading("HEALTH", "; ".join(notes))
    found = {endpoint.port: endpoint for endpoint in health.endpoints}
    addresses = {endpoint.port: endpoint for endpoint in published}
    rows: list[Row] = []
    for port in sorted(found.keys() | addresses.keys()):
        address, answer = addresses.get(port), found.get(port)
        said = Text("not checked", Style.DIM)
        if answer is not None:
            words = answer.message or answer.error_type or "unhealthy"
            said = Text("ok", Style.GOOD) if answer.healthy else Text(words, Style.BAD)
        protocol = f"/{address.protocol}" if address else ""
        rows.append((f"{port}{protocol}", said, Text(address.url if address else "not published", Style.DIM)))
    if rows:
        screen.table(rows, indent=2)


def _machine(instance: GPUInstance, screen: Screen) -> None:
    machine, spec = instance.status.instance, instance.spec
    if machine is None:
        return
    screen.heading("MACHINE")
    price = f"${machine.hourly_price}/h" if machine.hourly_price else None
    product = machine.product_name or machine.product_id or "product not known"
    ready = instance.status.condition(ConditionType.READY)
    # How many GPUs it has is only in the spec, which may have been changed since.
    edited = is_behind(instance) or (ready is not None and ready.reason == Reason.RECREATE_REQUIRED)
    bought = [product if edited else f"{spec.gpu_count} x {product}", machine.region, machine.billing_mode, price]
    shown = f'{spec.provider} says "{machine.state}"' if machine.state else f"not seen at {spec.provider} yet"
    if instance.status.phase is Phase.TERMINATED:
        shown = f"gone from {spec.provider}"
    screen.table(
        (
            (machine.id or "no id yet", ", ".join(str(it) for it in bought if it)),
            ("", Text(f"{shown}; its name there is {machine.name}", Style.DIM)),
        ),
        indent=2,
    )
