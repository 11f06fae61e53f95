"""What holds for every history of the cloud."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from gpuinstance_simulator.catalogue import Mode
from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.machine import Software
from gpuinstance_simulator.novita import LIFECYCLE, new_cloud
from gpuinstance_simulator.settings import Settings
from tests.unit.simulator.support import ANYWHERE, order


def test_equal_calls_give_equal_worlds(clock: ManualClock) -> None:
    """Ids and free choices come from the seed alone."""
    worlds = []
    for seed in (1, 1, 2):
        cloud = new_cloud(ManualClock(), seed=seed)
        worlds.append([(it.id, it.cluster_id) for it in (cloud.create(order()) for _ in range(5))])
    assert worlds[0] == worlds[1] != worlds[2]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "start", "stop", "restart", "delete", "edit", "upgrade", "migrate", "wait"]),
        st.integers(0, 3),
        st.sampled_from([0.0, 0.5, 3.0, 20.0, 4000.0]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_looking_changes_nothing_and_gpus_are_never_lost(steps: list[tuple[str, int, float]]) -> None:
    """A world that is watched each second equals one that is looked at only when something is asked of it."""
    habits = Settings(listing_lag=4, deletion_lag=7, spot_lifetime=3600)
    lazy, watched = (new_cloud(ManualClock(), settings=habits) for _ in range(2))
    for verb, index, pause in steps:
        for cloud in (lazy, watched):
            act(cloud, verb, index)
        lazy.clock.advance(pause)
        for _ in range(int(pause * 2) % 41):
            watched.clock.advance(0.5)
            watched.listing()
        watched.clock.advance(lazy.clock.now() - watched.clock.now())
        for cloud in (lazy, watched):
            cloud.engine.now()
            held = sum(it.order.gpu_count for it in cloud.truth() if LIFECYCLE.states[it.state].holds_gpus)
            assert cloud.engine.gpus_used[ANYWHERE] == held
    assert [it.as_json() for it in lazy.ledger] == [it.as_json() for it in watched.ledger]
    views = [[(s.machine.id, s.word, s.is_up) for s in cloud.listing()] for cloud in (lazy, watched)]
    assert views[0] == views[1]
    bills = [[it.charge(cloud.engine.now()) for it in cloud.truth(with_gone=True)] for cloud in (lazy, watched)]
    assert bills[0] == bills[1]


def act(cloud: Cloud, verb: str, index: int) -> None:
    """Do something to some machine; a refusal because of its state is fine, any other is not."""
    machines = cloud.truth(with_gone=True)
    if verb == "create":
        cloud.create(order(mode=Mode.SPOT, gpu_count=index + 1))
    elif verb != "wait" and machines:
        machine_id = machines[index % len(machines)].id
        calls: dict[str, Callable[[], object]] = {
            "start": lambda: cloud.start(machine_id),
            "stop": lambda: cloud.stop(machine_id),
            "restart": lambda: cloud.restart(machine_id),
            "delete": lambda: cloud.delete(machine_id),
            "migrate": lambda: cloud.migrate(machine_id),
            "edit": lambda: cloud.edit(machine_id, grow_gb=10),
            "upgrade": lambda: cloud.upgrade(machine_id, Software("x"), keep_data=True),
        }
        try:
            calls[verb]()
        except CloudError as refused:
            if refused.reason not in {Refusal.WRONG_STATE, Refusal.NO_SUCH_MACHINE}:
                raise
