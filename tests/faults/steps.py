"""What a user, or a person with a credit card, does in a scenario: the vocabulary, as data.

Both tiers carry these out in their own way. What is awaited is a statement about the JSON of one object, so
that both read it alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

INSTANCE, UPGRADE = "trainer", "bigger"
"""The names of the one instance of a scenario, and of its upgrade."""
FOUND = "bought-by-hand"
"""What the name of a machine begins with that somebody has bought in the console."""


@dataclass(frozen=True, slots=True)
class Apply:
    """The instance is created."""


@dataclass(frozen=True, slots=True)
class Find:
    """Somebody has bought a machine in the console, which runs: the instance that is applied later names it."""


@dataclass(frozen=True, slots=True)
class Reclaim:
    """The provider takes the spot machine back, without notice."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Fields of the instance's spec are changed; None takes a field away."""

    spec: Json


@dataclass(frozen=True, slots=True)
class Delete:
    """The instance is deleted."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An InstanceUpgrade of the instance is created; `spec` is all but the reference."""

    spec: Json


@dataclass(frozen=True, slots=True)
class Pay:
    """A person reads the invoice in the upgrade's status, pays it in the portal, and says so in its spec."""


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until the upgrade, or else the instance, says so."""

    field: str
    """Of its status."""
    value: str
    of_upgrade: bool = False
    also: str = ""
    """A field that has to be there as well."""

    def holds(self, body: Json | None) -> bool:
        """Whether the object, as the API server shows it, says so about its present generation."""
        status = (body or {}).get("status") or {}
        return (
            body is not None
            and status.get(self.field) == self.value
            and (not self.also or self.also in status)
            and status.get("observedGeneration") == body["metadata"]["generation"]
        )


@dataclass(frozen=True, slots=True)
class Gone:
    """Wait until the instance is gone."""

    def holds(self, body: Json | None) -> bool:
        """Whether it is."""
        return body is None


@dataclass(frozen=True, slots=True)
class Forget:
    """The operator dies, somebody takes the status away, and another operator writes its first one."""

    blind: bool
    """Whether the provider cannot be seen at that time."""


Step = Apply | Find | Reclaim | Edit | Delete | Upgrade | Pay | Await | Gone | Forget

READY = Await("outcome", "Ready")
RECOVERED = Await("outcome", "Ready", also="lastRecoveryAt")
STOPPED = Await("outcome", "Stopped")
INVOICED = Await("phase", "AwaitingPayment", of_upgrade=True)
UPGRADED = Await("outcome", "Succeeded", of_upgrade=True)
GONE = Gone()
