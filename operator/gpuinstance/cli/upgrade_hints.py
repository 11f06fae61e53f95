"""What to do about an upgrade: a hint for each reason that says something else of it than of an instance.

Data for `why_upgrade`. A command may use {name}, {namespace}, {instance} and {invoice}.
"""

from __future__ import annotations

from collections.abc import Mapping

from gpuinstance.api.reasons import Reason
from gpuinstance.cli.hints import FINE, HINTS, Hint

_WATCH = "kubectl -n {namespace} get iup {name} -w"
_INSTANCE = "kubectl gpu why -n {namespace} {instance}"
_START = "kubectl gpu start -n {namespace} {instance}"
_RESUME = 'kubectl -n {namespace} patch gpui {instance} --type merge -p \'{{"spec":{{"suspend":false}}}}\''
_CONFIRM = "kubectl gpu confirm -n {namespace} {name}"
_PAID = "kubectl gpu confirm-payment -n {namespace} {name} --invoice {invoice}"

_WAIT = Hint("Wait. The upgrade goes on by itself.", _WATCH)
_ENDED = Hint("This upgrade has ended. Create another one, under another name, if the change is still wanted.")
_PORTAL = Hint("See in the provider's portal what became of the machine, its orders and invoices.")
_TROUBLE = Hint("It is a trouble of the instance as well: see what to do about it there.", _INSTANCE)

_OWN: Mapping[Reason, Hint] = {
    Reason.COMPLETED: FINE,
    Reason.AWAITING_PAYMENT: Hint(
        "Pay the invoice in the provider's portal. If the provider does not show that it is paid, say so:", _PAID
    ),
    Reason.PAYMENT_UNCONFIRMED: Hint("Once the invoice of this upgrade is paid, say so:", _PAID),
    Reason.AWAITING_CONFIRMATION: Hint("Look at the machine, then keep its new sizes:", _CONFIRM),
    Reason.HEALTH_CHECK_FAILED: Hint("Mend the application, or keep the new sizes as they are:", _CONFIRM),
    Reason.INSTANCE_NOT_FOUND: Hint("Apply the GPUInstance that spec.instanceRef names, or delete this upgrade."),
    Reason.INSTANCE_NOT_RUNNING: Hint("Start the instance:", _START),
    Reason.SUSPENDED: Hint("Let the operator work on the instance again:", _RESUME),
    Reason.INSTANCE_SUSPENDED: Hint("See the provider's portal, e.g. for unpaid bills or a lock; nothing is sent."),
    Reason.FOREIGN_UPGRADE_ORDER: Hint(
        "Cancel that order in the provider's portal, or let it be paid and applied there; then this upgrade goes on."
    ),
    Reason.REQUEST_REJECTED: Hint("See in the provider's portal why: is the invoice really paid?"),
    Reason.PRICE_ABOVE_LIMIT: Hint("Create another upgrade, with a higher spec.payment.maxTotal or another plan."),
    Reason.UNSUPPORTED_BY_PROVIDER: Hint("Create another upgrade, to something that this provider offers."),
    Reason.REFERENCE_NOT_FOUND: Hint("Create the Secret or ConfigMap that the message names."),
    Reason.UNKNOWN_OUTCOME: _PORTAL,
    **dict.fromkeys((Reason.PENDING, Reason.HEALTH_CHECKING, Reason.RESIZING), _WAIT),
    **dict.fromkeys(
        (
            Reason.CANCELLED,
            Reason.REVERTED,
            Reason.PLAN_NOT_FOUND,
            Reason.PAYMENT_TIMED_OUT,
            Reason.INSTANCE_REPLACED,
            Reason.INSTANCE_DELETED,
        ),
        _ENDED,
    ),
    **dict.fromkeys(
        (
            Reason.FOREIGN_CHANGE,
            Reason.ORDER_NOT_SHOWN,
            Reason.RESIZE_FAILED,
            Reason.RESIZE_TIMED_OUT,
            Reason.VERIFICATION_FAILED,
        ),
        _PORTAL,
    ),
    **dict.fromkeys((Reason.UNAUTHORIZED, Reason.CREDENTIALS_UNAVAILABLE, Reason.INSTANCE_LOST), _TROUBLE),
}


def hint_of(reason: Reason) -> Hint:
    """Return what to do about an upgrade; the words about an instance where they are the same."""
    own = _OWN.get(reason)
    if own is not None:
        return own
    shared = HINTS[reason]
    return shared if shared.command is None or " iup " in shared.command else Hint(shared.text)
