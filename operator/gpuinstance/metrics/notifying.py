"""What is told to others: deliveries of notifications.

Part of `Metrics`; every method is safe to call at any time and never raises.
"""

from __future__ import annotations

from gpuinstance.metrics.families import Families, Part

_RESULTS = ("delivered", "gone", "slowed", "refused", "unreachable", "not-allowed", "not-ready")


class Notifying(Part):
    """Notifications that left, and those that never will."""

    def __init__(self, families: Families) -> None:
        super().__init__(families)
        self._tries = families.counter(
            "notification_deliveries",
            "Tries to deliver a notification, by result: `delivered`, `gone` (410), `slowed` (429, 502, 503, 504), "
            "`refused` (any other answer), `unreachable`, `not-allowed` (an address that is not connected to) or "
            "`not-ready` (a Secret is missing).",
            "result",
            starts_with=((result,) for result in _RESULTS),
        )
        self._given_up = families.counter(
            "notifications_given_up",
            "Notifications that will never be delivered: nobody took them for a day, too many were waiting, or their "
            "object is gone.",
        )

    def notification(self, result: str) -> None:
        """A try to deliver a notification ended."""
        self._families.add(self._tries, result)

    def notifications_given_up(self, number: int) -> None:
        """So many notifications will never be delivered."""
        self._given_up.inc(number)
