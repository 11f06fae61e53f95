"""The closed sets of words that spec and status share."""

from __future__ import annotations

from enum import StrEnum


class ProviderName(StrEnum):
    """The clouds that this operator can use."""

    NOVITA = "novita"
    HOSTWINDS = "hostwinds"


class PowerState(StrEnum):
    """Whether the machine should be up."""

    RUNNING = "Running"
    STOPPED = "Stopped"


class BillingMode(StrEnum):
    """How the machine is paid for."""

    ON_DEMAND = "OnDemand"
    SPOT = "Spot"
    MONTHLY = "Monthly"


class BillingCycle(StrEnum):
    """How long the term is that Hostwinds bills a server for."""

    HOURLY = "Hourly"
    MONTHLY = "Monthly"
    QUARTERLY = "Quarterly"
    SEMIANNUALLY = "Semiannually"
    ANNUALLY = "Annually"
    BIENNIALLY = "Biennially"
    TRIENNIALLY = "Triennially"


class PortProtocol(StrEnum):
    """How the provider publishes a port."""

    HTTP = "http"
    TCP = "tcp"


class DeletionPolicy(StrEnum):
    """What happens to the machine when the object is deleted."""

    DELETE = "Delete"
    STOP = "Stop"
    ORPHAN = "Orphan"


class DriftPolicy(StrEnum):
    """What to do when someone changed the machine at the provider."""

    OBSERVE = "Observe"
    WARN = "Warn"
    CORRECT = "Correct"


class Management(StrEnum):
    """How much of the machine is the operator's business."""

    FULL = "Full"
    OBSERVE = "Observe"


class ExpiryAction(StrEnum):
    """What happens to a machine that has served."""

    STOP = "Stop"
    DELETE = "Delete"


class Requirement(StrEnum):
    """How many endpoints must answer."""

    ALL = "All"
    ANY = "Any"


class RecoveryPolicy(StrEnum):
    """What to do about a machine that is up and not healthy, or down although it should be up."""

    NEVER = "Never"
    RESTART = "Restart"
    RECREATE = "Recreate"


class SpotReclaimPolicy(StrEnum):
    """What to do after the provider has taken a spot machine back."""

    NEVER = "Never"
    START = "Start"
    RECREATE = "Recreate"


class Phase(StrEnum):
    """A one-word summary for people; the operator never reads it back."""

    PENDING = "Pending"
    CREATING = "Creating"
    CREATED = "Created"
    STARTING = "Starting"
    RUNNING = "Running"
    HEALTH_CHECKING = "HealthChecking"
    READY = "Ready"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    EXITED = "Exited"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"
    SUSPENDED = "Suspended"
    UPGRADING = "Upgrading"


class Outcome(StrEnum):
    """How the object has settled; absent while work goes on."""

    READY = "Ready"
    STOPPED = "Stopped"
    EXITED = "Exited"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class OperationType(StrEnum):
    """What kind of work is in flight."""

    CREATE = "Create"
    START = "Start"
    STOP = "Stop"
    RESTART = "Restart"
    RECREATE = "Recreate"
    CHANGE = "Change"
    DELETE = "Delete"
    REBUILD = "Rebuild"
    """The provider makes the machine anew in place: same id, empty disk, maybe another address."""
    REINSTALL = "Reinstall"
    REGENERATE_NETWORKING = "RegenerateNetworking"


class OperationPhase(StrEnum):
    """How far an operation has come."""

    INITIATED = "initiated"
    """The intent is saved; whether the provider has accepted it is not yet known."""
    MONITORING = "monitoring"
    """The provider has accepted it."""
    HEALTH_CHECKING = "healthChecking"
    COMPLETED = "completed"
    FAILED = "failed"


class ErrorCategory(StrEnum):
    """What an operation's error means for what happens next."""

    RETRYABLE = "Retryable"
    NEEDS_PERSON = "NeedsPerson"
    UNKNOWN_OUTCOME = "UnknownOutcome"


class ConditionType(StrEnum):
    """The conditions of a GPUInstance, in the order in which they are shown."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    SYNCED = "Synced"
    HEALTHY = "Healthy"
    PAUSED = "Paused"
    SPOT_INTERRUPTION = "SpotInterruption"


class ConditionStatus(StrEnum):
    """As in Kubernetes."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class OverallHealth(StrEnum):
    """All endpoints together."""

    HEALTHY = "Healthy"
    PARTIAL = "Partial"
    UNHEALTHY = "Unhealthy"
