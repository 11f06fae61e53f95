"""InstanceUpgrades that must not come in, and changes of one that must not, each with the words that say so.

Read by `test_upgrades_admission`. A row is as in `bad_specs`: what is wrong, the part of the spec that makes it so,
the field that has to be named, and the rule.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.integration.bad_specs import DURATION, RESERVED, Refused, ports

_TARGET = "spec.target"
_ONE_TARGET = "exactly one of plan, image, rootfsExpandGB, ports and billing is required"
_PLAN = "a plan needs an id, or at least one of ram, cpu and disk"
_TOKEN = {"name": "TOKEN"}


def _once(field: str) -> str:
    return f"an upgrade runs once, so {field} cannot be changed: create another InstanceUpgrade"


def _image(**fields: Any) -> dict[str, Any]:
    return {"target": {"image": {"image": "nginx", **fields}}}


REFUSED_UPGRADES = [
    Refused("of nothing", {"instanceRef": None}, "spec.instanceRef", "Required value"),
    Refused("of no name", {"instanceRef": {"name": ""}}, "spec.instanceRef.name", "at least 1 chars"),
    Refused("elsewhere", {"instanceRef": {"name": "web", "namespace": "b"}}, "spec.instanceRef", "unknown field"),
    Refused("to nothing", {"target": None}, _TARGET, "Required value"),
    Refused("to nothing in particular", {"target": {}}, _TARGET, _ONE_TARGET),
    Refused("to two things", {"target": {"plan": {"id": "403"}, "rootfsExpandGB": 10}}, _TARGET, _ONE_TARGET),
    # Plans.
    Refused("to a plan without a word about it", {"target": {"plan": {}}}, f"{_TARGET}.plan", _PLAN),
    Refused("to a plan by its traffic alone", {"target": {"plan": {"bandwidth": 2}}}, f"{_TARGET}.plan", _PLAN),
    Refused(
        "to sizes with traffic",
        {"target": {"plan": {"ram": 4096, "bandwidth": 2}}},
        f"{_TARGET}.plan",
        "bandwidth is chosen together with the id of a custom plan: add id",
    ),
    Refused("to a plan without an id", {"target": {"plan": {"id": ""}}}, f"{_TARGET}.plan.id", "at least 1 chars"),
    Refused("to a plan by number", {"target": {"plan": {"id": 403}}}, f"{_TARGET}.plan.id", "must be of type string"),
    *(
        Refused(
            f"to a plan with {size} {number}",
            {"target": {"plan": {size: number}}},
            f"{_TARGET}.plan.{size}",
            f"should be {'greater' if number < limit else 'less'} than or equal to {limit}",
        )
        for size, number, limit in (
            ("ram", 0, 1),
            ("ram", 4194305, 4194304),
            ("cpu", 0, 1),
            ("cpu", 1025, 1024),
            ("disk", 0, 1),
            ("disk", 1048577, 1048576),
            ("bandwidth", 0, 1),
        )
    ),
    # Everything else that a machine may become.
    Refused("to no image", {"target": {"image": {}}}, f"{_TARGET}.image.image", "Required value"),
    Refused(
        "with a variable without a value",
        _image(env=[_TOKEN]),
        f"{_TARGET}.image.env[0]",
        "exactly one of value and valueFrom is required",
    ),
    Refused(
        "with a variable from nowhere",
        _image(env=[{**_TOKEN, "valueFrom": {}}]),
        f"{_TARGET}.image.env[0].valueFrom",
        "exactly one of secretKeyRef and configMapKeyRef is required",
    ),
    Refused("with a word for a truth", _image(keepData="no"), f"{_TARGET}.image.keepData", "must be of type boolean"),
    Refused("by no disk", {"target": {"rootfsExpandGB": 0}}, f"{_TARGET}.rootfsExpandGB", "than or equal to 1"),
    Refused("by too much disk", {"target": {"rootfsExpandGB": 6145}}, f"{_TARGET}.rootfsExpandGB", "equal to 6144"),
    Refused("to a reserved port", {"target": {"ports": ports(2222)}}, f"{_TARGET}.ports[0].port", RESERVED),
    Refused("to a port twice", {"target": {"ports": ports(80, 80)}}, f"{_TARGET}.ports[1]", "Duplicate value"),
    Refused(
        "to two ports of one name",
        {"target": {"ports": [{"port": 80, "name": "web"}, {"port": 81, "name": "web"}]}},
        f"{_TARGET}.ports",
        "names of ports must be unique",
    ),
    Refused("to too many ports", {"target": {"ports": ports(*range(1, 17))}}, f"{_TARGET}.ports", "at most 15 items"),
    Refused("to no term", {"target": {"billing": {}}}, f"{_TARGET}.billing.months", "Required value"),
    Refused("to no month", {"target": {"billing": {"months": 0}}}, f"{_TARGET}.billing.months", "equal to 1"),
    Refused(
        "back to the hour",
        {"target": {"billing": {"mode": "OnDemand", "months": 1}}},
        f"{_TARGET}.billing.mode",
        'supported values: "Monthly"',
    ),
    # How it is done.
    *(
        Refused(f"with a patience of {words!r}", {"payment": {"timeout": words}}, "spec.payment.timeout", DURATION)
        for words in ("", "72", "3d", "1.5h")
    ),
    Refused("with a limit below nothing", {"payment": {"maxTotal": -1}}, "spec.payment.maxTotal", "equal to 0"),
    Refused("with a limit in words", {"payment": {"maxTotal": "$5"}}, "spec.payment.maxTotal", "type number"),
    Refused(
        "with an invoice by number",
        {"payment": {"confirmedInvoiceID": 416}},
        "spec.payment.confirmedInvoiceID",
        "must be of type string",
    ),
    Refused(
        "with no invoice",
        {"payment": {"confirmedInvoiceID": ""}},
        "spec.payment.confirmedInvoiceID",
        "at least 1 chars",
    ),
    Refused("confirmed by chance", {"confirmation": "Maybe"}, "spec.confirmation", '"Automatic", "Manual"'),
    Refused("ended by chance", {"onVerifyFailure": "Panic"}, "spec.onVerifyFailure", '"Revert", "Hold"'),
    Refused("cancelled in words", {"cancel": "yes"}, "spec.cancel", "must be of type boolean"),
    Refused("kept for days", {"ttlAfterFinished": "1d"}, "spec.ttlAfterFinished", DURATION),
    Refused("misspelt", {"confirmed": True}, "spec.confirmed", "unknown field"),
]


class Kept(NamedTuple):
    """A change of an existing upgrade that must not come in."""

    why: str
    before: dict[str, Any]
    patch: dict[str, Any]
    rule: str


KEPT_UPGRADES = [
    Kept("another instance", {}, {"instanceRef": {"name": "other"}}, _once("instanceRef")),
    Kept("another plan", {}, {"target": {"plan": {"id": "404"}}}, _once("target")),
    Kept("another kind of target", {}, {"target": {"plan": None, "rootfsExpandGB": 10}}, _once("target")),
    Kept("a limit afterwards", {}, {"payment": {"maxTotal": 5}}, _once("payment.maxTotal")),
    Kept("a higher limit", {"payment": {"maxTotal": 5}}, {"payment": {"maxTotal": 6}}, _once("payment.maxTotal")),
    Kept("no limit any more", {"payment": {"maxTotal": 5}}, {"payment": {"maxTotal": None}}, _once("payment.maxTotal")),
    Kept("more patience", {}, {"payment": {"timeout": "96h"}}, _once("payment.timeout")),
    Kept("another way to confirm", {}, {"confirmation": "Manual"}, _once("confirmation")),
    Kept("another way out", {}, {"onVerifyFailure": "Hold"}, _once("onVerifyFailure")),
    Kept("an end of its time", {}, {"ttlAfterFinished": "1h"}, _once("ttlAfterFinished")),
    Kept("a confirmation taken back", {"confirm": True}, {"confirm": False}, "confirm cannot be taken back"),
    Kept(
        "a cancellation taken back",
        {"cancel": True},
        {"cancel": False},
        "cancel cannot be taken back: create another InstanceUpgrade",
    ),
]

ALLOWED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the word that it is paid": ({}, {"payment": {"confirmedInvoiceID": "416"}}),
    "another invoice": ({"payment": {"confirmedInvoiceID": "417"}}, {"payment": {"confirmedInvoiceID": "416"}}),
    "that word taken back": ({"payment": {"confirmedInvoiceID": "417"}}, {"payment": {"confirmedInvoiceID": None}}),
    "the word to keep it": ({}, {"confirm": True}),
    "the word to stop": ({}, {"cancel": True}),
    "both at once, with its limit": ({"payment": {"maxTotal": 5}}, {"confirm": True, "cancel": True}),
    "the same in other words": ({}, {"payment": {"timeout": "72h"}, "confirmation": "Automatic"}),
}
"""What a person may do afterwards, by name: the spec before, and the change."""
