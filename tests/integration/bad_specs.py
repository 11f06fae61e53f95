"""Specs that must not come in, each with the words that tell its author so; read by `test_admission`.

A row says what is wrong, the part of the spec that makes it so, the field that has to be named, and the rule.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Refused(NamedTuple):
    """A spec that must not come in, and what kubectl has to say about it."""

    why: str
    spec: dict[str, Any]
    field: str
    rule: str


def ports(*numbers: int) -> list[dict[str, Any]]:
    return [{"port": number} for number in numbers]


def checks(**settings: Any) -> dict[str, Any]:
    return {"ports": ports(80), "healthCheck": settings}


def variables(**one: Any) -> dict[str, Any]:
    return {"env": [{"name": "TOKEN", **one}]}


SECRET = {"secretKeyRef": {"name": "team", "key": "token"}}
CONFIG = {"configMapKeyRef": {"name": "team", "key": "token"}}
HEADERS = "spec.healthCheck.endpoints[0].headers"
DURATION = "must be a duration such as 90s, 30m or 1h30m"
STATUSES = "must be HTTP status codes and ranges, such as 200-399 or 200,204,301-308"
RESERVED = "ports 2222, 2223 and 2224 are reserved by the provider"
OWN = "tokens that begin with recovery/ belong to the operator: use another text"
UNLISTED = "every port in healthCheck.endpoints must be listed in ports"

REFUSED = [
    Refused("no provider", {"provider": None}, "spec.provider", "Required value"),
    Refused("an unknown cloud", {"provider": "aws"}, "spec.provider", 'supported values: "novita", "hostwinds"'),
    Refused("no product", {"product": None}, "spec.product", "Required value"),
    Refused("an empty product", {"product": {}}, "spec.product", "exactly one of name and id is required"),
    Refused(
        "a product by name and by id",
        {"product": {"name": "RTX 4090 24GB", "id": "4090.16c62g"}},
        "spec.product",
        "exactly one of name and id is required",
    ),
    Refused("neither image nor template", {"image": None}, "spec", "exactly one of image and templateID is required"),
    Refused("image and template", {"templateID": "107672"}, "spec", "exactly one of image and templateID is required"),
    Refused("an empty image", {"image": ""}, "spec.image", "should be at least 1 chars long"),
    Refused("an endless image", {"image": "i" * 501}, "spec.image", "may not be more than 500 bytes"),
    Refused("an endless command", {"command": "c" * 2048}, "spec.command", "may not be more than 2047 bytes"),
    Refused("an endless entrypoint", {"entrypoint": "c" * 2048}, "spec.entrypoint", "may not be more than 2047"),
    Refused("no name of a Secret", {"credentialsRef": {}}, "spec.credentialsRef.name", "Required value"),
    Refused(
        "an empty name of a Secret", {"credentialsRef": {"name": ""}}, "spec.credentialsRef.name", "at least 1 chars"
    ),
    *(
        Refused(
            f"{name!r} as name of a Secret", {"credentialsRef": {"name": name}}, "spec.credentialsRef.name", "match"
        )
        for name in ("..", "team/key", "Team")
    ),
    Refused("an unknown power state", {"powerState": "On"}, "spec.powerState", '"Running", "Stopped"'),
    Refused("a word for a truth", {"suspend": "yes"}, "spec.suspend", "must be of type boolean"),
    Refused("no GPU", {"gpuCount": 0}, "spec.gpuCount", "should be greater than or equal to 1"),
    Refused("nine GPUs", {"gpuCount": 9}, "spec.gpuCount", "should be less than or equal to 8"),
    Refused("half a GPU", {"gpuCount": 0.5}, "spec.gpuCount", "must be of type integer"),
    Refused("a tiny disk", {"rootfsSizeGB": 9}, "spec.rootfsSizeGB", "should be greater than or equal to 10"),
    Refused("a huge disk", {"rootfsSizeGB": 1001}, "spec.rootfsSizeGB", "should be less than or equal to 1000"),
    Refused("a region without a name", {"regions": [""]}, "spec.regions[0]", "at least 1 chars"),
    Refused("too many regions", {"regions": ["r"] * 21}, "spec.regions", "must have at most 20 items"),
    # Environment.
    Refused(
        "too many variables",
        {"env": [{"name": f"V{n}", "value": ""} for n in range(101)]},
        "spec.env",
        "must have at most 100 items",
    ),
    Refused(
        "a variable twice",
        {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
        "spec.env[1]",
        "Duplicate value",
    ),
    Refused("a variable without a name", {"env": [{"name": "", "value": ""}]}, "spec.env[0].name", "at least 1 chars"),
    Refused("an endless name", {"env": [{"name": "N" * 512, "value": ""}]}, "spec.env[0].name", "more than 511"),
    Refused("an endless value", variables(value="v" * 4096), "spec.env[0].value", "more than 4095"),
    Refused("a variable without a value", variables(), "spec.env[0]", "exactly one of value and valueFrom is required"),
    Refused(
        "a variable with two values",
        variables(value="1", valueFrom=SECRET),
        "spec.env[0]",
        "exactly one of value and valueFrom is required",
    ),
    Refused(
        "a variable from nowhere",
        variables(valueFrom={}),
        "spec.env[0].valueFrom",
        "exactly one of secretKeyRef and configMapKeyRef is required",
    ),
    Refused(
        "a variable from two places",
        variables(valueFrom={**SECRET, **CONFIG}),
        "spec.env[0].valueFrom",
        "exactly one of secretKeyRef and configMapKeyRef is required",
    ),
    Refused(
        "a variable from a Secret without a key",
        variables(valueFrom={"secretKeyRef": {"name": "team"}}),
        "spec.env[0].valueFrom.secretKeyRef.key",
        "Required value",
    ),
    Refused(
        "a variable from another namespace",
        variables(valueFrom={"secretKeyRef": {"name": "team", "key": "token", "namespace": "other"}}),
        "spec.env[0].valueFrom.secretKeyRef.namespace",
        "unknown field",
    ),
    # Ports and volumes.
    Refused("too many ports", {"ports": ports(*range(1, 17))}, "spec.ports", "must have at most 15 items"),
    Refused("a port twice", {"ports": ports(80, 80)}, "spec.ports[1]", "Duplicate value"),
    Refused("port 0", {"ports": ports(0)}, "spec.ports[0].port", "should be greater than or equal to 1"),
    Refused("port 65536", {"ports": ports(65536)}, "spec.ports[0].port", "should be less than or equal to 65535"),
    *(
        Refused(f"reserved port {number}", {"ports": ports(number)}, "spec.ports[0].port", RESERVED)
        for number in (2222, 2223, 2224)
    ),
    Refused(
        "an unknown protocol",
        {"ports": [{"port": 53, "protocol": "udp"}]},
        "spec.ports[0].protocol",
        'supported values: "http", "tcp"',
    ),
    Refused(
        "a name of ports twice",
        {"ports": [{"port": 80, "name": "web"}, {"port": 81, "name": "web"}]},
        "spec.ports",
        "names of ports must be unique",
    ),
    Refused(
        "too many volumes",
        {"networkVolumes": [{"id": "v", "mountPath": f"/{n}"} for n in range(31)]},
        "spec.networkVolumes",
        "must have at most 30 items",
    ),
    Refused(
        "two volumes at one place",
        {"networkVolumes": [{"id": "ns-1001", "mountPath": "/data"}, {"id": "ns-1002", "mountPath": "/data"}]},
        "spec.networkVolumes[1]",
        "Duplicate value",
    ),
    Refused("a volume without an id", {"networkVolumes": [{}]}, "spec.networkVolumes[0].id", "Required value"),
    # Billing.
    Refused(
        "an unknown billing mode",
        {"billing": {"mode": "Yearly"}},
        "spec.billing.mode",
        '"OnDemand", "Spot", "Monthly"',
    ),
    Refused("months by the hour", {"billing": {"months": 3}}, "spec.billing", "months is only for mode Monthly"),
    Refused(
        "months of a spot machine",
        {"billing": {"mode": "Spot", "months": 3}},
        "spec.billing",
        "months is only for mode Monthly",
    ),
    Refused("no months", {"billing": {"mode": "Monthly"}}, "spec.billing", "mode Monthly needs months"),
    Refused(
        "no month at all",
        {"billing": {"mode": "Monthly", "months": 0}},
        "spec.billing.months",
        "should be greater than or equal to 1",
    ),
    Refused(
        "more than three years",
        {"billing": {"mode": "Monthly", "months": 37}},
        "spec.billing.months",
        "should be less than or equal to 36",
    ),
    Refused(
        "a price cap of nothing",
        {"billing": {"maxHourlyPrice": 0}},
        "spec.billing.maxHourlyPrice",
        "should be greater than 0",
    ),
    Refused(
        "a price in words",
        {"billing": {"maxHourlyPrice": "$1"}},
        "spec.billing.maxHourlyPrice",
        "must be of type number",
    ),
    # Health checks.
    Refused("a check of a port that is not published", checks(endpoints=ports(81)), "spec", UNLISTED),
    Refused("a check where no port is published", {"healthCheck": {"endpoints": ports(80)}}, "spec", UNLISTED),
    Refused(
        "a target that is not checked",
        checks(endpoints=ports(80), targetPort=81),
        "spec.healthCheck",
        "targetPort must be one of the ports in endpoints",
    ),
    Refused(
        "a target that is not published",
        checks(targetPort=81),
        "spec",
        "healthCheck.targetPort must be listed in ports",
    ),
    Refused(
        "a target where no port is published",
        {"healthCheck": {"targetPort": 80}},
        "spec",
        "healthCheck.targetPort must be listed in ports",
    ),
    Refused("an endpoint twice", checks(endpoints=ports(80, 80)), "spec.healthCheck.endpoints[1]", "Duplicate value"),
    Refused(
        "a path that is none",
        checks(endpoints=[{"port": 80, "path": "healthz"}]),
        "spec.healthCheck.endpoints[0].path",
        "should match '^/",
    ),
    *(
        Refused(
            f"statuses {words!r}",
            checks(endpoints=[{"port": 80, "expectedStatuses": words}]),
            "spec.healthCheck.endpoints[0].expectedStatuses",
            STATUSES,
        )
        for words in ("ok", "", "99", "600", "200-", "200, 204", "2xx", "200,")
    ),
    *(
        Refused(
            f"{name} of {value}",
            checks(**{name: value}),
            f"spec.healthCheck.{name}",
            f"should be {'greater' if value < limit else 'less'} than or equal to {limit}",
        )
        for name, value, limit in (
            ("timeoutSeconds", 0, 1),
            ("timeoutSeconds", 301, 300),
            ("retryAttempts", -1, 0),
            ("retryAttempts", 11, 10),
            ("retryDelaySeconds", 0.05, 0.1),
            ("retryDelaySeconds", 31, 30),
            ("maxWaitSeconds", 29, 30),
            ("maxWaitSeconds", 1801, 1800),
            ("intervalSeconds", 4, 5),
            ("failureThreshold", 0, 1),
            ("failureThreshold", 101, 100),
            ("successThreshold", 0, 1),
            ("successThreshold", 11, 10),
            ("intervalSeconds", 3601, 3600),
        )
    ),
    *(
        Refused(why, checks(endpoints=[{"port": 80, "headers": headers}]), f"{HEADERS}{field}", rule)
        for why, headers, field, rule in (
            (
                "too many headers",
                [{"name": f"X-{n}", "value": ""} for n in range(11)],
                "",
                "must have at most 10 items",
            ),
            ("a header twice", [{"name": "X", "value": ""}] * 2, "[1]", "Duplicate value"),
            ("a header that is none", [{"name": "X Y", "value": ""}], "[0].name", "should match"),
            ("a header of two lines", [{"name": "X", "value": "a\nb"}], "[0].value", "should match"),
            ("a header without a value", [{"name": "X"}], "[0]", "exactly one of value and valueFrom is required"),
        )
    ),
    Refused(
        "a phrase that is everywhere",
        checks(bodyErrorPatterns=["an"]),
        "spec.healthCheck.bodyErrorPatterns[0]",
        "at least 3 chars",
    ),
    Refused("a third way to count", checks(require="Most"), "spec.healthCheck.require", '"All", "Any"'),
    # The rest.
    *(
        Refused(f"a timeout of {words!r}", {"timeouts": {"create": words}}, "spec.timeouts.create", DURATION)
        for words in ("", "30", "10 minutes", "1d", "1.5h", "-5m", "30s10m")
    ),
    Refused("a timeout in seconds", {"timeouts": {"stop": 30}}, "spec.timeouts.stop", "must be of type string"),
    Refused("an empty token", {"actions": {"restart": ""}}, "spec.actions.restart", "at least 1 chars"),
    Refused("an endless token", {"actions": {"recreate": "t" * 64}}, "spec.actions.recreate", "more than 63"),
    *(
        Refused(f"a {name} token of the operator's own", {"actions": {name: "recovery/1"}}, f"spec.actions.{name}", OWN)
        for name in ("restart", "recreate")
    ),
    *(
        Refused(f"{name} at Novita", {"actions": {name: "now"}}, "spec", "actions.reinstall and actions.regenerate")
        for name in ("reinstall", "regenerateNetworking")
    ),
    Refused("a block of another provider", {"hostwinds": {"locationID": 1}}, "spec", "hostwinds is only for provider"),
    Refused(
        "an unknown deletion policy",
        {"deletionPolicy": "Keep"},
        "spec.deletionPolicy",
        '"Delete", "Stop", "Orphan"',
    ),
    Refused("an expiry without an end", {"expiry": {}}, "spec.expiry", "at least one of ttl and idleAfter is required"),
    Refused(
        "an expiry of an action alone",
        {"expiry": {"action": "Delete"}},
        "spec.expiry",
        "at least one of ttl and idleAfter is required",
    ),
    *(
        Refused(
            f"a {field} that is over at once",
            {"expiry": {field: "0h0s"}},
            f"spec.expiry.{field}",
            "must be longer than 0s",
        )
        for field in ("ttl", "idleAfter")
    ),
    Refused("a ttl in days", {"expiry": {"ttl": "1d"}}, "spec.expiry.ttl", DURATION),
    Refused("an unknown end", {"expiry": {"ttl": "1h", "action": "Sell"}}, "spec.expiry.action", '"Stop", "Delete"'),
    Refused("an unknown drift policy", {"drift": "Fix"}, "spec.drift", '"Observe", "Warn", "Correct"'),
    Refused("nothing to adopt", {"adopt": {"instanceID": ""}}, "spec.adopt.instanceID", "at least 1 chars"),
    Refused("an unknown management", {"management": "Half"}, "spec.management", '"Full", "Observe"'),
]
