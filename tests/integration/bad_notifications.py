"""Notifications that must not come in, each with the words that tell their author so; read by `test_admission`."""

from __future__ import annotations

from typing import Any

from tests.integration.bad_specs import Refused

_DESTINATION: dict[str, Any] = {
    "name": "ops",
    "url": "https://hooks.example/x",
    "signingSecretRef": {"name": "hooks"},
}
_FIRST = "spec.notifications[0]"
_FROM_SECRET = {"secretKeyRef": {"name": "hooks", "key": "url"}}
_ONE_ADDRESS = "exactly one of url and urlFrom is required"
_ADDRESS = "must be an http or https address without user name and password"


def told(**fields: Any) -> dict[str, Any]:
    """Return a spec with one destination; None takes a field away."""
    return {"notifications": [{key: it for key, it in {**_DESTINATION, **fields}.items() if it is not None}]}


REFUSED_NOTIFICATIONS = [
    Refused(
        "too many destinations",
        {"notifications": [{**_DESTINATION, "name": f"ops-{n}"} for n in range(6)]},
        "spec.notifications",
        "must have at most 5 items",
    ),
    Refused("a destination twice", {"notifications": [_DESTINATION] * 2}, "spec.notifications[1]", "Duplicate value"),
    Refused("a destination without a name", told(name=None), f"{_FIRST}.name", "Required value"),
    Refused("a destination with an odd name", told(name="My Ops"), f"{_FIRST}.name", "should match"),
    Refused("no address", told(url=None), _FIRST, _ONE_ADDRESS),
    Refused("two addresses", told(urlFrom=_FROM_SECRET), _FIRST, _ONE_ADDRESS),
    Refused("half a reference", told(url=None, urlFrom={}), f"{_FIRST}.urlFrom.secretKeyRef", "Required value"),
    *(
        Refused(f"the address {url!r}", told(url=url), f"{_FIRST}.url", _ADDRESS)
        for url in ("hooks.example", "ftp://hooks.example/", "https://user:word@hooks.example/", "https://", "a b")
    ),
    Refused("an endless address", told(url="https://" + "h" * 2048), f"{_FIRST}.url", "may not be more than 2048"),
    Refused("no signing secret", told(signingSecretRef=None), f"{_FIRST}.signingSecretRef", "Required value"),
    Refused("a secret without a name", told(signingSecretRef={}), f"{_FIRST}.signingSecretRef.name", "Required value"),
    Refused("an unknown event", told(events=["instance.bored"]), f"{_FIRST}.events[0]", '"instance.ready"'),
    Refused("an event twice", told(events=["instance.ready"] * 2), f"{_FIRST}.events[1]", "Duplicate value"),
]
