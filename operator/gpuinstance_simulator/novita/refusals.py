"""How Novita says no: its error names, HTTP statuses and texts.

Almost every refusal is a 400, also "not found"; the name in `reason` tells them apart. Names and statuses
are documented (page "error codes"), the JSON around them is not: it is what the service's framework sends by
default. A call in the wrong state has the observed text `invalid state change` and no known name.
"""

from __future__ import annotations

from pydantic import ValidationError

from gpuinstance_simulator.effects import Answer
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.reply import Reply

_NAMES = {
    Refusal.NO_SUCH_MACHINE: "RESOURCE_NOT_FOUND",
    Refusal.NO_SUCH_PRODUCT: "RESOURCE_NOT_FOUND",
    Refusal.NO_SUCH_CLUSTER: "RESOURCE_NOT_FOUND",
    Refusal.NO_SUCH_REGISTRY_AUTH: "RESOURCE_NOT_FOUND",
    Refusal.NO_SUCH_TEMPLATE: "TEMPLATE_NOT_FOUND",
    Refusal.NO_SUCH_STORAGE: "NETWORK_STORAGE_NOT_FOUND",
    Refusal.STORAGE_ELSEWHERE: "CUR_CLUSTER_NETWORK_STORAGE_NOT_SUPPORT",
    Refusal.WRONG_STATE: "",
    Refusal.OUT_OF_STOCK: "INSUFFICIENT_RESOURCE",
    Refusal.MODE_NOT_OFFERED: "UNSUPPORTED_BILLING_MODE",
    Refusal.BALANCE_TOO_LOW: "BALANCE_NOT_ENOUGH",
    Refusal.MACHINE_LIMIT: "CREATE_INSTANCE_LIMIT",
    Refusal.PREPAID: "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE",
    Refusal.DISK_TOO_LARGE: "VALIDATOR_PARAM",
}
_BY_STATUS = {
    401: ("UNAUTHORIZED", "unauthorized"),
    403: ("FORBIDDEN", "forbidden"),
    404: ("API_NOT_FOUND", "api not found"),
    429: ("RATE_LIMIT_EXCEEDED", "rate limit exceeded"),
    500: ("UNKNOWN", "unknown error"),
    503: ("SERVICE_NOT_AVAILABLE", "service not available"),
}
_GATEWAY_STATUSES = frozenset({502, 504})


def error(status: int, name: str, message: str, headers: dict[str, str] | None = None) -> Reply:
    """An error answer: the name in `reason`, a text in `message`."""
    payload = {"code": status, "reason": name, "message": message, "metadata": {}}
    plain = Reply.of_json(payload, status=status)
    return Reply(status, plain.body, headers=headers or {})


def refused(refusal: CloudError, operation: Operation, *, not_found_status: int) -> Reply:
    """The cloud said no."""
    name, message, status = _NAMES[refusal.reason], refusal.message, 400
    if refusal.reason is Refusal.WRONG_STATE:
        message = "invalid state change"
    elif refusal.reason is Refusal.OUT_OF_STOCK and operation is Operation.MIGRATE:
        name = "MIGRATE_INSUFFICIENT_RESOURCE"
    elif refusal.reason is Refusal.DISK_TOO_LARGE:
        field = "expandRootDisk" if operation is Operation.EDIT else "rootfsSize"
        message = f"invalid parameter: {field}: {message}"
    elif refusal.reason is Refusal.NO_SUCH_MACHINE:
        status = not_found_status
    return error(status, name, message)


def invalid(problem: ValidationError) -> Reply:
    """A parameter breaks a documented limit; the first one is named, by its name on the wire."""
    first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    return error(400, "VALIDATOR_PARAM", f"invalid parameter: {field}: {text}" if field else text)


def excuse(answer: Answer) -> Reply:
    """A false answer ordered by a fault, in Novita's clothes."""
    html = answer.status in _GATEWAY_STATUSES if answer.html is None else answer.html
    headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    if html:
        page = Reply.of_html(answer.status, answer.message)
        return Reply(page.status, page.body, page.content_type, headers)
    name, message = _BY_STATUS.get(answer.status, ("UNKNOWN", "unknown error"))
    if answer.reason is not None:
        name, message = answer.reason, answer.reason.lower().replace("_", " ")
    return error(answer.status, name, message if answer.message is None else answer.message, headers)
