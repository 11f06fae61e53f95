"""The answer to one API call, before it is put on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gpuinstance_simulator.machine import Machine

_GATEWAY_PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n"
    "<center><h1>{0}</h1>{1}</center>\r\n<hr><center>openresty</center>\r\n</body>\r\n</html>\r\n"
)
_TITLES = {
    200: "Welcome",
    404: "404 Not Found",
    429: "429 Too Many Requests",
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, body and headers; `machine` is the one that the call was about, if it was accepted."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    machine: Machine | None = None

    @classmethod
    def of_json(cls, payload: object, *, status: int = 200, machine: Machine | None = None) -> Reply:
        """An answer of JSON."""
        return cls(status, json.dumps(payload).encode(), machine=machine)

    @classmethod
    def of_html(cls, status: int, words: str | None = None) -> Reply:
        """The page that a gateway shows by itself, with `words` of its own if there are any."""
        title = _TITLES.get(status, f"{status} Error")
        return cls(status, _GATEWAY_PAGE.format(title, f"<p>{words}</p>" if words else "").encode(), "text/html")

    def without(self, fields: tuple[str, ...]) -> Reply:
        """The same answer without these fields: see `effects.Strip`."""
        payload = _stripped(json.loads(self.body), fields)
        return replace(self, body=json.dumps(payload).encode())


def _stripped(payload: object, fields: tuple[str, ...]) -> object:
    if isinstance(payload, list):
        return [_stripped(it, fields) for it in payload]
    if not isinstance(payload, dict):
        return payload
    kept = {key: value for key, value in payload.items() if key not in fields}
    is_envelope = len(payload) == len(kept) == 1
    return {key: _stripped(value, fields) for key, value in kept.items()} if is_envelope else kept
