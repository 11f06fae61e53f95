"""The closed list of reasons: one vocabulary for conditions, Events and metric labels.

Reasons are part of the API: scripts match them, so one is never renamed. `docs/reasons.md` is
generated from the docstrings below.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition has its status."""

    # Progress: nothing to do but wait.
    PENDING = "Pending"
    """The operator has seen the object and has not bought anything yet."""
    CREATING = "Creating"
    """The machine is being bought, placed or pulled by the provider."""
    STARTING = "Starting"
    """The machine is coming up."""
    STOPPING = "Stopping"
    """The machine is going down, as `powerState` asks."""
    RESTARTING = "Restarting"
    """A restart was asked for by a token in `spec.actions`."""
    RECREATING = "Recreating"
    """A recreate was asked for: the old machine is removed before a new one is bought."""
    APPLYING_CHANGE = "ApplyingChange"
    """A change of the spec is being applied to the machine."""
    HEALTH_CHECKING = "HealthChecking"
    """The machine runs; its application has not answered yet."""
    TERMINATING = "Terminating"
    """The object is being deleted; the machine is not yet shown as gone."""
    CONFIRMING_CREATE = "ConfirmingCreate"
    """A create call got no answer; the operator looks whether it took effect before it acts."""

    # Settled, as wanted.
    READY = "Ready"
    """The machine runs, is healthy, and the spec is applied."""
    STOPPED = "Stopped"
    """The machine is down, as `powerState` asks."""
    SUSPENDED = "Suspended"
    """`spec.suspend` is true: the operator looks but does not touch."""
    SYNCED = "Synced"
    """The provider was observed and the spec is applied."""
    HEALTHY = "Healthy"
    """Every required endpoint answers."""
    NOT_CHECKED = "NotChecked"
    """Health is not being checked: the machine is not up, or checks are off."""

    # What only the provider knows about the spec: a person or a spec change helps.
    PRODUCT_NOT_FOUND = "ProductNotFound"
    """No product of that name or id exists at the provider."""
    NO_PRODUCT_AVAILABLE = "NoProductAvailable"
    """Products match, but none is on sale now with that billing mode in a wanted region."""
    REGION_NOT_FOUND = "RegionNotFound"
    """None of the names in `spec.regions` is a region of the provider."""
    TEMPLATE_NOT_FOUND = "TemplateNotFound"
    """The template does not exist, or is private to another account."""
    REGISTRY_AUTH_NOT_FOUND = "RegistryAuthNotFound"
    """`spec.registryAuthID` is not among the registry credentials stored at the provider."""
    IMAGE_REJECTED = "ImageRejected"
    """The provider does not find the image, or the registry credentials for it."""
    UNSUPPORTED_BY_PROVIDER = "UnsupportedByProvider"
    """The spec asks for something that this provider cannot do."""
    REFERENCE_NOT_FOUND = "ReferenceNotFound"
    """A Secret, ConfigMap or key that `spec.env` refers to does not exist."""
    PRICE_ABOVE_LIMIT = "PriceAboveLimit"
    """The price is above `spec.billing.maxHourlyPrice`: nothing was bought."""
    REQUEST_REJECTED = "RequestRejected"
    """The provider refused the request; the message holds its words."""
    RECREATE_REQUIRED = "RecreateRequired"
    """The spec changed in a way that no running machine can follow: revert it, or recreate."""
    DELETION_REFUSED = "DeletionRefused"
    """The provider refuses to delete the machine, as Novita does for monthly billing."""

    FOREIGN_INSTANCE = "ForeignInstance"
    """A machine carries this object's namespace and name but another uid, as after a restored
    backup: buying a second one would be paid twice, so nothing is bought while it exists."""

    # Trouble at the provider.
    INSUFFICIENT_RESOURCE = "InsufficientResource"
    """The provider has no such machine free now."""
    BALANCE_NOT_ENOUGH = "BalanceNotEnough"
    """The account has no money left, or has reached its limit of machines."""
    CREDENTIALS_UNAVAILABLE = "CredentialsUnavailable"
    """The Secret with the API key, or the key in it, does not exist or is malformed."""
    UNAUTHORIZED = "Unauthorized"
    """The provider refuses the API key."""
    RATE_LIMITED = "RateLimited"
    """The provider asked for fewer calls."""
    PROVIDER_UNAVAILABLE = "ProviderUnavailable"
    """The provider could not be reached or answered with an error of its own."""
    UNKNOWN_OUTCOME = "UnknownOutcome"
    """A call got no usable answer: whether it took effect is found out by looking."""
    STALE_OBSERVATION = "StaleObservation"
    """The provider could not be observed for several polls: the last known state may be old."""

    # Trouble with the machine.
    INSTANCE_SUSPENDED = "InstanceSuspended"
    """The provider has frozen the machine."""
    INSTANCE_LOST = "InstanceLost"
    """The machine has vanished at the provider without the operator's doing."""
    INSTANCE_EXITED = "InstanceExited"
    """The machine went down by itself although `powerState` is Running."""
    INSTANCE_FAILED = "InstanceFailed"
    """The provider reports that the machine failed; the message holds its words."""
    CREATE_TIMED_OUT = "CreateTimedOut"
    """The machine did not come up within `spec.timeouts.create`."""
    START_TIMED_OUT = "StartTimedOut"
    """The machine did not come up within `spec.timeouts.start`."""
    STOP_TIMED_OUT = "StopTimedOut"
    """The machine did not go down within `spec.timeouts.stop`."""
    DELETE_TIMED_OUT = "DeleteTimedOut"
    """The machine is not gone after `spec.timeouts.delete`; deletion goes on."""
    HEALTH_CHECK_FAILED = "HealthCheckFailed"
    """The application does not answer as `spec.healthCheck` demands."""
    DRIFT_DETECTED = "DriftDetected"
    """Someone changed the machine at the provider; `spec.drift` says what follows."""
