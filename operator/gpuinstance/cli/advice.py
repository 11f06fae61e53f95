"""The last part of `why`: what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ConditionStatus, ConditionType
from gpuinstance.cli.hints import CATEGORY_HINTS, FINE, HINTS, NOT_SEEN, NOT_SEEN_YET, Hint
from gpuinstance.cli.screen import Screen, Style, Text

_UNSEEN_FOR = timedelta(minutes=1)
"""After this an operator that runs has looked at every change."""


def is_behind(instance: GPUInstance) -> bool:
    """True if the status is about an older spec than the present one."""
    return instance.status.observed_generation < instance.metadata.generation


def show_advice(instance: GPUInstance, screen: Screen, now: datetime) -> None:
    """Print hints with their commands, ready to be copied."""
    hints, remarks = list(_hints(instance, now)), list(_remarks(instance))
    if not hints and not remarks:
        return
    screen.heading("WHAT TO DO")
    reference = instance.spec.credentials_ref
    words = {
        "name": instance.metadata.name,
        "namespace": instance.metadata.namespace,
        "secret": reference.name if reference else f"{instance.spec.provider}-credentials",
    }
    for hint in hints:
        screen.paragraph(hint.text, indent=2)
        if hint.command:
            screen.line(Text("$ " + hint.command.format(**words), Style.BOLD), indent=4)
    for remark in remarks:
        screen.paragraph(remark, indent=2)


def _hints(instance: GPUInstance, now: datetime) -> Iterator[Hint]:
    """Yield what to do about the reason of Ready, and about the reason of Synced if it is trouble of its own."""
    status = instance.status
    ready, synced = status.condition(ConditionType.READY), status.condition(ConditionType.SYNCED)
    known = [c.last_transition_time for c in status.conditions] or [instance.metadata.creation_timestamp or now]
    behind = is_behind(instance)
    if behind and now - max(known) > _UNSEEN_FOR:
        yield NOT_SEEN
    elif behind:
        yield NOT_SEEN_YET
    other = _hint(synced) if synced is not None and synced.status is not ConditionStatus.TRUE else None
    first = _hint(ready)
    if first is not None and not (first is FINE and (behind or other is not None)):
        yield first
    if other is not None and other is not first:
        yield other


def _hint(condition: Condition | None) -> Hint | None:
    """Return the hint for its reason, None for a reason of a newer operator."""
    if condition is None or condition.reason not in set(Reason):
        return None
    return HINTS[Reason(condition.reason)]


def _remarks(instance: GPUInstance) -> Iterator[str]:
    """Yield what the failures of health checks usually mean, each once, with its ports."""
    health = instance.status.health_check
    ports: dict[str, list[int]] = {}
    for endpoint in health.endpoints if health else []:
        if not endpoint.healthy:
            ports.setdefault(CATEGORY_HINTS.get(endpoint.error_type or "", ""), []).append(endpoint.port)
    for text, numbers in ports.items():
        noun = "Port" if len(numbers) == 1 else "Ports"
        if text:
            yield f"{noun} {', '.join(map(str, numbers))}: {text}"
