"""How Novita says no: its error names and phrases, each with the error that it stands for.

Data for `answers`, used by `novita` only. The names are those of Novita's table of error codes for GPU
instances (docs, "Error code"); nearly all of them come with HTTP 400, "not found" and "conflict"
included, so that the status says little and the name decides. A name that is not listed here, or that
is listed by Novita but says nothing definite (`REQUEST`, `UNKNOWN`), is judged by its message.
"""

from __future__ import annotations

import re

from gpuinstance.api.reasons import Reason
from gpuinstance.providers.base import (
    NotFound,
    OutOfCapacity,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    WrongState,
)
from gpuinstance.providers.dialects import Dialect, Refusal

_NO_CREDENTIAL = Refusal(Unauthorized)
_NO_MONEY = Refusal(Rejected, Reason.BALANCE_NOT_ENOUGH)
_NO_TEMPLATE = Refusal(NotFound, Reason.TEMPLATE_NOT_FOUND)
_BAD_IMAGE = Refusal(Rejected, Reason.IMAGE_REJECTED)
_BAD_REQUEST = Refusal(Rejected)
_NONE_FREE = Refusal(OutOfCapacity)
_LATER = Refusal(Unavailable)
_SLOWER = Refusal(RateLimited)
_MOVED_ON = Refusal(WrongState)

_NAMES = {
    # The credential. USER_… and INVALID_… are about the account behind it.
    "UNAUTHORIZED": _NO_CREDENTIAL,
    "FORBIDDEN": _NO_CREDENTIAL,
    "GET_TOKEN_FAILED": _NO_CREDENTIAL,
    "MISSING_API_KEY": _NO_CREDENTIAL,
    "INVALID_API_KEY": _NO_CREDENTIAL,
    "API_NOT_ALLOWED": _NO_CREDENTIAL,
    "INVALID_USER_TOKEN": _NO_CREDENTIAL,
    "USER_NOT_FOUND": _NO_CREDENTIAL,
    "USER_NOT_ACTIVATED": _NO_CREDENTIAL,
    "BANNED_USER": _NO_CREDENTIAL,
    # Come back later.
    "RATE_LIMIT_EXCEEDED": _SLOWER,
    "OPERATION_LIMIT": _SLOWER,
    "SERVICE_NOT_AVAILABLE": _LATER,
    "NODE_STATUS": _LATER,
    # The gateway does not know the path: our base URL is wrong. It says nothing about a machine.
    "API_NOT_FOUND": _LATER,
    # What is asked for by id is not there; the call knows what that was.
    "RESOURCE_NOT_FOUND": Refusal(NotFound),
    "TEMPLATE_NOT_FOUND": _NO_TEMPLATE,
    "TEMPLATE_IS_PRIVATE": _NO_TEMPLATE,
    # None on sale here now: another product or region may do.
    "INSUFFICIENT_RESOURCE": _NONE_FREE,
    "MIGRATE_INSUFFICIENT_RESOURCE": _NONE_FREE,
    "CLUSTER_STATUS": _NONE_FREE,
    # The machine has moved on since it was looked at.
    "CONFLICT": _MOVED_ON,
    "DEPENDENT_RESOURCE_STATE": _MOVED_ON,
    "CREATING_INSTANCE_NOT_SUPPORT_RENEWAL": _MOVED_ON,
    # Money. The limit of machines is lifted by topping up, too.
    "BALANCE_NOT_ENOUGH": _NO_MONEY,
    "EXPIRED_OR_BALANCE_NOT_ENOUGH": _NO_MONEY,
    "CREATE_INSTANCE_LIMIT": _NO_MONEY,
    "UNSUPPORTED_BILLING_MODE": Refusal(Rejected, Reason.NO_PRODUCT_AVAILABLE),
    "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE": Refusal(Rejected, Reason.DELETION_REFUSED),
    # The order itself has to change.
    "IMAGE_NOT_FOUND": _BAD_IMAGE,
    "IMAGE_AUTH_IN_USE": _BAD_IMAGE,
    "VALIDATOR_PARAM": _BAD_REQUEST,
    "INVALID_COMMAND_PARAM": _BAD_REQUEST,
    "GPU_SPEC_USED": _BAD_REQUEST,
    "INSTANCE_LOCAL_STORAGE_NOT_FOUND": _BAD_REQUEST,
    "NETWORK_STORAGE_TOO_LARGE": _BAD_REQUEST,
    "CUR_CLUSTER_NETWORK_STORAGE_NOT_SUPPORT": _BAD_REQUEST,
    "NETWORK_STORAGE_IN_USE": _BAD_REQUEST,
    "NETWORK_STORAGE_UNAVAILABLE": _BAD_REQUEST,
    "NETWORK_STORAGE_NOT_FOUND": _BAD_REQUEST,
    "NETWORK_NOT_FOUND": _BAD_REQUEST,
    "NETWORK_IN_USE": _BAD_REQUEST,
    "NETWORK_MAX_LIMIT": _BAD_REQUEST,
}

_PHRASES = (
    # Seen with HTTP 400 from a start or stop of a machine that is on its way; its name is undocumented.
    (re.compile("invalid state change", re.IGNORECASE), _MOVED_ON),
    # `not fount` is Novita's own spelling in places.
    (re.compile("not foun[dt]", re.IGNORECASE), Refusal(NotFound)),
)

_ABSENT = (
    (re.compile(r"\b(auth|image)\b", re.IGNORECASE), _BAD_IMAGE),
    (re.compile(r"\bproduct\b", re.IGNORECASE), Refusal(Rejected, Reason.PRODUCT_NOT_FOUND)),
    (re.compile(r"\bcluster\b", re.IGNORECASE), Refusal(Rejected, Reason.REGION_NOT_FOUND)),
    (re.compile(r"\b(storage|volume|network)\b", re.IGNORECASE), _BAD_REQUEST),
)

NOVITA = Dialect("Novita", _NAMES, _PHRASES, _ABSENT, unauthorized="the API key is wrong, or was revoked")
"""Novita's errors, API v1."""
