"""Rules about serving: running is not enough, the application has to answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gpuinstance.api.base import format_duration
from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.status import EndpointHealth, HealthStatus
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import (
    ConditionStatus,
    ConditionType,
    Management,
    OperationPhase,
    OperationType,
    Outcome,
    OverallHealth,
    Phase,
    PortProtocol,
    PowerState,
    Requirement,
)
from gpuinstance.core import operations
from gpuinstance.core.conditions import Verdict, describe_health, write
from gpuinstance.core.decision import Decision, Need
from gpuinstance.core.model import Check, Machine, MachineState
from gpuinstance.core.rules.answers import need, stuck, wait
from gpuinstance.core.snapshot import HealthReport, Snapshot

WAITING = "the machine runs; waiting for its application to answer"
"""Said from the learned address to the first answer, in the same words, so that it is written once."""
_WARM_UP = timedelta(seconds=30)
"""What is wrong with an application that has just been started is told only after this: most come up
through refused connections and a proxy's error pages within seconds."""

_GRACE = timedelta(seconds=1)

_FORGET_RECOVERY_AFTER = timedelta(minutes=10)
"""An instance that has been Ready for so long gets all its recovery attempts back."""


def is_up(s: Snapshot) -> bool:
    """True if the machine runs, and should, or is only observed."""
    wanted = s.wants_running or s.spec.managed is Management.OBSERVE
    return s.machine is not None and s.machine.state is MachineState.RUNNING and wanted


def began_serving(s: Snapshot) -> dict[str, Any]:
    """Note that the machine is up and that the time for becoming healthy runs."""
    changes: dict[str, Any] = {}
    operation = s.operation
    if operation is not None and operation.phase is not OperationPhase.HEALTH_CHECKING:
        begun = operations.reach(operation, OperationPhase.HEALTH_CHECKING, s)
        times = begun.phases.model_copy(update={"running_at": begun.phases.running_at or s.now})
        changes["operation"] = begun.model_copy(update={"phases": times, "error": None, "retry_at": None})
    if s.status.health_check is None:
        changes["health_check"] = HealthStatus(overall=OverallHealth.UNHEALTHY, started_at=s.now)
        changes["started_at"] = s.now
    return changes


def endpoints_to_check(instance: GPUInstance) -> tuple[Check, ...]:
    """Return what has to answer: the spec's list, else every published port.

    A port that the spec names and the provider does not publish is kept, without a url: checking
    it fails, in words.
    """
    spec = instance.spec.health_check
    published = {e.port: e for e in instance.status.endpoints or ()}
    if spec.endpoints is not None:
        checks = [
            Check(
                e.port, e.protocol, published[e.port].url if e.port in published else None, e.path, e.expected_statuses
            )
            for e in spec.endpoints
        ]
    else:
        checks = [Check(e.port, e.protocol, e.url) for e in published.values()]
    if spec.target_port is not None:
        named = [check for check in checks if check.port == spec.target_port]
        checks = named or [Check(spec.target_port, PortProtocol.HTTP, None)]
    return tuple(checks)


def wait_until_healthy(s: Snapshot) -> Decision | None:
    """Ready only after the application answers; once ready, a few misses in a row take it back."""
    if not is_up(s) or not s.spec.health_check.enabled or not endpoints_to_check(s.instance):
        return None
    report = s.health
    if report is None or _is_due(s, report):
        return need(s, Need.HEALTH)
    if is_healthy(s.spec, report):
        return _prove_health(s, report)
    began = began_serving(s)
    before = began.get("health_check") or s.status.health_check or HealthStatus(overall=OverallHealth.UNHEALTHY)
    was_healthy = s.was_ready or before.completed_at is not None
    failures = before.consecutive_failures + (1 if s.health_is_new and was_healthy else 0)
    found = health_status(report, started_at=before.started_at, completed_at=before.completed_at, failures=failures)
    threshold = s.spec.health_check.failure_threshold
    # A changed spec is not vouched for by what was healthy before it.
    if s.was_ready and failures < threshold and s.status.observed_generation == s.generation:
        message = f"{failures} of {threshold} failed rounds: {describe_health(found)}"
        verdict = Verdict(Phase.READY, ConditionStatus.TRUE, Reason.READY, message, outcome=Outcome.READY)
        return Decision(status=write(s, verdict, health_check=found), requeue_after=_left(s, _pause(s)))
    if was_healthy:
        # Also after an outage of the provider: the time for becoming healthy again begins now.
        began["health_check"] = found.model_copy(update={"started_at": s.now, "completed_at": None})
        return wait(s, Phase.HEALTH_CHECKING, Reason.HEALTH_CHECK_FAILED, describe_health(found), **began)
    if "health_check" not in began and _is_warming_up(s):
        if before.consecutive_successes:
            began["health_check"] = before.model_copy(update={"consecutive_successes": 0})
        return wait(s, Phase.HEALTH_CHECKING, Reason.HEALTH_CHECKING, WAITING, **began)
    began["health_check"] = found
    words = describe_health(found)
    return give_up_waiting(s, words, began) or wait(s, Phase.HEALTH_CHECKING, _reason_of_waiting(s), words, **began)


def _reason_of_waiting(s: Snapshot) -> Reason:
    """What was ready before has failed, and stays so until it heals; what has just been started is being checked."""
    ready = s.status.condition(ConditionType.READY)
    failed = ready is not None and ready.reason == Reason.HEALTH_CHECK_FAILED and s.operation is None
    return Reason.HEALTH_CHECK_FAILED if failed else Reason.HEALTH_CHECKING


def _prove_health(s: Snapshot, report: HealthReport) -> Decision | None:
    """With a `successThreshold`, one good round is not enough to become ready. None: it is healthy."""
    threshold = s.spec.health_check.success_threshold
    if threshold == 1 or s.was_ready:
        return None
    began = began_serving(s)
    before = began.get("health_check") or s.status.health_check or HealthStatus(overall=OverallHealth.UNHEALTHY)
    successes = before.consecutive_successes + (1 if s.health_is_new else 0)
    if successes >= threshold:
        return None
    found = health_status(report, started_at=before.started_at, completed_at=before.completed_at, failures=0)
    began["health_check"] = found.model_copy(update={"consecutive_successes": successes})
    message = f"{successes} of {threshold} good rounds in a row"
    return wait(s, Phase.HEALTH_CHECKING, Reason.HEALTH_CHECKING, message, **began)


def is_beyond_patience(s: Snapshot) -> bool:
    """True if the latest round failed, and the time for becoming healthy is over."""
    checking = s.status.health_check
    if not is_up(s) or s.was_ready or s.health is None or _is_due(s, s.health):
        return False
    if checking is None or checking.started_at is None or checking.completed_at is not None:
        return False
    allowed = timedelta(seconds=s.spec.health_check.max_wait_seconds)
    return s.now - checking.started_at >= allowed and not is_healthy(s.spec, s.health)


def _is_due(s: Snapshot, report: HealthReport) -> bool:
    """True if a round is so old that another is to be made.

    `now` is cut to the second: without a second's grace each alarm would ring a little too early.
    """
    return not s.health_is_new and s.now - report.checked_at > _pause(s) - _GRACE


def _left(s: Snapshot, pause: timedelta) -> timedelta:
    """Return what is left of a pause after the latest round; looks in between must not put the next one off."""
    return pause if s.health is None else max(_GRACE, pause - max(timedelta(), s.now - s.health.checked_at))


def _is_warming_up(s: Snapshot) -> bool:
    checking = s.status.health_check
    since = checking.started_at if checking is not None and s.operation is not None else None
    return since is not None and s.now - since < _WARM_UP


def _pause(s: Snapshot) -> timedelta:
    """Time between rounds: as the spec says once ready, as fast as the operator looks before that."""
    waiting = not s.was_ready and s.status.outcome is not Outcome.FAILED
    return s.limits.fast_poll if waiting else _interval(s)


def _interval(s: Snapshot) -> timedelta:
    """The spec's interval, a little shorter or longer for each object, so that checks spread over time."""
    return timedelta(seconds=s.spec.health_check.interval_seconds) * (0.9 + 0.2 * s.identity.spread)


def is_healthy(spec: GPUInstanceSpec, report: HealthReport) -> bool:
    """True if enough endpoints answer, by `healthCheck.require`."""
    answers = [result.healthy for result in report.results]
    return any(answers) if spec.health_check.require is Requirement.ANY else all(answers)


def health_status(
    report: HealthReport, *, started_at: datetime | None, completed_at: datetime | None, failures: int
) -> HealthStatus:
    """Return a report as it is shown in the status."""
    endpoints = [
        EndpointHealth(
            port=r.port, healthy=r.healthy, error_type=r.error_type, status_code=r.status_code, message=r.message
        )
        for r in report.results
    ]
    return HealthStatus(
        overall=report.overall,
        endpoints=endpoints,
        started_at=started_at,
        completed_at=completed_at,
        consecutive_failures=failures,
    )


def give_up_waiting(s: Snapshot, words: str, changes: dict[str, Any]) -> Decision | None:
    """After `maxWaitSeconds` the instance has failed; it is still looked at, and may heal."""
    started = s.status.health_check.started_at if s.status.health_check else None
    allowed = timedelta(seconds=s.spec.health_check.max_wait_seconds)
    if started is None or s.now - started < allowed:
        return None
    message = f"not healthy within {format_duration(allowed)} of running: {words}; it becomes ready if it heals"
    return stuck(s, Phase.FAILED, Reason.HEALTH_CHECK_FAILED, message, after=_interval(s), **changes)


def settled(s: Snapshot) -> Decision:
    """Everything is as wanted: Ready. It is looked at again when the next round of checks is due."""
    if not is_up(s):
        return wait(s, Phase.PENDING, Reason.PENDING, "waiting for the provider to show the machine")
    assert s.machine is not None
    checked = s.spec.health_check.enabled and bool(endpoints_to_check(s.instance))
    before = s.status.health_check
    found = None
    if checked and s.health is not None:
        completed = before.completed_at if before and before.completed_at else s.now
        found = health_status(
            s.health, started_at=before.started_at if before else s.now, completed_at=completed, failures=0
        )
    message = f"machine {s.machine.id} runs" + (
        " and every required endpoint answers" if checked else "; nothing is checked"
    )
    verdict = Verdict(
        Phase.READY, ConditionStatus.TRUE, Reason.READY, message, outcome=Outcome.READY, synced=told_upgrade(s)
    )
    applied = s.status.applied.model_copy(update={"power_state": PowerState.RUNNING})
    started = {} if s.status.started_at and (before or s.was_ready) else {"started_at": s.now}
    changes = {**operations.end(s), **started, **_forget_recovery(s), **_noted_image(s, s.machine)}
    status = write(s, verdict, health_check=found, applied=applied, **changes)
    return Decision(status=status, requeue_after=_left(s, _interval(s)) if checked else None)


def _forget_recovery(s: Snapshot) -> dict[str, Any]:
    """An instance that stays ready gets its recovery attempts back."""
    since = s.status.ready_at
    if s.status.recovery_attempts == 0 or not s.was_ready or since is None or s.now - since < _FORGET_RECOVERY_AFTER:
        return {}
    return {"recovery_attempts": 0}


_BRINGS_AN_IMAGE = (OperationType.CREATE, OperationType.REBUILD, OperationType.REINSTALL)


def _noted_image(s: Snapshot, machine: Machine) -> dict[str, Any]:
    """What the provider shows after our own work on the software is what is compared with later."""
    recorded, ended = s.status.instance, s.operation
    if recorded is None or not machine.image:
        return {}
    anew = ended is not None and (ended.type in _BRINGS_AN_IMAGE or (ended.token or "").startswith("software:"))
    refused = ended is not None and ended.phase is OperationPhase.FAILED and ended.phases.monitoring_at is None
    if recorded.image is not None and (not anew or refused):
        return {}
    return {"instance": recorded.model_copy(update={"image": machine.image})}


def told_upgrade(s: Snapshot) -> tuple[ConditionStatus, Reason, str] | None:
    """Return what condition Synced says of a machine that an upgrade has changed; None for any other."""
    recorded = s.status.instance
    if recorded is None or recorded.upgraded_by is None:
        return None
    what = f", now {recorded.product_name or recorded.product_id}" if recorded.product_id else ""
    words = f"the spec is applied, but for what an InstanceUpgrade has made of the machine since{what}"
    return ConditionStatus.TRUE, Reason.SYNCED, words
