"""What to do about it: one hint for each reason and for each category of failed health checks.

Data for `why`. A command may use {name}, {namespace} and {secret}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpuinstance.api.reasons import Reason


@dataclass(frozen=True, slots=True)
class Hint:
    """What a person can do, and the command for it, if there is one."""

    text: str
    command: str | None = None


def _set(path: str, value: str) -> str:
    """Return a patch of one field of the spec; written so that `str.format` can fill it in."""
    for key in reversed(path.split(".")):
        value = f'{{{{"{key}":{value}}}}}'
    return f"kubectl -n {{namespace}} patch gpui {{name}} --type merge -p '{value}'"


_EDIT = "kubectl -n {namespace} edit gpui {name}"
_WATCH = "kubectl -n {namespace} get gpui {name} -w"
_START = "kubectl gpu start -n {namespace} {name}"
_RECREATE = "kubectl gpu recreate -n {namespace} {name}"
_REINSTALL = "kubectl gpu reinstall -n {namespace} {name}"
_SECRET = "kubectl -n {namespace} create secret generic {secret} --from-literal=apiKey=..."  # noqa: S105 - no value

_ORPHANS = "kubectl -n {namespace} get events --field-selector reason=OrphanedMachine"
_UPGRADES = "kubectl -n {namespace} get iup"
_USED = "kubectl -n {namespace} annotate gpui {name} --overwrite gpuinstance.dev/last-used=$(date -u +%FT%TZ)"
_BUDGET = "kubectl -n {namespace} annotate namespace {namespace} --overwrite gpuinstance.dev/max-hourly-price=..."
_WATCH_UPGRADE = "kubectl -n {namespace} get iup {name} -w"
_CONFIRM = "kubectl gpu confirm -n {namespace} {name}"
_PAID = "kubectl gpu confirm-payment -n {namespace} {name}"

_WAIT = Hint("Wait. The operator is at work and looks again by itself.", _WATCH)
FINE = Hint("Nothing. It is as the spec asks.")
_REPLACE = "or buy another machine; what is on the old one's disk is lost."

HINTS: Mapping[Reason, Hint] = {
    Reason.PENDING: _WAIT,
    Reason.CREATING: Hint("Wait. Placing a machine and pulling its image takes minutes.", _WATCH),
    Reason.STARTING: _WAIT,
    Reason.STOPPING: _WAIT,
    Reason.RESTARTING: _WAIT,
    Reason.RECREATING: _WAIT,
    Reason.REBUILDING: _WAIT,
    Reason.REINSTALLING: _WAIT,
    Reason.REGENERATING_NETWORKING: _WAIT,
    Reason.RESIZING: Hint("Wait, or see in the provider's console who resizes it, and why.", _WATCH),
    Reason.RECOVERING: Hint("Wait. The operator helps by itself, as spec.recovery allows.", _WATCH),
    Reason.RECOVERY_HELD: Hint(
        "Find what the instances of the namespace have in common: the image, the template, the provider.",
        "kubectl -n {namespace} get gpui",
    ),
    Reason.SPOT_RECLAIM_NOTIFIED: Hint("Save what matters. spec.recovery.onSpotReclaim says what follows.", _EDIT),
    Reason.SPOT_RECLAIMING: Hint("Wait. spec.recovery.onSpotReclaim says what follows.", _WATCH),
    Reason.SPOT_RECLAIMED: Hint("Start it again; spec.recovery.onSpotReclaim would do so by itself.", _START),
    Reason.APPLYING_CHANGE: _WAIT,
    Reason.HEALTH_CHECKING: Hint("Wait, or see in the application's own log why it does not answer yet.", _WATCH),
    Reason.TERMINATING: Hint("Wait. The object goes as soon as the provider shows its machine gone.", _WATCH),
    Reason.CONFIRMING_CREATE: Hint("Wait. Another machine is bought only when it is certain that none was.", _WATCH),
    Reason.ADOPTING: _WAIT,
    Reason.ADOPTION_FAILED: Hint(
        "Delete this object, and create another whose spec.adopt.instanceID names a machine of this account."
    ),
    Reason.CONNECTION_NAME_TAKEN: Hint(
        "Remove the Secret or Service of that name, or choose other names in spec.connection.", _EDIT
    ),
    Reason.CONNECTION_ADDRESS_REFUSED: Hint(
        "If a Service may lead there, allow the network in GPUINSTANCE_CONNECTION_ALLOWED_NETWORKS; the Secret has the "
        "address anyway."
    ),
    Reason.CONNECTION_NOT_PUBLISHED: _WAIT,
    Reason.NOTIFICATION_FAILED: Hint(
        "See status.notificationTroubles: mend the destination in spec.notifications, or its Secret.", _EDIT
    ),
    Reason.ORPHANED_MACHINE: Hint("Delete the machine in the provider's console, or adopt it.", _ORPHANS),
    Reason.UPGRADING: Hint("Wait, or see what the upgrade says.", "kubectl -n {namespace} get iup"),
    **dict.fromkeys(
        (
            Reason.QUEUED,
            Reason.INSTANCE_BUSY,
            Reason.ORDERING,
            Reason.PAID,
            Reason.APPLYING,
            Reason.RESIZED,
            Reason.CONFIRMING,
            Reason.REVERTING,
            Reason.VERIFYING,
        ),
        Hint("Wait. The upgrade goes on by itself.", _WATCH_UPGRADE),
    ),
    Reason.INSTANCE_NOT_FOUND: Hint("Apply the GPUInstance that spec.instanceRef names.", _UPGRADES),
    Reason.INSTANCE_NOT_RUNNING: Hint("Set the instance's powerState to Running.", _UPGRADES),
    Reason.AWAITING_PAYMENT: Hint("Pay the invoice, then say so.", _PAID),
    Reason.PAYMENT_UNCONFIRMED: Hint("Say so once the invoice is paid.", _PAID),
    Reason.AWAITING_CONFIRMATION: Hint("Look at the machine, then keep its new sizes.", _CONFIRM),
    Reason.COMPLETED: FINE,
    **dict.fromkeys(
        (
            Reason.CANCELLED,
            Reason.REVERTED,
            Reason.PLAN_NOT_FOUND,
            Reason.PAYMENT_TIMED_OUT,
            Reason.INSTANCE_REPLACED,
            Reason.INSTANCE_DELETED,
        ),
        Hint("This upgrade has ended. Create another one if the change is still wanted.", _UPGRADES),
    ),
    **dict.fromkeys(
        (
            Reason.FOREIGN_UPGRADE_ORDER,
            Reason.FOREIGN_CHANGE,
            Reason.ORDER_NOT_SHOWN,
            Reason.RESIZE_FAILED,
            Reason.RESIZE_TIMED_OUT,
            Reason.VERIFICATION_FAILED,
        ),
        Hint("See in the provider's portal what became of the machine, its orders and invoices.", _UPGRADES),
    ),
    Reason.READY: FINE,
    Reason.STOPPED: Hint("Nothing, or start it. The disk is billed meanwhile.", _START),
    Reason.EXPIRED: Hint("Nothing, or raise spec.expiry.ttl to run it longer. What is kept is billed.", _EDIT),
    Reason.IDLE: Hint("Nothing, or start it again. What is kept of it is billed.", _START),
    Reason.EXPIRING: Hint("Nothing, or raise spec.expiry.ttl, or say that it is used.", _USED),
    Reason.SUSPENDED: Hint("Let the operator work again.", _set("spec.suspend", "false")),
    Reason.SYNCED: FINE,
    Reason.HEALTHY: FINE,
    Reason.NOT_CHECKED: _WAIT,
    Reason.PRODUCT_NOT_FOUND: Hint("Correct spec.product: the provider sells nothing of that name or id.", _EDIT),
    Reason.NO_PRODUCT_AVAILABLE: Hint(
        "Wait until it is on sale again, or allow more: other spec.regions, another product or billing mode.", _EDIT
    ),
    Reason.REGION_NOT_FOUND: Hint("Correct spec.regions: the provider has no region of these names.", _EDIT),
    Reason.TEMPLATE_NOT_FOUND: Hint("Correct spec.templateID, or use a template of this account.", _EDIT),
    Reason.REGISTRY_AUTH_NOT_FOUND: Hint(
        "Store the credentials at the provider, or correct spec.registryAuthID.", _EDIT
    ),
    Reason.IMAGE_REJECTED: Hint("Correct spec.image, or set spec.registryAuthID for a private registry.", _EDIT),
    Reason.UNSUPPORTED_BY_PROVIDER: Hint("Change the spec to something that this provider can do.", _EDIT),
    Reason.REFERENCE_NOT_FOUND: Hint("Create the Secret or ConfigMap that the message names, or correct spec.env."),
    Reason.PRICE_ABOVE_LIMIT: Hint("Wait for a lower price, or raise spec.billing.maxHourlyPrice.", _EDIT),
    Reason.CHARGED_ABOVE_LIMIT: Hint("Raise spec.billing.maxHourlyPrice, or stop or delete the instance.", _EDIT),
    Reason.NAMESPACE_BUDGET_EXCEEDED: Hint("Stop another instance of the namespace, or raise its budget.", _BUDGET),
    Reason.NAMESPACE_BUDGET_UNKNOWN: Hint("Repair what the message names; it is about the namespace.", _BUDGET),
    Reason.REQUEST_REJECTED: Hint("Change what the provider's words above complain about.", _EDIT),
    Reason.REINSTALL_REQUIRED: Hint(
        "Revert spec.templateID, or install it; what is on the machine's disk is lost.", _REINSTALL
    ),
    Reason.UPGRADE_REQUIRED: Hint("Revert spec.product, or create an InstanceUpgrade that orders the plan.", _EDIT),
    Reason.RECREATE_REQUIRED: Hint(f"Revert the change of the spec, {_REPLACE}", _RECREATE),
    Reason.DELETION_REFUSED: Hint(
        "Wait for the end of the term, or let the object go without its machine, which stays and is billed.",
        _set("spec.deletionPolicy", '"Orphan"'),
    ),
    Reason.FOREIGN_INSTANCE: Hint(
        "Delete this object, which leaves the machine alone. If that was an earlier object's, as after a restored "
        "backup, apply it anew with spec.adopt.instanceID, to keep the machine and its data. Only where the machine is "
        "nobody's, and nobody needs it: delete it in the provider's console."
    ),
    Reason.INSUFFICIENT_RESOURCE: Hint(
        "Wait, it is tried again; or allow other spec.regions, another product or billing mode.", _EDIT
    ),
    Reason.BALANCE_NOT_ENOUGH: Hint("Top up the account in the provider's console, or free machines there."),
    Reason.CREDENTIALS_UNAVAILABLE: Hint("Create the Secret with the API key, in the key apiKey.", _SECRET),
    Reason.UNAUTHORIZED: Hint(
        "Put a valid API key into the Secret; it is noticed by itself.",
        """kubectl -n {namespace} patch secret {secret} --type merge -p '{{"stringData":{{"apiKey":"..."}}}}'""",
    ),
    Reason.RATE_LIMITED: Hint("Wait. The operator calls less often, as the provider asked."),
    Reason.PROVIDER_UNAVAILABLE: Hint("Wait, and see the provider's status page. Nothing is changed meanwhile."),
    Reason.CIRCUIT_OPEN: Hint("Wait, and see the provider's status page. It is asked again within a minute or so."),
    Reason.UNKNOWN_OUTCOME: Hint("Wait. The operator looks what became of the call before it does anything else."),
    Reason.STALE_OBSERVATION: Hint("See the provider's status page and the operator's log: nothing is known for now."),
    Reason.INSTANCE_SUSPENDED: Hint(
        "See the provider's console, e.g. for unpaid bills; the operator does not touch it."
    ),
    Reason.RESIZE_UNCONFIRMED: Hint("Confirm or revert the new sizes in the provider's console."),
    Reason.INSTANCE_LOST: Hint("Find out who removed it, then buy another.", _RECREATE),
    Reason.INSTANCE_EXITED: Hint("See why it went down (the command ended? out of memory?), then start it.", _START),
    Reason.INSTANCE_FAILED: Hint(f"Mend what the provider's words above complain about, {_REPLACE}", _RECREATE),
    Reason.CREATE_TIMED_OUT: Hint(f"Allow more in spec.timeouts.create, {_REPLACE}", _RECREATE),
    Reason.START_TIMED_OUT: Hint(f"Allow more in spec.timeouts.start, {_REPLACE}", _RECREATE),
    Reason.STOP_TIMED_OUT: Hint("See the provider's console; the operator goes on when the machine is down."),
    Reason.DELETE_TIMED_OUT: Hint(
        "See the provider's console, where it may still be billed. Deletion goes on.", _WATCH
    ),
    Reason.HEALTH_CHECK_FAILED: Hint(
        "See the application's own log, and whether spec.healthCheck asks for the right thing.", _EDIT
    ),
    Reason.DRIFT_DETECTED: Hint("Undo what was changed in the provider's console, or set spec.drift.", _EDIT),
}

NOT_SEEN = Hint(
    "Wait a moment. If this stays, see whether the operator runs, and whether it serves this namespace.",
    "kubectl get deployments,pods -A | grep gpu-instance-operator",
)
"""For an object, or a version of its spec, that the operator has not looked at within a minute."""
NOT_SEEN_YET = Hint("Wait. The operator has not looked at the latest change yet.", _WATCH)
"""For one that was changed a moment ago: what was fine before it says nothing about it."""

CATEGORY_HINTS: Mapping[str, str] = {
    "timeout": "It accepts connections but does not answer: it hangs, is overloaded, or still loads its model.",
    "connectionRefused": "Nothing listens on the port: the application is not up, or listens on 127.0.0.1 only.",
    "connectionReset": "Connections are closed without an answer: does it speak TLS where http is expected?",
    "dnsFailure": "The published host name does not resolve from the operator's pod: check the cluster's DNS.",
    "networkUnreachable": "The operator's pod cannot reach the address: check NetworkPolicies and egress firewalls.",
    "badGateway": "The provider's proxy gets no answer: the application is not up, or on another port.",
    "serviceUnavailable": "It asks to come back later: it is still starting, or in maintenance.",
    "serverError": "The application answers, with an error of its own: see its log.",
    "clientError": "The application answers, but not as expected: see path and expectedStatuses in spec.healthCheck.",
    "tlsError": "Its certificate is not accepted: it is expired, self-signed, or for another name.",
    "invalidResponse": "What answers does not speak HTTP: set protocol tcp for this port in spec.healthCheck.",
    "targetNotAllowed": "The operator does not connect to such addresses, unless its administrator allows it.",
    "unknown": "See the message beside it.",
}
