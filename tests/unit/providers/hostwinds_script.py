"""Hostwinds by a script, for the tests of its adapter: an answer for each action, and what was asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qs

import httpx

from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import Order, Software
from gpuinstance.providers.hostwinds import Hostwinds

NOW = datetime(2026, 8, 22, tzinfo=UTC)
KEY = "canary-key-0123456789"
ORDER = Order(
    name="gpui-default-trainer-0f8fad5b-1",
    product_id="402",
    product_name="VPS",
    region_id="1",
    region_name="1",
    gpu_count=1,
    rootfs_gb=50,
    software=Software("", template_id="d3b0"),
    ports=(),
    billing_mode=BillingMode.ON_DEMAND,
    months=None,
    min_cuda_version=None,
    hourly_price=Decimal("0.0137"),
)
SERVER = {"serviceid": 183, "srvrname": "ours", "status": "active", "password": "canary-root"}
DONE = [{"result": "success", "action": "Any", "message": "done"}]
DENIED = [{"result": "error", "action": "Any", "message": "A valid serviceid is required."}]
UNAUTHORIZED = [{"result": "error", "action": "Authorization", "message": "Not Authorized!"}]

Form = dict[str, list[str]]
Answer = object
"""JSON for a 200, or a whole response."""


async def no_pause(_: float) -> None:
    """Pass at once."""


class Script:
    """Hostwinds by a script: an answer for each action, and a record of what was asked."""

    def __init__(self, **answers: Answer) -> None:
        self.answers: dict[str, Answer] = {
            "check_serviceid": {"success": True},
            "get_instance": {"success": SERVER},
            **answers,
        }
        self.requests: list[httpx.Request] = []
        self.forms: list[Form] = []
        self.provider = Hostwinds(KEY, transport=httpx.MockTransport(self._answer), sleep=no_pause, now=lambda: NOW)

    @property
    def actions(self) -> list[str]:
        """What was asked for, in order."""
        return [form["action"][0] for form in self.forms]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.forms.append(parse_qs(request.content.decode(), keep_blank_values=True))
        answer = self.answers.get(self.actions[-1], DONE)
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, content=answer.content)
        return httpx.Response(200, json=answer)


Verb = Callable[[Hostwinds], Awaitable[object]]
