"""How the simulated cloud says no, in words that belong to no provider.

A face maps each refusal to its provider's error name and HTTP status. A refused request has changed
nothing and has left no entry in the ledger.
"""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """Why something was refused."""

    NO_SUCH_MACHINE = "no_such_machine"
    NO_SUCH_PRODUCT = "no_such_product"
    NO_SUCH_CLUSTER = "no_such_cluster"
    NO_SUCH_TEMPLATE = "no_such_template"
    NO_SUCH_REGISTRY_AUTH = "no_such_registry_auth"
    NO_SUCH_STORAGE = "no_such_storage"
    STORAGE_ELSEWHERE = "storage_elsewhere"
    """The storage exists, but in another cluster than the machine's."""
    WRONG_STATE = "wrong_state"
    OUT_OF_STOCK = "out_of_stock"
    MODE_NOT_OFFERED = "mode_not_offered"
    BALANCE_TOO_LOW = "balance_too_low"
    MACHINE_LIMIT = "machine_limit"
    PREPAID = "prepaid"
    """A machine that is paid for a term cannot be deleted."""
    DISK_TOO_LARGE = "disk_too_large"
    BAD_REQUEST = "bad_request"
    LOCKED = "locked"
    """Somebody has protected the machine against changes."""
    SUSPENDED = "suspended"
    """The provider has blocked the machine."""
    NO_ORDER = "no_order"
    ORDER_OPEN = "order_open"
    """A machine has one open upgrade order at most."""
    UNPAID = "unpaid"
    ALREADY_APPLIED = "already_applied"
    NOT_RESIZED = "not_resized"
    NO_SUCH_INVOICE = "no_such_invoice"
    INVOICE_CLOSED = "invoice_closed"
    """Paid already, or cancelled."""


class CloudError(Exception):
    """The cloud refused. `message` is for people."""

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
