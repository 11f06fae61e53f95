"""How Hostwinds words results: success and error items, and the answers that faults put in their place.

Refusals of the cloud become error items with HTTP 200. The texts under "Known" are the provider's own; those
under "Assumed" are inventions, because no source says what the API answers there: a client must not depend
on their wording.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpuinstance_simulator.effects import Answer
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds.actions import INVOICE_PAID, Action
from gpuinstance_simulator.hostwinds.quirks import Quirks
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.reply import Reply

Item = dict[str, str]

# Known.
NO_SUCH_SERVICE = "A valid serviceid is required."
NO_SERVICE_TO_LOCK = "Service Id is required."
BAD_LOCATION = "Location Id is invalid."
NO_HOURLY = "Hourly products are disabled! Please contact customer service."
NOT_AUTHORIZED = "Not Authorized!"

# Assumed.
INVALID_ACTION = "Invalid action."
BAD_REQUEST = "Invalid parameter."
BAD_PLAN = "Product Id is invalid."
BAD_TEMPLATE = "Template is invalid."
WRONG_STATE = "This action is not available in the current state of the instance."
OUT_OF_STOCK = "This product is out of stock."
BALANCE_TOO_LOW = "Insufficient credit to pay the invoice."
MACHINE_LIMIT = "Instance limit reached."
LOCKED = "Service is locked."
SUSPENDED = "Service is suspended."
NO_ORDER = "No upgrade order found."
ORDER_OPEN = "An upgrade order already exists for this service."
UNPAID = "The upgrade invoice has not been paid."
ALREADY_APPLIED = "The upgrade is already in progress."
NOT_RESIZED = "Instance is not in the RESIZED state."
SOME_ERROR = "An error occurred. Please try again later."
BESIDES = "The task could not be logged."
"""Of the error item that accompanies a success where answers are mixed."""

_TEXTS = {
    Refusal.NO_SUCH_MACHINE: NO_SUCH_SERVICE,
    Refusal.NO_SUCH_CLUSTER: BAD_LOCATION,
    Refusal.NO_SUCH_PRODUCT: BAD_PLAN,
    Refusal.NO_SUCH_TEMPLATE: BAD_TEMPLATE,
    Refusal.MODE_NOT_OFFERED: NO_HOURLY,
    Refusal.BAD_REQUEST: BAD_REQUEST,
    Refusal.WRONG_STATE: WRONG_STATE,
    Refusal.OUT_OF_STOCK: OUT_OF_STOCK,
    Refusal.BALANCE_TOO_LOW: BALANCE_TOO_LOW,
    Refusal.MACHINE_LIMIT: MACHINE_LIMIT,
    Refusal.LOCKED: LOCKED,
    Refusal.SUSPENDED: SUSPENDED,
    Refusal.NO_ORDER: NO_ORDER,
    Refusal.ORDER_OPEN: ORDER_OPEN,
    Refusal.UNPAID: UNPAID,
    Refusal.ALREADY_APPLIED: ALREADY_APPLIED,
    Refusal.NOT_RESIZED: NOT_RESIZED,
}
_CODES = {
    (Operation.CREATE, Refusal.NO_SUCH_CLUSTER): "342432",
    (Operation.TOGGLE_LOCK, Refusal.NO_SUCH_MACHINE): "5529903",
    (Operation.APPLY, Refusal.NO_SUCH_MACHINE): "721334",
}
_AUTH_STATUSES = frozenset({401, 403})
_SERVER_ERRORS = 500


def success(action: Action, service_id: str = "", message: str | None = None) -> list[Item]:
    """The items of an accepted call."""
    text = action.message.format(sid=service_id) if message is None else message
    title = {"action": action.title} if action.has_title else {}
    done: Item = {"result": "success", **title, "message": text}
    if action.operation is Operation.CREATE:
        return [{"result": "success", "action": INVOICE_PAID[0], "message": INVOICE_PAID[1]}, done]
    return [done]


def error(title: str, message: str, code: str = "") -> Item:
    """The item of a refused call."""
    item = {"result": "error", "action": title, "message": message}
    return {**item, "ERROR": code} if code else item


def refusal(action: Action, refused: CloudError) -> Item:
    """The cloud said no."""
    text = _TEXTS.get(refused.reason, SOME_ERROR)
    if action.operation is Operation.TOGGLE_LOCK and refused.reason is Refusal.NO_SUCH_MACHINE:
        text = NO_SERVICE_TO_LOCK
    return error(action.title, text, _CODES.get((action.operation, refused.reason), ""))


def unauthorized(quirks: Quirks, status: int | None = None) -> Reply:
    """A wrong or missing key, or an address that is not allowed."""
    item = error("Authorization", NOT_AUTHORIZED)
    return Reply.of_json(_packed([item], quirks), status=quirks.auth_status if status is None else status)


def accepted(items: Sequence[Item], action: Action, quirks: Quirks) -> object:
    """The JSON of a success, an error beside it where answers are mixed."""
    besides = [error(action.title, BESIDES)] if quirks.mixed_items == "accepted" else []
    return _packed([*items, *besides], quirks)


def refused(item: Item, action: Action, quirks: Quirks) -> object:
    """The JSON of a refusal, a success before it where answers are mixed."""
    first = success(action)[:1] if quirks.mixed_items == "refused" and action.message else []
    return _packed([*first, item], quirks)


def excuse(answer: Answer, action: Action, service_id: str, quirks: Quirks) -> Reply:
    """A false answer ordered by a fault, in Hostwinds' clothes.

    The fault's `reason` may be `success`: the call is answered as if it had been accepted; `unauthorized`: as if
    the key were wrong; or digits: the code of an error item. Server errors are pages of HTML unless told otherwise.
    """
    headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    if answer.status >= _SERVER_ERRORS if answer.html is None else answer.html:
        page = Reply.of_html(answer.status, answer.message)
        return Reply(page.status, page.body, page.content_type, headers)
    if answer.reason == "unauthorized" or (answer.reason is None and answer.status in _AUTH_STATUSES):
        return unauthorized(quirks, answer.status)
    if answer.reason == "success":
        payload = accepted(success(action, service_id, answer.message), action, quirks)
    else:
        code = answer.reason if answer.reason and answer.reason.isdigit() else ""
        text = SOME_ERROR if answer.message is None else answer.message
        payload = refused(error(action.title, text, code), action, quirks)
    plain = Reply.of_json(payload, status=answer.status)
    return Reply(plain.status, plain.body, plain.content_type, headers)


def _packed(items: Sequence[Item], quirks: Quirks) -> object:
    return items[0] if quirks.single_item and len(items) == 1 else list(items)
