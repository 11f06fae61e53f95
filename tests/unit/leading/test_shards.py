"""Several leaders that divide the objects, while their number changes: never two owners, and none for one lease."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator

import pytest

from gpuinstance.core.division import Division
from gpuinstance.kube import Forbidden, KubeError
from tests.unit.leading.cluster import NAME, TIMES
from tests.unit.leading.processes import Process, World

OBJECTS = [f"trainer-{number}" for number in range(24)]
CUT = KubeError("API server cannot be reached: TimeoutError")
LOOKS = 2 * 1.2 * TIMES.retry
"""Seconds until a change is seen, and then the next one."""
TRIES = 2.2 * TIMES.retry
"""Seconds between two tries to become the leader."""


FIRST = TIMES.lease + TRIES + LOOKS
"""Seconds until everything is owned where nobody has been before, or nobody has given anything back."""


class Watch:
    """Notes who owns what, and objects where two do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.longest = dict.fromkeys(OBJECTS, 0.0)
        """Seconds for which nobody has owned an object, at worst."""
        self._owned_at = dict.fromkeys(OBJECTS, world.now)
        self._owned: set[str] = set()
        self._had: dict[str, set[str]] = {}
        self._before: object = None

    def __call__(self) -> None:
        """Look, whenever anything has happened."""
        now = self.world.now
        acting = [it for it in self.world.processes if it.alive and it.shard.holds_now()]
        state = [(it.name, it.shard._rivals.is_settled, it.shard._rivals.first) for it in acting]
        self._owned_at.update(dict.fromkeys(self._owned, now))
        if state != self._before:
            self._before = state
            self._look(acting)
        for name in set(OBJECTS) - self._owned:
            self.longest[name] = max(self.longest[name], now - self._owned_at[name])

    def _look(self, acting: list[Process]) -> None:
        self._owned = set()
        for process in acting:
            owned = {name for name in OBJECTS if process.acts_on(name)}
            assert not owned & self._owned, f"two owners at {self.world.now}, one is {process.name}"
            assert owned >= self._had.get(process.name, set()), "what was owned stays owned during a term"
            self._owned |= owned
            self._had[process.name] = owned

    def begin(self) -> None:
        """Measure the gaps from now on."""
        self.longest = dict.fromkeys(OBJECTS, 0.0)

    @property
    def gap(self) -> float:
        """The longest time that any object was without an owner."""
        return max(self.longest.values())


@pytest.fixture
def world() -> Iterator[World]:
    random.seed(7)  # the candidates' own jitter
    world = World()
    yield world
    world.close()


@pytest.fixture
def watch(world: World) -> Watch:
    return Watch(world)


def shards(world: World, count: int, suffix: str = "") -> list[Process]:
    """Start one process for each shard."""
    return [world.start(f"{index}-of-{count}{suffix}", Division(index, count)) for index in range(count)]


def owners(processes: Iterable[Process]) -> dict[str, list[str]]:
    """Return who owns each object."""
    return {name: [it.name for it in processes if it.acts_on(name)] for name in OBJECTS}


def assert_divided(world: World, processes: Iterable[Process]) -> None:
    """Each object is owned by the process of its division, and by nobody else."""
    for name in OBJECTS:
        (due,) = [it.name for it in processes if it.division.holds("default", name)]
        assert owners(world.processes)[name] == [due]


def test_one_leader_owns_everything(world: World, watch: Watch) -> None:
    """As soon as it has been elected: it has watched for a lease while it waited for the absent Lease."""
    (one,) = shards(world, 1)
    world.run(FIRST, watch)
    assert_divided(world, [one])
    assert list(world.cluster.leases) == [NAME]
    assert one.shard.shares == 1


def test_three_leaders_divide_everything(world: World, watch: Watch) -> None:
    """Each its part, all in the same time as one; each knows that there are three."""
    three = shards(world, 3)
    world.run(FIRST, watch)
    assert_divided(world, three)
    assert sorted(world.cluster.leases) == [f"{NAME}-{index}-of-3" for index in range(3)]
    assert [it.shard.shares for it in three] == [3, 3, 3]


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 3), (3, 2), (4, 2), (1, 2)])
def test_the_number_changes_while_all_are_well(world: World, watch: Watch, before: int, after: int) -> None:
    """The old ones work on until the new ones stand by, as a rolling update has it; the hand-over takes two looks."""
    old = shards(world, before)
    world.run(60, watch)
    new = shards(world, after)
    world.run(30, watch)
    assert_divided(world, old)
    assert {it.shard.shares for it in (*old, *new)} == {before + after}, "nobody spends what another one may spend"
    watch.begin()
    for it in old:
        it.leave()
    world.run(30, watch)
    assert_divided(world, new)
    assert watch.gap <= LOOKS
    assert {it.shard.shares for it in new} == {after}


@pytest.mark.parametrize("kill", [False, True], ids=["leaving", "killed"])
@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 3)])
def test_the_old_ones_end_when_the_new_ones_begin(
    world: World, watch: Watch, before: int, after: int, *, kill: bool
) -> None:
    """As helm does it. The new Leases have to be waited for, and the old ones to run out: both is one lease."""
    old = shards(world, before)
    world.run(60, watch)
    watch.begin()
    new = shards(world, after)
    for it in old:
        it.kill() if kill else it.leave()
    world.run(60, watch)
    assert_divided(world, new)
    assert watch.gap <= FIRST


def test_a_killed_shard_is_followed_within_the_lease(world: World, watch: Watch) -> None:
    """By its own second replica; the other shards work on and take nothing of it."""
    three, replicas = shards(world, 3), []
    world.run(40, watch)
    replicas = shards(world, 3, "'")
    world.run(20, watch)
    watch.begin()
    three[1].kill()
    world.run(40, watch)
    assert_divided(world, [three[0], replicas[1], three[2]])
    assert TIMES.deadline < watch.gap <= FIRST
    untouched = [name for name in OBJECTS if not three[1].division.holds("default", name)]
    assert max(watch.longest[name] for name in untouched) == 0


def test_a_rolling_update_of_a_shard_with_a_replica_costs_two_looks(world: World, watch: Watch) -> None:
    """The replica has watched for long: it owns what it gets with its first list."""
    first = world.start("first", Division())
    world.run(30, watch)
    second = world.start("second", Division())
    world.run(30, watch)
    watch.begin()
    first.leave()
    world.run(30, watch)
    assert_divided(world, [second])
    assert watch.gap <= TRIES + LOOKS


def test_a_frozen_holder_is_later_when_it_comes_back(world: World, watch: Watch) -> None:
    """The only replica of the old number stands still; the new ones take over; it thaws, and ends without a step."""
    (one,) = shards(world, 1)
    world.run(40, watch)
    new = shards(world, 2)
    world.run(30, watch)
    one.frozen = True
    world.run(40, watch)
    assert_divided(world, new)
    one.frozen = False
    world.run(10, watch)
    assert one.ended is not None
    assert "the process stood still" in one.ended
    assert_divided(world, new)


def test_nobody_took_its_lease_and_still_its_term_is_over(world: World, watch: Watch) -> None:
    """It stands still in the very moment before a renewal: the Lease is untouched, but not what it was for."""
    for standstill in (14.9, 15.1, 18.0):
        for offset in range(0, 12, 2):
            one = world.start(f"one-{standstill}-{offset}", Division())
            world.run(60, watch)
            two = world.start(f"two-{standstill}-{offset}", Division(1, 2))
            world.run(40 + offset * 0.2, watch)
            one.frozen = True
            world.run(standstill, watch)
            one.frozen = False
            world.run(40, watch)
            assert not one.alive
            two.kill()
            world.processes.clear()


@pytest.mark.parametrize("when", [0.0, 0.005, 0.01, 0.015, 0.02, 1.0, 2.0])
def test_two_divisions_elected_at_the_same_time(world: World, watch: Watch, when: float) -> None:
    """They find each other in their lists; the order of their elections decides, and one of them works."""
    one = world.start("one", Division())
    world.run(when, watch)
    two = world.start("two", Division(0, 2))
    world.run(40, watch)
    owned = owners([one, two])
    assert all(owned.values()), "nobody waits for somebody who waits"
    shared = [name for name in OBJECTS if two.division.holds("default", name)]
    assert len({tuple(owned[name]) for name in shared}) == 1


def test_nothing_is_owned_before_the_others_can_be_seen(world: World, watch: Watch) -> None:
    """A right that is missing, or a list that fails: better nobody than two; and it says so."""
    (one,) = shards(world, 1)
    one.list_error = CUT
    world.run(60, watch)
    assert one.shard.leads
    assert not any(owners([one]).values())
    assert "cannot be followed" in str(one.shard.trouble())
    one.list_error = None
    world.run(TIMES.lease + LOOKS + LOOKS, watch)
    assert_divided(world, [one])
    assert one.shard.trouble() is None


def test_rights_that_are_missing_are_told_at_once(world: World) -> None:
    """Else a new version would count as available with an old Role, and the old leader would be taken away."""
    (one,) = shards(world, 1)
    one.list_error = Forbidden("leases is forbidden")
    world.run(0.1)
    assert "is forbidden" in str(one.shard.trouble())
    one.list_error = None
    world.run(LOOKS)
    assert one.shard.trouble() is None
    one.list_error = CUT
    world.run(TIMES.lease / 2)
    assert one.shard.trouble() is None, "what has been seen is known for a while"


def test_who_can_own_nothing_lets_a_standby_try(world: World, watch: Watch) -> None:
    """It is cut off from the lists alone, so it could hold its Lease for ever."""
    (one,) = shards(world, 1)
    one.list_error = CUT
    world.run(30, watch)
    assert one.shard.leads
    two = world.start("two", Division())
    world.run(5 * TIMES.lease, watch)
    assert "is not known" in str(one.ended)
    assert str(CUT) in str(one.ended)
    world.run(FIRST, watch)
    assert_divided(world, [two])


def test_whoever_owns_something_keeps_it_without_lists(world: World, watch: Watch) -> None:
    """The patience is for terms that give nothing."""
    (one,) = shards(world, 1)
    world.run(FIRST, watch)
    one.list_error = CUT
    world.run(10 * TIMES.lease, watch)
    assert_divided(world, [one])
    assert one.ended is None
    assert "cannot be followed" in str(one.shard.trouble())


def test_a_bug_of_who_is_told_does_not_end_the_looking(world: World, watch: Watch) -> None:
    """It is told again with the next look; until it has arrived, the process says that it cannot do its work."""
    (one,) = shards(world, 1)
    calls: list[float] = []

    def changed() -> None:
        calls.append(world.now)
        if len(calls) < 20:
            raise RuntimeError("a bug")

    one.shard.changed = changed
    world.run(FIRST + TIMES.lease, watch)
    assert "a bug" in str(one.shard.trouble())
    world.run(60, watch)
    assert len(calls) == 20
    assert one.shard.trouble() is None
    assert_divided(world, [one])


def test_looking_that_has_ended_is_trouble(world: World) -> None:
    """Whatever has ended it: what others leave would never be taken."""
    (one,) = shards(world, 1)
    world.run(FIRST)
    assert one.shard.trouble() is None
    assert one.shard._looking is not None
    one.shard._looking.cancel()
    world.run(0.1)
    assert "nobody looks" in str(one.shard.trouble())


def test_lists_that_fail_take_nothing_away_and_give_nothing(world: World, watch: Watch) -> None:
    """The last view stays: who goes first may have ended, but that has not been seen."""
    old = shards(world, 2)
    world.run(40, watch)
    (new,) = shards(world, 1)
    world.run(40, watch)
    old[0].leave()
    world.run(10, watch)
    half = {name for name, them in owners([new]).items() if them}
    assert half == {name for name in OBJECTS if old[0].division.holds("default", name)}
    new.list_error = CUT
    old[1].leave()
    world.run(60, watch)
    assert {name for name, them in owners([new]).items() if them} == half
    new.list_error = None
    world.run(LOOKS, watch)
    assert_divided(world, [new])


def test_a_deleted_lease_of_an_earlier_shard_frees_nothing(world: World, watch: Watch) -> None:
    """Somebody runs kubectl delete: the holder puts it back, with the same order; who has seen it or not, waits."""
    (one,) = shards(world, 1)
    world.run(40, watch)
    for _ in range(30):
        two = world.start(f"two at {world.now}", Division(0, 2))
        world.run(random.Random(world.now).uniform(0.1, 20), watch)
        world.cluster.leases.pop(NAME, None)
        world.run(random.Random(world.now).uniform(0.1, 20), watch)
        assert_divided(world, [one])
        two.kill()


def test_a_lease_that_was_deleted_before_anybody_looked(world: World, watch: Watch) -> None:
    """The later one finds its own Lease free at once, and sees nothing of the other one: it waits all the same."""
    (one,) = shards(world, 1)
    half = Division(0, 2)
    world.start("once", half)
    world.run(40, watch)
    for number in range(20):
        world.processes[-1].leave()
        world.run(3 + number * 0.1, watch)
        world.cluster.leases.pop(NAME)
        world.start(f"two-{number}", half)
        world.run(10, watch)
        assert world.processes[-1].shard.leads
        assert_divided(world, [one])
        world.run(10, watch)
        world.cluster.leases.pop(NAME)
        world.run(10, watch)


def test_a_deleted_lease_of_a_dead_shard_is_waited_for_once(world: World, watch: Watch) -> None:
    """Nobody puts it back, so the later one goes on after a lease."""
    (one,) = shards(world, 1)
    world.run(40, watch)
    new = shards(world, 2)
    world.run(40, watch)
    watch.begin()
    world.cluster.leases.pop(NAME)
    one.kill()
    world.run(40, watch)
    assert_divided(world, new)
    assert watch.gap <= TIMES.lease + LOOKS


def test_an_older_version_that_knows_no_shards_goes_first(world: World, watch: Watch) -> None:
    """It has the Lease of the undivided whole, and says nothing of its election: it is waited for until it ends."""
    old = {"holderIdentity": "0.0", "leaseDurationSeconds": 15, "renewTime": "0"}
    world.cluster.write(old, None, "0.0")
    three = shards(world, 3)

    def renew() -> None:
        if old["holderIdentity"]:
            old["renewTime"] = str(world.now)
            version = world.cluster.leases[NAME]["metadata"]["resourceVersion"]
            world.cluster.write(dict(old), version, "0.0")
            world.later(2, renew)

    renew()
    world.run(60, watch)
    assert not any(owners(three).values())
    old["holderIdentity"] = ""
    world.cluster.write(dict(old), world.cluster.leases[NAME]["metadata"]["resourceVersion"], "0.0")
    world.run(LOOKS, watch)
    assert_divided(world, three)


def test_a_store_that_was_set_back_makes_nobody_later(world: World, watch: Watch) -> None:
    """The leader claims a version from the future. He goes first, also when the versions have caught up with it."""
    world.cluster.set_version(1000)
    (one,) = shards(world, 1)
    world.run(40, watch)
    world.cluster.set_version(10)
    new = shards(world, 2)
    world.run(40, watch)
    assert_divided(world, [one])
    world.cluster.set_version(5000)
    world.run(40, watch)
    assert_divided(world, [one])
    one.leave()
    world.run(LOOKS, watch)
    assert_divided(world, new)


def test_versions_that_are_no_numbers_order_nothing(world: World, watch: Watch) -> None:
    """Two that were elected in the same moment then wait for each other: better nobody than two."""
    world.cluster.prefix = "v"
    both = [*shards(world, 1), *shards(world, 2)]
    world.run(60, watch)
    one, *others = both
    for it in others:
        it.kill()
    world.run(40, watch)
    assert_divided(world, [one])


@pytest.mark.parametrize("seed", range(3))
def test_never_two_whatever_happens(world: World, watch: Watch, seed: int) -> None:
    """Half an hour of everything that can go wrong. Then all is well again, and every object has its one owner."""
    random.seed(seed)
    fate = Fate(world, 20260131 + seed)
    for _ in range(120):
        fate.strike()
        world.processes = [it for it in world.processes if it.alive]
        world.run(fate.chance.uniform(0.1, 18), watch)
    last = fate.relent()
    world.run(60, watch)
    watch.begin()
    world.run(60, watch)
    assert all(len(them) == 1 for them in owners(world.processes).values())
    assert watch.gap == 0
    assert all(it.alive for it in last)


class Fate:
    """Shards are added and removed, processes freeze, die, leave and come back, requests are cut, slow or answered in
    vain, lists fail, Leases are deleted.
    """

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.wanted = [Division()]
        self._numbers = itertools.count()
        often = [self._heal] * 3
        self._strikes = [self._start, self._start, self._reshard, self._tidy, self._kill, self._freeze, self._freeze]
        self._strikes += [self._slow, self._cut, self._blind, self._delete, *often]

    def strike(self) -> None:
        """Let something happen."""
        self.chance.choice(self._strikes)()

    def relent(self) -> list[Process]:
        """Let all be well, with a process for each shard that is wanted; return these."""
        self._heal()
        for it in self.world.processes:
            if it.division not in self.wanted:
                it.leave()
        return [self._new(division) for division in self.wanted]

    def _new(self, division: Division) -> Process:
        return self.world.start(f"p{next(self._numbers)}", division)

    def _some(self) -> list[Process]:
        return self.chance.sample(self.world.processes, min(1, len(self.world.processes)))

    def _start(self) -> None:
        self._new(self.chance.choice(self.wanted))

    def _reshard(self) -> None:
        count = self.chance.choice([1, 1, 2, 3, 4])
        self.wanted = [Division(index, count) for index in range(count)]
        for division in self.wanted:
            self._new(division)

    def _tidy(self) -> None:
        for it in self.world.processes:
            if it.division not in self.wanted and self.chance.random() < 0.7:
                it.leave()

    def _kill(self) -> None:
        for it in self._some():
            it.kill()

    def _freeze(self) -> None:
        for it in self._some():
            it.frozen = True

    def _slow(self) -> None:
        for it in self._some():
            it.lasting = self.chance.choice([0.01, 1.0, 4.0, 9.0, 16.0])

    def _cut(self) -> None:
        for it in self._some():
            it.error, it.loses_answers = self.chance.choice([(CUT, False), (None, True)])

    def _blind(self) -> None:
        for it in self._some():
            it.list_error = CUT

    def _delete(self) -> None:
        leases = self.world.cluster.leases
        if leases and self.chance.random() < 0.3:
            del leases[self.chance.choice(sorted(leases))]

    def _heal(self) -> None:
        for it in self.world.processes:
            it.frozen, it.lasting, it.error, it.loses_answers, it.list_error = False, 0.01, None, False, None
