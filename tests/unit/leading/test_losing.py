"""The end of a leadership: in time, at once, and never with two that act, whatever becomes of processes and network."""

from __future__ import annotations

import asyncio
import random

import pytest

from gpuinstance.kube import KubeError
from gpuinstance.leading.election import boot_time
from gpuinstance.leading.leadership import Alone
from tests.unit.leading.cluster import TIMES, Candidate, Cluster, in_virtual_time, now

# ------------------------------------------------------------------------------------------------------ losing


@in_virtual_time
async def test_a_leader_that_cannot_renew_stops_before_another_begins() -> None:
    """Its road is cut: it acts until its deadline, ends, and only then its successor may act."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    two = Candidate(cluster, "two").stand()
    await asyncio.sleep(20)
    last, one.road.error = cluster.writes[-1][0], KubeError("API server cannot be reached: TimeoutError")
    while not two.acts:
        await asyncio.sleep(0.1)
        assert not (one.acts and two.acts)
    assert one.ended is not None
    when, why = one.ended
    assert when - last == pytest.approx(TIMES.deadline, abs=0.2)
    assert why == "the Lease here/lease could not be renewed in time: API server cannot be reached: TimeoutError"


@in_virtual_time
async def test_a_request_that_hangs_does_not_outlast_the_deadline() -> None:
    """The connection is up and silent: one request may not eat the whole time, and none goes beyond it."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    last, one.road.lasting, before = cluster.writes[-1][0], 3600, one.road.requests
    await asyncio.sleep(30)
    assert one.ended is not None
    assert one.ended[0] - last == pytest.approx(TIMES.deadline, abs=0.2)
    assert one.road.requests - before >= 2


@pytest.mark.parametrize("error", [KubeError("API server: 500"), ValueError("no JSON"), OSError("broken pipe")])
@in_virtual_time
async def test_short_trouble_is_survived(error: Exception) -> None:
    """Whatever a request ends with: there are further ones before the deadline."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    one.road.error = error
    await asyncio.sleep(5)
    one.road.error = None
    await asyncio.sleep(60)
    assert one.acts
    assert one.ended is None


@in_virtual_time
async def test_a_lost_answer_is_no_lost_lease() -> None:
    """What was written although the answer was lost is recognised as our own."""
    cluster = Cluster()
    one = Candidate(cluster, "one")
    one.road.loses_answers = True
    one.stand()
    await asyncio.sleep(20)
    assert cluster.record["holderIdentity"] == "one"
    assert not one.acts, "it cannot know"
    one.road.loses_answers = False
    await asyncio.sleep(6)
    assert one.acts
    one.road.loses_answers = True
    await asyncio.sleep(5)
    one.road.loses_answers = False
    await asyncio.sleep(30)
    assert one.acts
    assert one.ended is None


@in_virtual_time
async def test_a_leader_that_sees_another_one_stops_at_once() -> None:
    """Somebody has edited the Lease by force: no deadline is waited for."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    assert cluster.lease is not None
    version = cluster.lease["metadata"]["resourceVersion"]
    cluster.write({**cluster.record, "holderIdentity": "usurper"}, version, "person")
    changed = now()
    await asyncio.sleep(10)
    assert one.ended is not None
    assert one.ended[0] - changed <= 2 * TIMES.retry + 0.1
    assert one.ended[1] == "the Lease here/lease is held by usurper now"
    assert not one.acts


@in_virtual_time
async def test_a_frozen_leader_knows_at_once() -> None:
    """Its clock went on while it stood still: the first question after the thaw is answered with no."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    assert one.acts
    one.clock.ahead += TIMES.deadline
    assert not one.acts
    await asyncio.sleep(TIMES.retry + 0.1)
    assert one.ended is not None
    assert one.ended[1] == "the Lease here/lease could not be renewed in time: the process stood still"


# ------------------------------------------------------------------------------------------------------ the rest


@in_virtual_time
async def test_trouble_is_told_after_a_while() -> None:
    """A candidate that cannot read the Lease is not ready; one that may not write it neither."""
    cluster = Cluster()
    one = Candidate(cluster, "one")
    one.road.error = KubeError("API server: 403 Forbidden")
    one.stand()
    await asyncio.sleep(5)
    assert one.election.trouble() is None
    await asyncio.sleep(15)
    assert one.election.trouble() == "the Lease here/lease cannot be used: API server: 403 Forbidden"
    one.road.error = None
    await asyncio.sleep(40)  # a Lease of which nothing was known is watched for its whole time before it is taken
    assert one.election.trouble() is None
    assert one.acts


@in_virtual_time
async def test_a_release_that_fails_is_waited_for_no_longer_than_bearable() -> None:
    """Then the Lease runs out by itself."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    one.die()
    one.road.lasting = 3600
    began = now()
    await one.election.release()
    assert now() - began <= 2
    assert not one.acts
    assert one.road.closed


@in_virtual_time
async def test_what_another_one_holds_is_not_released() -> None:
    """Neither by a candidate nor by somebody who has lost it."""
    cluster = Cluster()
    one, two = Candidate(cluster, "one").stand(), Candidate(cluster, "two")
    await asyncio.sleep(20)
    await two.election.release()
    assert cluster.record["holderIdentity"] == "one"
    one.clock.ahead += 60
    before = cluster.record
    await one.election.release()
    assert cluster.record == before


async def test_alone_there_is_nothing_to_wait_for() -> None:
    """Without an election the process leads from its start."""
    alone = Alone()
    await alone.acquire()
    assert alone.leads
    assert alone.holds_now()
    assert alone.trouble() is None
    await alone.release()


def test_the_clock_goes_on() -> None:
    """It is one that never jumps, and it is read without waiting."""
    first = boot_time()
    assert first > 0
    assert boot_time() >= first


@in_virtual_time
async def test_never_two_whatever_happens() -> None:
    """Five candidates for a day: roads are cut, answers lost, processes freeze, die and come back."""
    chance, cluster = random.Random(20260131), Cluster()
    candidates = [Candidate(cluster, f"c{number}").stand() for number in range(5)]
    led: set[str] = set()
    for _ in range(3000):
        await asyncio.sleep(chance.uniform(0.1, 3))
        acting = [it for it in candidates if it.acts]
        assert len(acting) <= 1, [it.name for it in acting]
        led |= {it.name for it in acting}
        number = chance.randrange(len(candidates))
        it = candidates[number]
        match chance.randrange(12):
            case 0:
                it.road.error = KubeError("cut")
            case 1:
                it.road.loses_answers = True
            case 2:
                it.road.lasting = chance.uniform(0.01, 12)
            case 3:
                cluster.lease = None if chance.random() < 0.1 else cluster.lease
            case 4 | 5:
                if it.ended is None and chance.random() < 0.5:
                    continue
                it.die()
                candidates[number] = Candidate(cluster, f"{it.name}'").stand()
            case _:
                it.road.error, it.road.loses_answers, it.road.lasting = None, False, 0.01
    assert len(led) > 10


@in_virtual_time
async def test_a_term_that_was_interrupted_is_not_renewed() -> None:
    """The process stood still right before it. Nobody has taken its Lease, but others may have had their turn."""
    cluster = Cluster()
    one = Candidate(cluster, "one")
    await one.election.acquire()
    requests, one.clock.ahead = one.road.requests, TIMES.deadline + 0.1
    assert not await one.election._attempt(5)
    assert one.road.requests == requests, "not even asked for"
    assert not one.acts


@in_virtual_time
async def test_a_renewal_that_is_answered_too_late_is_none() -> None:
    """It stood still while the answer was on its way: what was over stays over."""
    cluster = Cluster()
    one = Candidate(cluster, "one")
    await one.election.acquire()
    await asyncio.sleep(TIMES.deadline - 1)
    renewing = asyncio.create_task(one.election._attempt(5))
    await asyncio.sleep(0.005)
    one.clock.ahead = 3
    assert not await renewing
    assert not one.acts


@in_virtual_time
async def test_the_end_of_a_renewal_that_was_cut_short_is_released_too() -> None:
    """The write arrived and its answer was not waited for: the version that is known is old."""
    cluster = Cluster()
    one = Candidate(cluster, "one")
    await one.election.acquire()
    one.road.way_back = 0.5
    renewing = asyncio.create_task(one.election._attempt(5))
    await asyncio.sleep(0.1)
    assert cluster.writes[-1][0] == pytest.approx(now(), abs=0.1)
    renewing.cancel()
    await asyncio.gather(renewing, return_exceptions=True)
    one.road.way_back = 0.0
    await one.election.release()
    assert cluster.record["holderIdentity"] == ""
