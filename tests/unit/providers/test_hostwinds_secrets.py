"""The key and the root password: refused, echoed, shown, and never told."""

from __future__ import annotations

import json

import httpx
import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.providers.base import ProviderError, Unauthorized
from tests.unit.providers.hostwinds_script import DONE, KEY, ORDER, UNAUTHORIZED, Script, Verb

READS: list[Verb] = [
    lambda p: p.list_machines(),
    lambda p: p.get_machine("183"),
    lambda p: p.get_access("183"),
    lambda p: p.list_plans("183"),
    lambda p: p.get_upgrade_order("183"),
    lambda p: p.stop("183"),
    lambda p: p.create(ORDER),
]


@pytest.mark.parametrize("verb", READS)
@pytest.mark.parametrize("status", [200, 401, 403])
async def test_not_authorized_is_configuration(verb: Verb, status: int) -> None:
    """Any call, any status: both causes are named, and it is not asked twice."""
    script = Script()
    script.answers = dict.fromkeys(
        ("get_instances", "get_instance", "check_serviceid", "get_price_list", "check_upgrade_order", "add_instance"),
        httpx.Response(status, content=json.dumps(UNAUTHORIZED).encode()),
    )
    with pytest.raises(Unauthorized, match=r"API key is wrong.*IPv4 address") as caught:
        await verb(script.provider)
    assert caught.value.reason is Reason.UNAUTHORIZED
    assert len(script.forms) == 1


ECHOES: list[object] = [
    [{"result": "error", "action": "X", "message": f"bad key {KEY}"}],
    [*DONE, {"result": "error", "message": f"bad key {KEY}"}],
    httpx.Response(400, json=[{"result": "error", "message": f"bad key {KEY}"}]),
    httpx.Response(500, text=f"crashed with {KEY}"),
    {"success": {"serviceid": None, "password": "canary-root"}},
    {"success": [{"serviceid": KEY, "password": "canary-root"}]},
]


@pytest.mark.parametrize("verb", READS)
@pytest.mark.parametrize("echo", ECHOES)
async def test_no_secret_is_in_an_error_or_a_log(verb: Verb, echo: object, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the key that is sent nor the root password that is shown."""
    caplog.set_level("DEBUG")
    script = Script()
    script.answers = dict.fromkeys(
        ("get_instances", "get_instance", "get_price_list", "check_upgrade_order", "add_instance", "shutdown"), echo
    )
    script.answers["check_serviceid"] = {"success": True}
    try:
        result = await verb(script.provider)
    except ProviderError as error:
        result = (error, error.message, error.code, error.__cause__)
    shown = repr(result) + caplog.text
    assert KEY not in shown
    assert "canary-root" not in shown
    assert all(KEY not in str(request.url) for request in script.requests)
