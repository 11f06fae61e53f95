"""Faults of the exchange do over a real socket what they say, on the right side of the acceptance."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.simulation import Simulation
from tests.unit.simulator.support import (
    CREATE_PATH,
    IMPATIENT,
    create,
    create_body,
    eventually,
    plant,
)


@pytest.mark.parametrize(("when", "bought"), [("before", 0), ("after", 1)])
async def test_a_dropped_connection_hides_whether_the_call_was_accepted(
    simulation: Simulation, api: httpx.AsyncClient, when: str, bought: int
) -> None:
    """The client sees the same both times: a transport error. Only the ledger knows."""
    plant(simulation, {"kind": "drop", "when": when})
    with pytest.raises(httpx.TransportError):
        await create(api)
    assert len(simulation.cloud.ledger) == bought
    assert (await create(api)).status_code == 200, "only the first call is struck"
    statuses = [record.status for record in simulation.calls.last(2)]
    assert statuses == [0, 200]


@pytest.mark.parametrize(("when", "bought"), [("before", 0), ("after", 1)])
async def test_a_hanging_call_times_out_and_is_never_accepted_later(
    simulation: Simulation, api: httpx.AsyncClient, when: str, bought: int
) -> None:
    """`before`: it never happened; `after`: it had happened at once."""
    plant(simulation, {"kind": "hang", "when": when, "seconds": 0.2})
    with pytest.raises(httpx.ReadTimeout):
        await api.post(CREATE_PATH, json=create_body(), timeout=IMPATIENT)
    await eventually(lambda: len(simulation.cloud.ledger) == bought)
    await eventually(lambda: simulation.calls.last(1)[0].status == 0)
    assert len(simulation.cloud.ledger) == bought


async def test_a_delayed_call_is_accepted_late_although_the_caller_has_left(
    simulation: Simulation, api: httpx.AsyncClient
) -> None:
    """The nastiest of all: at the time-out nothing has been bought yet, later it has."""
    plant(simulation, {"kind": "delay", "when": "before", "seconds": 0.5})
    with pytest.raises(httpx.ReadTimeout):
        await api.post(CREATE_PATH, json=create_body(), timeout=IMPATIENT)
    assert len(simulation.cloud.ledger) == 0
    await eventually(lambda: len(simulation.cloud.ledger) == 1)


async def test_a_delayed_answer_comes_after_the_fact(simulation: Simulation, api: httpx.AsyncClient) -> None:
    """The machine exists long before the client hears of it."""
    plant(simulation, {"kind": "delay", "when": "after", "seconds": 0.1})
    answer = asyncio.create_task(create(api))
    await eventually(lambda: len(simulation.cloud.ledger) == 1)
    assert not answer.done()
    assert (await answer).status_code == 200


@pytest.mark.parametrize(
    ("effect", "status", "expected"),
    [
        ({"status": 500}, 500, "UNKNOWN"),
        ({"status": 503, "retry_after": 7}, 503, "SERVICE_NOT_AVAILABLE"),
        ({"status": 429}, 429, "RATE_LIMIT_EXCEEDED"),
        ({"status": 401}, 401, "UNAUTHORIZED"),
        ({"status": 400, "reason": "INSUFFICIENT_RESOURCE"}, 400, "INSUFFICIENT_RESOURCE"),
        ({"status": 502}, 502, "<html>"),
        ({"status": 200, "html": True}, 200, "<html>"),
    ],
)
@pytest.mark.parametrize(("when", "bought"), [("before", 0), ("after", 1)])
async def test_a_false_answer_replaces_the_true_one(
    simulation: Simulation,
    api: httpx.AsyncClient,
    effect: dict[str, object],
    status: int,
    expected: str,
    when: str,
    bought: int,
) -> None:
    """Error names in the provider's own JSON, gateway errors as HTML, Retry-After only where it is asked for."""
    plant(simulation, {"kind": "answer", "when": when} | effect)
    answer = await create(api)
    assert answer.status_code == status
    if expected == "<html>":
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.text.startswith("<html>")
    else:
        assert answer.json()["reason"] == expected
    retry_after = effect.get("retry_after")
    assert answer.headers.get("retry-after") == (None if retry_after is None else str(retry_after))
    assert len(simulation.cloud.ledger) == bought


async def test_a_cut_answer_is_half_a_json(simulation: Simulation, api: httpx.AsyncClient) -> None:
    """It arrives completely with 200, and cannot be parsed."""
    plant(simulation, {"kind": "truncate"})
    answer = await create(api)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()
    assert len(simulation.cloud.ledger) == 1


async def test_an_aborted_answer_ends_before_its_announced_length(
    simulation: Simulation, api: httpx.AsyncClient
) -> None:
    """A transport error after the status line."""
    plant(simulation, {"kind": "truncate", "abort": True})
    with pytest.raises(httpx.TransportError):
        await create(api)
    assert len(simulation.cloud.ledger) == 1
    assert simulation.calls.last(1)[0].status == 0


async def test_a_created_machine_can_come_back_without_its_id(simulation: Simulation, api: httpx.AsyncClient) -> None:
    """200 and an empty object: bought, but which?"""
    plant(simulation, {"kind": "strip", "fields": ["id"]})
    answer = await create(api)
    assert (answer.status_code, answer.json()) == (200, {})
    assert len(simulation.cloud.ledger) == 1


async def test_the_key_can_be_refused_for_a_while(
    simulation: Simulation, api: httpx.AsyncClient, clock: ManualClock
) -> None:
    """All operations, until the virtual time is over."""
    plant(simulation, {"kind": "answer", "status": 401}, operation="*", count=None, seconds=60)
    assert (await api.get("/gpu/instances")).status_code == 401
    clock.advance(59)
    assert (await api.get("/products")).status_code == 401
    clock.advance(1)
    assert (await api.get("/products")).status_code == 200


async def test_several_faults_strike_one_call_in_order(simulation: Simulation, api: httpx.AsyncClient) -> None:
    """The call record says which."""
    plant(simulation, {"kind": "delay", "seconds": 0.01}, id="first")
    plant(simulation, {"kind": "answer", "status": 503, "when": "after"}, id="second")
    assert (await create(api)).status_code == 503
    assert simulation.calls.last(1)[0].faults == ["first", "second"]
    assert len(simulation.cloud.ledger) == 1
