"""What has to answer: where ports are published, which of them count, how many, and when none does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationPhase, OperationType, Outcome, OverallHealth, Phase, PortProtocol, PowerState
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Need
from gpuinstance.core.model import Check, MachineState
from gpuinstance.core.rules.health import endpoints_to_check, is_healthy
from gpuinstance.core.snapshot import Snapshot
from tests.builders import InstanceBuilder, blind_snapshot, instance, snapshot
from tests.materials import ago, machine, operation, ports, report
from tests.unit.core.life import FAST, Life, bought, coming_up, serving

# ------------------------------------------------------------------------------------------------- addresses


def test_addresses_are_asked_for_once_the_machine_runs() -> None:
    """A listing may lack them; before the machine runs there are none, and without ports there is nothing to ask."""
    wanted = bought(80)
    assert decide(snapshot(wanted, machine())).need is Need.ADDRESSES
    assert decide(snapshot(wanted, machine(state=MachineState.CREATING))).need is None
    assert decide(snapshot(bought(), machine(exposes=()))).need is None


def test_each_published_port_becomes_an_endpoint() -> None:
    """With a scheme that says how to use it."""
    life = coming_up(80)
    life.instance = bought(80, "22/tcp").build()
    life.published = ports("80/http", "22/tcp", published=True)
    life.look()
    shown = {(it.port, it.protocol, it.url) for it in life.status.endpoints or ()}
    assert shown == {
        (80, PortProtocol.HTTP, "https://m-80.example"),
        (22, PortProtocol.TCP, "tcp://m.example:30022"),
    }


@pytest.mark.parametrize("published", [(), ports("80/http"), ports("80/http", published=True)])
def test_all_ports_must_be_published(published: tuple[Any, ...]) -> None:
    """A provider may show a machine as running before it has published every port: the operator waits."""
    life = coming_up(80, 8080)
    life.published = published
    life.look()
    assert (life.status.phase, life.said) == (Phase.RUNNING, Reason.STARTING)
    assert life.status.endpoints is None
    life.published = ports("80/http", "8080/http", published=True)
    life.look(after=FAST)
    assert life.status.endpoints is not None


def test_ports_that_are_never_published_are_a_failure() -> None:
    """The time from running to healthy counts for them as well; and they may still come."""
    life = coming_up(80, max_wait_seconds=60)
    life.published = ()
    life.watch(57, every=FAST)
    assert life.said == Reason.STARTING
    life.watch(6, every=FAST)
    assert (life.said, life.status.outcome) == (Reason.HEALTH_CHECK_FAILED, Outcome.FAILED)
    assert "published" in life.condition("Ready").message
    life.published = ports("80/http", published=True)
    life.watch(6, every=FAST)
    assert life.is_ready


def test_a_machine_that_was_started_anew_is_looked_up_anew() -> None:
    """Its old address may be somebody else's by now: it is forgotten before it is asked again."""
    life = coming_up(80)
    life.watch(9, every=FAST)
    assert life.is_ready
    rounds = life.rounds
    life.machines = (machine(started_at=life.now),)
    life.look(after=FAST)
    assert (life.is_ready, life.status.endpoints, life.status.health_check) == (False, None, None)
    life.published = tuple(replace(it, address="https://moved.example") for it in life.published)
    life.watch(6, every=FAST)
    assert life.is_ready
    assert [it.url for it in life.status.endpoints or ()] == ["https://moved.example"]
    assert life.rounds > rounds


# ------------------------------------------------------------------------------------------------- what is asked

PUBLISHED = {80: "https://m-80.example", 8080: "https://m-8080.example"}
CHECKS: dict[str, tuple[dict[str, Any], tuple[Check, ...]]] = {
    "by default every published port, at /": (
        {},
        (Check(80, PortProtocol.HTTP, PUBLISHED[80]), Check(8080, PortProtocol.HTTP, PUBLISHED[8080])),
    ),
    "the spec's list, as it says": (
        {"endpoints": [{"port": 8080, "path": "/live", "expected_statuses": "200,401"}]},
        (Check(8080, PortProtocol.HTTP, PUBLISHED[8080], "/live", "200,401"),),
    ),
    "a port by another protocol than it is published for": (
        {"endpoints": [{"port": 80, "protocol": "tcp"}]},
        (Check(80, PortProtocol.TCP, PUBLISHED[80]),),
    ),
    "an empty list checks nothing": ({"endpoints": []}, ()),
    "only the target port": ({"target_port": 8080}, (Check(8080, PortProtocol.HTTP, PUBLISHED[8080]),)),
    "the target port as the list describes it": (
        {"target_port": 80, "endpoints": [{"port": 8080}, {"port": 80, "path": "/live"}]},
        (Check(80, PortProtocol.HTTP, PUBLISHED[80], "/live"),),
    ),
    "a listed port that is not published stays, and has no address": (
        {"endpoints": [{"port": 80}, {"port": 9000, "path": "/live"}]},
        (Check(80, PortProtocol.HTTP, PUBLISHED[80]), Check(9000, PortProtocol.HTTP, None, "/live")),
    ),
    "a target port that is not published has no address": (
        {"target_port": 9000},
        (Check(9000, PortProtocol.HTTP, None),),
    ),
}


@pytest.mark.parametrize(("health_check", "expected"), CHECKS.values(), ids=CHECKS)
def test_what_has_to_answer(health_check: dict[str, Any], expected: tuple[Check, ...]) -> None:
    """The spec's list, else every published port; a target port leaves only itself."""
    wanted = instance().serving(80, 8080).with_spec(health_check=health_check)
    assert endpoints_to_check(snapshot(wanted, machine()).instance) == expected


def test_a_target_port_that_is_not_exposed_fails_in_words() -> None:
    """It never becomes ready, and the message says which port is missing."""
    life = coming_up(80, target_port=9000, max_wait_seconds=60)
    life.watch(66, every=FAST)
    assert (life.said, life.status.outcome) == (Reason.HEALTH_CHECK_FAILED, Outcome.FAILED)
    assert "port 9000 is not published" in life.condition("Ready").message


REQUIREMENTS: dict[str, tuple[str, tuple[int, ...], tuple[int, ...], bool, OverallHealth]] = {
    "All, and all answer": ("All", (80, 81), (), True, OverallHealth.HEALTHY),
    "All, and one does not": ("All", (80,), (81,), False, OverallHealth.PARTIAL),
    "All, and none does": ("All", (), (80, 81), False, OverallHealth.UNHEALTHY),
    "Any, and all answer": ("Any", (80, 81), (), True, OverallHealth.HEALTHY),
    "Any, and one does not": ("Any", (80,), (81,), True, OverallHealth.PARTIAL),
    "Any, and none does": ("Any", (), (80, 81), False, OverallHealth.UNHEALTHY),
}


@pytest.mark.parametrize(("require", "well", "sick", "enough", "overall"), REQUIREMENTS.values(), ids=REQUIREMENTS)
def test_how_many_have_to_answer(
    require: str, well: tuple[int, ...], sick: tuple[int, ...], overall: OverallHealth, *, enough: bool
) -> None:
    """`require` decides whether it is ready; `overall` tells the facts either way."""
    found = report(*well, sick=sick)
    wanted = instance().with_spec(health_check={"require": require}).build().spec
    assert (is_healthy(wanted, found), found.overall) == (enough, overall)

    life = coming_up(80, 81, sick=sick, require=require)
    life.watch(42, every=FAST)  # beyond the warm-up, when facts are told
    assert life.is_ready is enough
    assert life.condition("Healthy").status == ("True" if enough else "False")
    checked = life.status.health_check
    assert checked is not None
    assert checked.overall is overall
    assert {it.port: it.healthy for it in checked.endpoints} == {80: 80 in well, 81: 81 in well}


# ------------------------------------------------------------------------------------------------- nothing to ask


@pytest.mark.parametrize(
    "wanted",
    [bought(80, enabled=False), bought(), bought(80, endpoints=[])],
    ids=["switched off", "no ports", "an empty list"],
)
def test_where_nothing_is_asked_running_is_enough(wanted: InstanceBuilder) -> None:
    """Ready when it runs, and nobody claims that anything answered."""
    life = Life(wanted.build(), (machine(),), sick=frozenset({80}))
    life.watch(6, every=FAST)
    assert life.is_ready
    assert life.rounds == 0
    assert life.status.health_check is None
    assert "nothing is checked" in life.condition("Ready").message


def test_checks_can_be_switched_off_and_on() -> None:
    """What was unhealthy is ready without checks, and is asked again with them."""
    life = serving(80, failure_threshold=1)
    life.sick = frozenset({80})
    life.look(after=33)
    assert not life.is_ready
    life.edit(instance().serving(80).with_spec(health_check={"enabled": False}))
    life.look(after=FAST)
    assert life.is_ready
    assert life.status.health_check is None
    life.edit(instance().serving(80).with_spec(health_check={"failure_threshold": 3}))
    life.look(after=FAST)
    assert (life.said, life.is_ready) == (Reason.HEALTH_CHECK_FAILED, False), "nobody has ever seen it answer like this"


CHANGE = operation(
    OperationType.CHANGE, OperationPhase.MONITORING, token="software:abc", machine_started_at=ago(hours=1)
)
NOT_CHECKED = {
    "it is stopped": snapshot(instance().serving(80).wanting(PowerState.STOPPED), machine()),
    "it is down": snapshot(instance().serving(80), machine(state=MachineState.STOPPED)),
    "it is suspended": snapshot(instance().serving(80).suspended(), machine()),
    "it is being deleted": snapshot(instance().serving(80).deleting(), machine()),
    "its machine is changing": snapshot(instance().serving(80), machine(state=MachineState.STARTING)),
    "its machine is frozen": snapshot(instance().serving(80), machine(state=MachineState.SUSPENDED)),
    "its software is being changed": snapshot(instance().serving(80).during(CHANGE), machine()),
    "the provider is away": blind_snapshot(instance().serving(80)),
}


@pytest.mark.parametrize("seen", NOT_CHECKED.values(), ids=NOT_CHECKED)
def test_no_round_is_made_while(seen: Snapshot) -> None:
    """A check would say nothing about the application, or reach somebody else."""
    decision = decide(seen)
    assert decision.need is not Need.HEALTH
    assert decision.rule not in {"wait_until_healthy", "recover_when_unhealthy"}
