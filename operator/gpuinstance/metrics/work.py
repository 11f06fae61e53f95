"""What the operator does: passes, decisions, writes, audits, and how late its event loop is.

Part of `Metrics`; every method is safe to call at any time and never raises.
"""

from __future__ import annotations

from gpuinstance.metrics.families import Families, Part

_RESULTS = ("done", "conflict", "vanished", "kubernetes", "invalid", "error")
_SECONDS_OF_PASSES = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60)
_SECONDS_OF_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5)


class Work(Part):
    """Passes and all that belongs to them."""

    def __init__(self, families: Families) -> None:
        super().__init__(families)
        counter, histogram = families.counter, families.histogram
        self._passes = counter(
            "passes",
            "Passes over one object, by how they ended: `done`, `conflict` (the object had changed meanwhile), "
            "`vanished`, `kubernetes` (the API server could not be used), `invalid` (the object does not fit its "
            "schema) or `error` (a bug).",
            "result",
            starts_with=((result,) for result in _RESULTS),
        )
        self._pass_seconds = histogram(
            "pass_duration_seconds", "How long a pass took, calls to the provider included.", _SECONDS_OF_PASSES
        )
        self._decisions = counter("decisions", "Decisions, by the rule that answered.", "rule")
        self._writes = counter(
            "kubernetes_writes",
            "Writes to the API server that were accepted: `status`, `event` or `finalizer`, and for spec.connection "
            "`secret`, `service` or `endpointslice`.",
            "kind",
            starts_with=(("status",), ("event",)),
        )
        self._conflicts = counter("conflicts", "Passes that ended because the object had changed meanwhile.")
        self._audits = counter(
            "audits",
            "Comparisons of the API server's list with what the watch has shown, by result: `done` or `failed`.",
            "result",
            starts_with=(("done",), ("failed",)),
        )
        self._found = counter(
            "audit_findings",
            "Objects that an audit found missed by the watch (`missed`), gone unnoticed (`ghost`), or not looked at "
            "(`overdue`).",
            "what",
            starts_with=(("missed",), ("ghost",), ("overdue",)),
        )
        self._loop_lag = histogram(
            "event_loop_lag_seconds", "How late the event loop was, measured four times a second.", _SECONDS_OF_LAG
        )

    def passed(self, result: str, seconds: float) -> None:
        """A pass ended."""
        self._families.add(self._passes, result)
        self._pass_seconds.observe(seconds)

    def decided(self, rule: str) -> None:
        """A rule answered."""
        self._families.add(self._decisions, rule)

    def wrote(self, kind: str) -> None:
        """The API server accepted a write: `status`, `event`, `finalizer`, or a kind of what `publishing` keeps."""
        self._families.add(self._writes, kind)

    def conflict(self) -> None:
        """A write was refused because the object had changed."""
        self._conflicts.inc()

    def audited(self, result: str) -> None:
        """An audit ended: `done` or `failed`."""
        self._families.add(self._audits, result)

    def found(self, what: str, number: int) -> None:
        """An audit found so many objects: `missed`, `ghost` or `overdue`."""
        self._families.of(self._found, what).inc(number)

    def lagged(self, seconds: float) -> None:
        """The event loop came back that much later than asked."""
        self._loop_lag.observe(seconds)
