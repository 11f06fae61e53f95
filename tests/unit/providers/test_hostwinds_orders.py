"""What the adapter buys, and what it sees of an upgrade's order; over scripted answers."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import httpx
import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingCycle, BillingMode, PortProtocol
from gpuinstance.core.model import PlanChoice, Port, Software, Volume
from gpuinstance.providers.base import NotFound, ProviderError, RateLimited, Rejected, Unauthorized, Unavailable
from tests.unit.providers.hostwinds_script import DENIED, DONE, KEY, ORDER, UNAUTHORIZED, Script, Verb


async def test_an_order_is_a_form() -> None:
    """One server, its cycle in small letters, its keys as an array; the answer brings no id."""
    script = Script()
    cycle = dataclasses.replace(ORDER, billing_cycle=BillingCycle.SEMIANNUALLY, ssh_keys=("laptop", "ci"))
    assert await script.provider.create(ORDER) is None
    assert await script.provider.create(cycle) is None
    plain = {
        "action": ["add_instance"],
        "API": [KEY],
        "template": ["d3b0"],
        "rid": ["402"],
        "location_id": ["1"],
        "qty": ["1"],
        "srvrname": [ORDER.name],
        "billingcycle": ["monthly"],
    }
    assert script.forms == [plain, {**plain, "billingcycle": ["semiannually"], "keys[]": ["laptop", "ci"]}]


IMPOSSIBLE: dict[str, dict[str, object]] = {
    "spot": {"billing_mode": BillingMode.SPOT},
    "several GPUs": {"gpu_count": 2},
    "no location": {"region_id": None},
    "an image": {"software": Software("nginx")},
    "an environment": {"software": Software("", template_id="d3b0", env=(("A", "canary"),))},
    "a command": {"software": Software("", template_id="d3b0", command="run")},
    "a volume": {"software": Software("", template_id="d3b0", volumes=(Volume("v", "/data"),))},
}


@pytest.mark.parametrize("changes", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
async def test_an_impossible_order_is_refused_in_words(changes: dict[str, object]) -> None:
    """Nothing is bought without what was asked for."""
    script = Script()
    with pytest.raises(Rejected) as caught:
        await script.provider.create(dataclasses.replace(ORDER, **changes))  # type: ignore[arg-type]  # of many fields
    assert caught.value.reason is Reason.UNSUPPORTED_BY_PROVIDER
    assert "canary" not in caught.value.message
    assert script.forms == []


UNSUPPORTED: list[Verb] = [
    lambda p: p.set_ports("183", [Port(80, PortProtocol.HTTP)]),
    lambda p: p.grow_disk("183", from_gb=50, to_gb=60),
    lambda p: p.change_software("183", Software("nginx"), keep_data=True),
    lambda p: p.switch_to_monthly("183", 1),
]


@pytest.mark.parametrize("verb", UNSUPPORTED)
async def test_what_it_lacks_is_refused_in_words(verb: Verb) -> None:
    """A definite no with its own reason, without a request."""
    script = Script()
    with pytest.raises(Rejected, match="Hostwinds has no way to") as caught:
        await verb(script.provider)
    assert caught.value.reason is Reason.UNSUPPORTED_BY_PROVIDER
    assert script.forms == []


async def test_a_custom_plan_is_ordered_with_its_sizes() -> None:
    """Memory in MB, as servers show it; sizes that are not named are not sent."""
    script = Script()
    await script.provider.order_upgrade("183", PlanChoice("420", ram_mb=4096, cpu=2, bandwidth=3))
    sizes = {key: script.forms[-1].get(key) for key in ("rid", "ram", "cpu", "disk", "bandwidth")}
    assert sizes == {"rid": ["420"], "ram": ["4096"], "cpu": ["2"], "disk": None, "bandwidth": ["3"]}
    await script.provider.apply_upgrade("183", disk_gb=None)
    assert "disk" not in script.forms[-1]


OPEN = {"id": 98, "orderid": 550, "invoiceid": 416, "duedate": "2018-06-01", "total": "4.00"}


@pytest.mark.parametrize("answer", [OPEN, {"success": OPEN}, {"success": [OPEN]}, [OPEN]])
async def test_an_open_order(answer: object) -> None:
    """In every envelope."""
    order = await Script(check_upgrade_order=answer).provider.get_upgrade_order("183")
    assert order is not None
    assert (order.id, order.order_id, order.invoice_id, order.total) == ("98", "550", "416", Decimal("4.00"))


NO_ORDER = {
    "an error item": [{"result": "error", "message": "No upgrade order found."}],
    "a single error item": {"result": "error", "message": "whatever"},
    "the text of an unknown id": DENIED,
    "no": {"success": False},
    "null": {"success": None},
    "an empty list": {"success": []},
    "a bare empty list": [],
    "an empty object": {"success": {}},
    "a bare empty object": {},
    "nothing": httpx.Response(200),
}


@pytest.mark.parametrize("answer", NO_ORDER.values(), ids=NO_ORDER.keys())
async def test_no_order(answer: object) -> None:
    """Every way in which none may be shown, for a server that is valid."""
    assert await Script(check_upgrade_order=answer).provider.get_upgrade_order("183") is None


NO_KNOWLEDGE: dict[str, tuple[object, type[ProviderError]]] = {
    "a page of HTML": (httpx.Response(200, text="<html>"), Unavailable),
    "a server error": (httpx.Response(500), Unavailable),
    "a page of 404": (httpx.Response(404, text="<html>"), Unavailable),
    "a refused key": (UNAUTHORIZED, Unauthorized),
    "a refused key by status": (httpx.Response(403), Unauthorized),
    "a limit": (httpx.Response(429), RateLimited),
    "a limit in words": ([{"result": "error", "message": "Too many requests"}], RateLimited),
    "trouble in words": ([{"result": "error", "message": "Please try again later."}], Unavailable),
    "a confirmation": (DONE, Unavailable),
    "two orders": ({"success": [OPEN, OPEN]}, Unavailable),
    "an order without a number": ({"success": {"total": "4.00"}}, Unavailable),
    "a text": ({"success": "soon"}, Unavailable),
}


@pytest.mark.parametrize(("answer", "error"), NO_KNOWLEDGE.values(), ids=NO_KNOWLEDGE.keys())
async def test_trouble_is_not_the_absence_of_an_order(answer: object, error: type[ProviderError]) -> None:
    """Nothing was learnt then."""
    with pytest.raises(error):
        await Script(check_upgrade_order=answer).provider.get_upgrade_order("183")


async def test_no_server_is_not_no_order() -> None:
    """An id that is not valid is NotFound, whichever words its order is denied with."""
    for denial in (DENIED, httpx.Response(200)):
        script = Script(check_upgrade_order=denial, check_serviceid={"success": False})
        with pytest.raises(NotFound):
            await script.provider.get_upgrade_order("183")
