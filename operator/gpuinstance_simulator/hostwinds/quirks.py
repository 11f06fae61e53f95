"""What nobody knows about the real Hostwinds API, or what sources contradict each other about, as switches.

The defaults are the readings that real clients have confirmed, and guesses where there are none. Each
field is an option of the command line by itself, and can be changed at run time in the admin API.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Quirks(BaseModel):
    """One reading of the API; frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    bare_reads: bool = False
    """instances, ids and addresses come bare instead of in {"success": ...}"""
    single_item: bool = False
    """a result of one item is the object itself, not an array of it"""
    numbers_as_text: bool = False
    """integers in objects are strings, as PHP likes to send them"""
    upper_statuses: bool = False
    """all status words are in upper case; otherwise `active` is in lower and RESIZED in upper case"""
    verify_resize: bool = False
    """a resized server has the status VERIFY_RESIZE instead of RESIZED"""
    auth_status: Literal[200, 401, 403] = 200
    """HTTP status of an authorization error"""
    unknown_action: Literal["item", "empty"] = "item"
    """what an unknown action is answered with: an error item, or an empty body"""
    no_order: Literal["false", "list", "item", "empty"] = "false"
    """answer where no upgrade order is open: success false, success [], an error item, or an empty body"""
    unknown_service: Literal["false", "item"] = "false"
    """answer of check_serviceid for an unknown one: success false, or an error item"""
    price_list: Literal["array", "map"] = "array"
    """shape of the price list: an array, or a map by id"""
    order_status: bool = False
    """an upgrade order shows whether its invoice is paid, in a field `status`"""
    paid_order_vanishes: bool = False
    """an upgrade order is no longer shown once its invoice is paid"""
    disk_only_skips_resized: bool = False
    """an upgrade of nothing but the disk ends active, without RESIZED"""
    repeated_upgrade: Literal["refused", "charged"] = "refused"
    """what a second upgrade_server does: it is refused, or accepted and charged once more"""
    stale_seconds: float = Field(default=3, ge=0)
    """virtual seconds for which a server shows its old state after an asynchronous call was accepted"""
    mixed_items: Literal["none", "accepted", "refused"] = "none"
    """which results are arrays that mix success and error: none, those of accepted or of refused calls"""
    recreate_keeps_address: bool = False
    """a recreated server keeps its main address"""
    regenerate_changes_address: bool = False
    """a server with regenerated networking has another main address"""
    suspension: Literal["both", "status", "flag"] = "both"
    """where a suspension shows: in `status`, in `is_suspended`, or in both"""
    hourly_enabled: bool = False
    """hourly billing is offered"""
    first_page: Literal[0, 1] = 1
    """number of the first page of get_instance_ids"""
