"""Connections that must not come in, each with the words that tell their author so; read by `test_admission`."""

from __future__ import annotations

from typing import Any

from tests.integration.bad_specs import Refused

_SECRET, _SERVICE = "spec.connection.secretName", "spec.connection.serviceName"
_NO_SECRET = "secretName must be a DNS-1123 name: lowercase letters, digits, - and ."
_NO_SERVICE = "serviceName must be a DNS label that begins with a letter: lowercase letters, digits"
_A_KEY = "connection.secretName must not be a Secret with a provider's API key"
_NO_PORT = "with connection, names of ports become those of a Service: lowercase letters, digits and"


def _published(**names: Any) -> dict[str, Any]:
    return {"connection": names}


REFUSED_CONNECTIONS = [
    *(
        Refused(f"the Secret {name!r}", _published(secretName=name), _SECRET, _NO_SECRET)
        for name in ("My-Secret", "a/b", "..", "-a")
    ),
    *(
        Refused(f"the Service {name!r}", _published(serviceName=name), _SERVICE, _NO_SERVICE)
        for name in ("1st", "my.service", "Upper", "ends-")
    ),
    Refused("a Service of a long name", _published(serviceName="s" * 64), _SERVICE, "may not be more than 63"),
    Refused("the Secret with the key", _published(secretName="novita-credentials"), "spec", _A_KEY),
    Refused(
        "the Secret with its own key",
        {"credentialsRef": {"name": "mine"}, **_published(secretName="mine")},
        "spec",
        _A_KEY,
    ),
    Refused(
        "a port whose name no Service has", {"ports": [{"port": 80, "name": "Web"}], **_published()}, "spec", _NO_PORT
    ),
]
