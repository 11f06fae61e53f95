"""The actions of Hostwinds' API: their names, and the exact texts with which they succeed.

Titles and messages are those of the documentation, misspellings included. Titles and messages that no source
gives are marked as assumptions. `face` dispatches by this table, `items` words the results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpuinstance_simulator.lifecycle import Operation


@dataclass(frozen=True, slots=True)
class Action:
    """One value of the form field `action`."""

    name: str
    operation: Operation
    title: str
    """The `action` of its result items: a title for people."""
    message: str = ""
    """What a success says; `{sid}` stands for the service id. Empty for reads."""
    has_title: bool = True
    """Whether its success item has an `action`."""


_ACTIONS = (
    # Titles of reads appear in error items only, and are assumptions.
    Action("get_instances", Operation.LIST, "Get Instances"),
    Action("get_instance", Operation.GET, "Get Instance"),
    Action("get_instance_ids", Operation.IDS, "Get Instance IDs"),
    Action("check_serviceid", Operation.CHECK, "Check Service ID"),
    Action("get_instance_ips", Operation.ADDRESSES, "Get Instance IPs"),
    Action("get_price_list", Operation.PRODUCTS, "Get Price List"),
    Action("get_billingcycle_prices", Operation.CYCLE_PRICES, "Get Billing Cycle Prices"),
    Action("check_upgrade_order", Operation.CHECK_ORDER, "Check Upgrade Order"),
    Action("check_upgrade_reboot", Operation.CHECK_REBOOT, "Check Upgrade Reboot"),
    Action("get_instance_maintenance", Operation.MAINTENANCE, "Get Instance Maintenance"),
    Action("add_instance", Operation.CREATE, "Add Instance", "Server is being Created!"),
    Action("boot", Operation.START, "Boot", "Instance Server#{sid} has been started!"),
    Action("shutdown", Operation.STOP, "Shutdown", "Instance Server#{sid} has been shut down!"),
    Action("reboot", Operation.RESTART, "Reboot", "Instance rebooted"),
    Action("recreate", Operation.RECREATE, "Rercreate", "Recreating Server#{sid}"),
    Action("reinstall_instance", Operation.REINSTALL, "Reinstall Instance", "Instance Server#{sid} is being rebuilt!"),
    Action(
        "regenerate_networking",
        Operation.REGENERATE,
        "Regenerate Networking",
        "Regenerating Network for Server#{sid}",
    ),
    Action("edit_instance", Operation.RENAME, "Edit Instance", "Instance server name has been updated"),
    Action("toggle_lock", Operation.TOGGLE_LOCK, "Toggle Lock", "Service has been locked."),
    # The title of its errors is an assumption.
    Action("terminate", Operation.DELETE, "Terminate", "Instance deleted", has_title=False),
    Action("upgrade_instance", Operation.ORDER, "Upgrade Instance", "Service has been upgraded!"),
    Action("upgrade_server", Operation.APPLY, "Upgrade Server", "Server Server#{sid} is being upgraded."),
    Action("confirm_upgrade", Operation.CONFIRM, "Confirm Upgrade", "Upgrade Confirmed!"),
    Action("revert_upgrade", Operation.REVERT, "Revert Upgrade", "Upgrade Reverted!"),
    Action("change_billing_cycle", Operation.CHANGE_CYCLE, "Change Billing Cycle", "Service has been upgraded!"),
)

ACTIONS: Mapping[str, Action] = {it.name: it for it in _ACTIONS}
"""By name."""

UNKNOWN = Action("", Operation.UNKNOWN, "Error")
"""Stands for a name that is not in the table. Its title is an assumption."""

UNLOCKED = "Service has been unlocked."
"""Assumption: only the text for locking is documented."""

INVOICE_PAID = ("Invoice Paid", "Invoice paid")
"""Title and message of the item that comes before that of `add_instance`."""
