"""What the process says of itself when kubelet asks: may it live, and does it do its work?

Called by the server; each answer is made from what is known at the moment, without waiting. Not alive means: a
restart helps, and nothing else does. So an API server or a provider that is away is no reason, and a replica that
stands by is as alive and ready as the leader, or a Deployment of two could never be rolled out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpuinstance.audit import Audit
from gpuinstance.leading import Leadership
from gpuinstance.queue import WakeQueue
from gpuinstance.watching import STUCK_SECONDS, Watches


@dataclass(frozen=True, slots=True)
class Health:
    """Answers None where all is well, else one line that says what is not."""

    leadership: Leadership
    queue: WakeQueue
    watches: Watches
    audits: Sequence[Audit]

    def alive(self) -> str | None:
        """Answer /healthz."""
        if not self.leadership.leads:
            return None
        if not self.leadership.holds_now():
            return "the lease is lost"
        return self.queue.trouble() or self._stuck_watch() or self._missed()

    def ready(self) -> str | None:
        """Answer /readyz."""
        if not self.leadership.leads:
            return self.leadership.trouble()
        return self.queue.trouble() or self.watches.missing() or self.leadership.trouble()

    def _stuck_watch(self) -> str | None:
        """A watch that does not begin again, while the same API server answers audits."""
        age, answers = self.watches.age(), [audit.age() for audit in self.audits]
        reachable = any(answer is not None and answer < STUCK_SECONDS for answer in answers)
        return f"no watch has begun for {age:.0f} s" if reachable and age > STUCK_SECONDS else None

    def _missed(self) -> str | None:
        return next((trouble for audit in self.audits if (trouble := audit.trouble())), None)
