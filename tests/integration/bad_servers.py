"""Specs of Hostwinds servers that must not come in: what a server cannot be, each with the words that say so."""

from __future__ import annotations

from tests.integration.bad_specs import OWN, UNLISTED, Refused, ports

_NO_CONTAINERS = "hostwinds runs no containers: name a template in templateID, and remove image"
_BY_PRODUCT = "at hostwinds the product says what is in a server, and hostwinds.locationID where it is"

REFUSED_SERVERS = [
    Refused("no block", {"hostwinds": None}, "spec", "provider hostwinds needs hostwinds.locationID"),
    Refused("no place", {"hostwinds": {}}, "spec.hostwinds.locationID", "Required value"),
    Refused("place 0", {"hostwinds": {"locationID": 0}}, "spec.hostwinds.locationID", "greater than or equal to 1"),
    Refused(
        "a place by name", {"hostwinds": {"locationID": "Seattle"}}, "spec.hostwinds.locationID", "of type integer"
    ),
    Refused(
        "an unknown cycle",
        {"hostwinds": {"locationID": 1, "billingCycle": "Weekly"}},
        "spec.hostwinds.billingCycle",
        '"Hourly", "Monthly", "Quarterly", "Semiannually", "Annually", "Biennially", "Triennially"',
    ),
    Refused(
        "a key twice",
        {"hostwinds": {"locationID": 1, "sshKeys": ["ops", "ops"]}},
        "spec.hostwinds.sshKeys[1]",
        "Duplicate value",
    ),
    Refused(
        "too many keys",
        {"hostwinds": {"locationID": 1, "sshKeys": [f"key-{n}" for n in range(21)]}},
        "spec.hostwinds.sshKeys",
        "must have at most 20 items",
    ),
    Refused(
        "a key without a name",
        {"hostwinds": {"locationID": 1, "sshKeys": [""]}},
        "spec.hostwinds.sshKeys[0]",
        "at least 1 chars",
    ),
    Refused("an image", {"image": "nginx", "templateID": None}, "spec", _NO_CONTAINERS),
    *(
        Refused(f"a container's {name}", {name: value}, "spec", _NO_CONTAINERS)
        for name, value in (
            ("command", "serve"),
            ("entrypoint", "/tini"),
            ("env", [{"name": "A", "value": "1"}]),
            ("registryAuthID", "auth-1"),
        )
    ),
    *(
        Refused(f"{name} beside the product", {name: value}, "spec", _BY_PRODUCT)
        for name, value in (
            ("rootfsSizeGB", 100),
            ("networkVolumes", [{"id": "ns-1001"}]),
            ("minCudaVersion", "12.4"),
            ("regions", ["US-CA-06"]),
            ("gpuCount", 2),
        )
    ),
    *(
        Refused(f"billing {billing['mode']}", {"billing": billing}, "spec", "hostwinds bills by hostwinds.billingCycle")
        for billing in ({"mode": "Spot"}, {"mode": "Monthly", "months": 3})
    ),
    Refused(
        "help for what is never taken back",
        {"recovery": {"onSpotReclaim": "Start"}},
        "spec",
        "hostwinds sells no spot machines: remove recovery.onSpotReclaim",
    ),
    Refused(
        "a check of a port that a template cannot have",
        {"ports": None, "healthCheck": {"endpoints": ports(80)}},
        "spec",
        UNLISTED,
    ),
    *(
        Refused(f"a {name} token of the operator's own", {"actions": {name: "recovery/1"}}, f"spec.actions.{name}", OWN)
        for name in ("reinstall", "regenerateNetworking")
    ),
]
