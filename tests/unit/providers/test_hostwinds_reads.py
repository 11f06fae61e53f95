"""What the adapter makes of reads: a server, the listing, prices; over scripted answers."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import Machine
from gpuinstance.providers.base import IncompleteListing, NotFound, Unavailable
from tests.unit.providers.hostwinds_script import DENIED, NOW, SERVER, Script


async def test_a_read_is_repeated_although_it_is_a_post() -> None:
    """Three attempts at a broken server."""
    script = Script(get_instance=httpx.Response(502))
    with pytest.raises(Unavailable):
        await script.provider.get_machine("183")
    assert script.actions == ["get_instance"] * 3


async def test_a_server_is_asked_for_once() -> None:
    """A lookup costs one request as long as the server is there."""
    script = Script()
    assert (await script.provider.get_machine("183")).name == "ours"
    assert script.actions == ["get_instance"]


@pytest.mark.parametrize("denial", [DENIED, {"success": False}, {"success": None}, {"success": {}}, [], {}])
async def test_not_found_takes_two_words(denial: object) -> None:
    """Both ways of asking deny it; if they contradict each other, nothing is known."""
    script = Script(get_instance=denial, check_serviceid={"success": False})
    with pytest.raises(NotFound) as caught:
        await script.provider.get_machine("183")
    assert caught.value.reason is Reason.INSTANCE_LOST
    assert script.actions == ["get_instance", "check_serviceid"]
    with pytest.raises(Unavailable):
        await Script(get_instance=denial).provider.get_machine("183")
    with pytest.raises(Unavailable):
        await Script(get_instance=denial).provider.stop("183")


async def test_an_answer_about_another_server_is_none() -> None:
    """It has to prove that it is meant."""
    with pytest.raises(Unavailable, match="another server"):
        await Script(get_instance={**SERVER, "serviceid": 184}).provider.get_machine("183")


async def listed(script: Script) -> tuple[Machine, ...]:
    return (await script.provider.list_machines()).machines


@pytest.mark.parametrize("envelope", [lambda it: it, lambda it: {"success": it}])
async def test_a_listing_in_either_envelope(envelope: Callable[[object], object]) -> None:
    """Bare or under `success`, empty or not; it knows when it was begun."""
    script = Script(get_instances=envelope([SERVER, {**SERVER, "serviceid": "184", "srvrname": "theirs"}]))
    listing = await script.provider.list_machines()
    assert [(it.id, it.name) for it in listing.machines] == [("183", "ours"), ("184", "theirs")]
    assert listing.started_at == NOW
    assert script.actions == ["get_instances"]
    assert await listed(Script(get_instances=envelope([]))) == ()


INCOMPLETE = {
    "nothing": None,
    "no": {"success": False},
    "null": {"success": None},
    "an object": {"success": {"183": SERVER}},
    "an empty object": {},
    "an entry without an id": [SERVER, {"srvrname": "x"}],
    "an entry that is none": [SERVER, "x"],
    "an entry twice": [SERVER, {**SERVER, "serviceid": "183"}],
}


@pytest.mark.parametrize("answer", INCOMPLETE.values(), ids=INCOMPLETE.keys())
async def test_a_listing_that_cannot_be_read_is_none(answer: object) -> None:
    """Incomplete, not shorter, and never empty."""
    with pytest.raises(IncompleteListing):
        await listed(Script(get_instances=answer))


NAMELESS = {key: value for key, value in SERVER.items() if key != "srvrname"}


async def test_names_are_looked_up_where_the_listing_has_none() -> None:
    """In the list of ids; a server whose name is nowhere makes the listing incomplete: it may be ours."""
    names = [{"id": "183", "srvrname": "ours"}, {"id": "7", "srvrname": "x"}]
    for entry in (NAMELESS, {**SERVER, "srvrname": None}, {**SERVER, "srvrname": ""}):
        script = Script(get_instances=[entry], get_instance_ids={"success": names})
        assert [it.name for it in await listed(script)] == ["ours"]
        assert script.actions == ["get_instances", "get_instance_ids"]
    for ids in ([], [{"id": 183}], [{"id": 183, "srvrname": None}], {"success": False}):
        with pytest.raises(IncompleteListing):
            await listed(Script(get_instances=[NAMELESS], get_instance_ids=ids))
    unnamed = Script(get_instances=[{**SERVER, "srvrname": ""}], get_instance_ids=[{"id": 183, "srvrname": ""}])
    assert [it.name for it in await listed(unnamed)] == [""]


async def test_what_cannot_be_listed_costs_no_request() -> None:
    """Templates are taken at their word, regions and registries do not exist."""
    script = Script()
    template = await script.provider.get_template("d3b0")
    assert (template.id, template.image, template.installed_by_provider) == ("d3b0", "", True)
    assert (await script.provider.list_regions(), await script.provider.list_registry_auths()) == ((), ())
    assert script.forms == []


PRICES = [{"rid": 402, "name": "VPS small", "monthly": "7.30"}, {"rid": 404, "name": "VPS large", "current": 1}]


async def test_prices() -> None:
    """The whole list for a machine that exists, without it what is searched for; nothing that is not sold."""
    script = Script(get_price_list={"success": PRICES})
    search = script.provider.list_products

    async def found(name: str, count: int = 1, mode: BillingMode = BillingMode.ON_DEMAND) -> list[str]:
        return [it.id for it in await search(name=name, gpu_count=count, mode=mode)]

    assert await found("") == ["402", "404"]
    assert await found("vps LARGE") == ["404"]
    assert await found("no such GPU") == []
    assert "serviceid" not in script.forms[-1]
    sent = len(script.forms)
    assert await found("", count=2) == await found("", mode=BillingMode.MONTHLY) == []
    assert len(script.forms) == sent
    plans = await script.provider.list_plans("183")
    assert [(it.id, it.is_current) for it in plans] == [("402", False), ("404", True)]
    assert script.forms[-1]["serviceid"] == ["183"]
    with pytest.raises(Unavailable):
        await Script(get_price_list={"success": False}).provider.list_plans("183")
