"""What became of instances and upgrades: transitions, operations with their durations, calls without an answer.

Part of `Metrics`; every method is safe to call at any time and never raises. Told after a status was saved.
"""

from __future__ import annotations

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_words import CallType, UpgradeOutcome
from gpuinstance.api.words import OperationType, ProviderName
from gpuinstance.metrics.families import Families, Part

_SECONDS_TO_READY = (5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_SECONDS_OF_OPERATIONS = (1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600)

_ALARMING = (Reason.CREDENTIALS_UNAVAILABLE, Reason.UNAUTHORIZED, Reason.FOREIGN_INSTANCE, Reason.INSTANCE_LOST)
"""Reasons whose very first transition has to be visible to an alert."""


class Stories(Part):
    """How things began, went on and ended."""

    def __init__(self, families: Families) -> None:
        super().__init__(families)
        counter, histogram = families.counter, families.histogram
        self._transitions = counter(
            "transitions",
            "Saved changes of an instance or upgrade, by the reason of its condition Ready.",
            "reason",
            starts_with=((reason.value,) for reason in _ALARMING),
        )
        self._time_to_ready = histogram(
            "time_to_ready_seconds",
            "From the start of an operation, such as a purchase or a start, to Ready.",
            _SECONDS_TO_READY,
        )
        self._operation_seconds = histogram(
            "operation_duration_seconds",
            "How long operations on machines took, by type and result: `completed`, `failed` (refused, or out of "
            "time) or `superseded` (another operation was asked for before it had ended).",
            _SECONDS_OF_OPERATIONS,
            "type",
            "result",
        )
        self._unknown_outcomes = counter(
            "unknown_outcomes",
            "Calls that change something and got no usable answer, by the operation or upgrade step that they "
            "belong to. Each is resolved by looking.",
            "operation",
        )
        self._resolutions = counter(
            "unknown_outcomes_resolved",
            "How calls without an answer were resolved: `found` (the effect was seen), `repeated` (there surely was "
            "none, and the call was made again), `not_found` (there surely was none, and it is not wanted any more), "
            "`superseded` (another operation came first) or `given_up` (a person has to look).",
            "operation",
            "resolution",
            starts_with=((kind.value, "given_up") for kind in (*OperationType, *CallType)),
        )
        self._upgrades_finished = counter(
            "upgrades_finished",
            "Upgrades that have ended, by outcome: `Succeeded`, `Failed` or `Cancelled`.",
            "outcome",
            starts_with=((outcome.value,) for outcome in UpgradeOutcome),
        )
        self._duplicates_seen = counter(
            "duplicate_machines_seen",
            "Machines that were seen to be a second one of the same object. Each is removed by the operator.",
            "provider",
            starts_with=((provider.value,) for provider in ProviderName),
        )

    def transition(self, reason: str) -> None:
        """An instance or upgrade was saved in another state."""
        self._families.add(self._transitions, reason)

    def became_ready(self, seconds: float) -> None:
        """An instance became Ready, that long after its operation began."""
        self._time_to_ready.observe(seconds)

    def operation_ended(self, *, operation: str, result: str, seconds: float) -> None:
        """An operation on a machine has ended: see `core.endings`."""
        self._families.of(self._operation_seconds, operation, result).observe(seconds)

    def unknown_outcome(self, operation: str) -> None:
        """A call that changes something got no usable answer."""
        self._families.add(self._unknown_outcomes, operation)

    def unknown_outcome_resolved(self, *, operation: str, resolution: str) -> None:
        """It is known what became of such a call: see `core.endings`."""
        self._families.add(self._resolutions, operation, resolution)

    def upgrade_finished(self, outcome: str) -> None:
        """An upgrade has ended."""
        self._families.add(self._upgrades_finished, outcome)

    def duplicate_seen(self, provider: str) -> None:
        """A second machine of an object has come to light."""
        self._families.add(self._duplicates_seen, provider)
