"""The election: who becomes the leader, and when another one follows."""

from __future__ import annotations

import asyncio
import random

import pytest

from gpuinstance.leading.election import Times
from tests.unit.leading.cluster import TIMES, Candidate, Cluster, in_virtual_time, now

# ------------------------------------------------------------------------------------------------------ becoming


@in_virtual_time
async def test_the_first_one_leads() -> None:
    """It creates the Lease, but not before a holder whose Lease was deleted would have put it back or ended."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    assert not one.acts
    await asyncio.sleep(20)
    assert one.acts
    assert one.election.leads
    assert one.leads_since is not None
    assert TIMES.lease <= one.leads_since < 20
    record = cluster.record
    assert (record["holderIdentity"], record["leaseDurationSeconds"], record["leaseTransitions"]) == ("one", 15, 0)


@in_virtual_time
async def test_one_of_many_leads() -> None:
    """Twenty start together; the others stand by, and say so by doing nothing."""
    cluster = Cluster()
    candidates = [Candidate(cluster, f"c{number}").stand() for number in range(20)]
    for _ in range(600):
        await asyncio.sleep(0.1)
        assert sum(it.acts for it in candidates) <= 1
    (leader,) = [it for it in candidates if it.acts]
    assert {writer for _, writer in cluster.writes} == {leader.name}
    assert [it.election.trouble() for it in candidates] == [None] * 20


@in_virtual_time
async def test_the_leader_renews_by_one_request_a_period() -> None:
    """It knows the version, so it need not read; the record keeps its beginning, and the Lease its labels."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    acquired, requests, writes = cluster.record["acquireTime"], one.road.requests, len(cluster.writes)
    await asyncio.sleep(200)
    assert len(cluster.writes) - writes == pytest.approx(100, abs=2)
    assert one.road.requests - requests == len(cluster.writes) - writes
    assert cluster.record["acquireTime"] == acquired
    assert cluster.record["renewTime"] > acquired
    assert cluster.lease is not None
    assert cluster.lease["metadata"]["labels"] == {"a": "b"}


@in_virtual_time
async def test_candidates_do_not_ask_in_step() -> None:
    """Their pauses differ, so that a hundred replicas are no storm."""
    cluster = Cluster()
    Candidate(cluster, "leader").stand()
    await asyncio.sleep(20)
    others = [Candidate(cluster, f"c{number}").stand() for number in range(10)]
    await asyncio.sleep(100)
    counts = [it.road.requests for it in others]
    assert all(100 / (TIMES.retry * 2.2) - 2 <= count <= 100 / TIMES.retry + 2 for count in counts)
    assert len(set(counts)) > 1


# ------------------------------------------------------------------------------------------------------ succession


@in_virtual_time
async def test_a_dead_leader_is_followed_within_the_lease() -> None:
    """Counted from its last renewal that was seen, and a candidate's own pause on top."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    two = Candidate(cluster, "two").stand()
    await asyncio.sleep(20)
    one.die()
    last = cluster.writes[-1][0]
    await asyncio.sleep(60)
    assert two.leads_since is not None
    assert TIMES.lease <= two.leads_since - last <= TIMES.lease + 2 * 2.2 * TIMES.retry
    assert cluster.record["leaseTransitions"] == 1


@in_virtual_time
async def test_a_released_lease_is_taken_at_once() -> None:
    """A rolling update costs a pause between tries, not a lease."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    two = Candidate(cluster, "two").stand()
    await asyncio.sleep(20)
    one.die()
    await one.election.release()
    assert not one.acts
    assert one.road.closed
    released = now()
    assert cluster.record["holderIdentity"] == ""
    await asyncio.sleep(10)
    assert two.leads_since is not None
    assert two.leads_since - released <= 2.2 * TIMES.retry + 0.1


@in_virtual_time
async def test_the_record_says_how_long_to_wait() -> None:
    """A candidate with a shorter lease of its own honours what the holder was promised."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    hasty = Candidate(cluster, "hasty", Times(lease=2, deadline=1, retry=0.2)).stand()
    await asyncio.sleep(10)
    one.die()
    last = cluster.writes[-1][0]
    await asyncio.sleep(60)
    assert hasty.leads_since is not None
    assert hasty.leads_since - last >= TIMES.lease


@in_virtual_time
async def test_clocks_of_others_do_not_matter() -> None:
    """A record that claims to be from the last century, or the next, is judged by whether it changes."""
    for stamp in ("1970-01-01T00:00:00.000000Z", "2170-01-01T00:00:00.000000Z"):
        cluster = Cluster()
        record = {"holderIdentity": "strange", "leaseDurationSeconds": 15, "renewTime": stamp, "leaseTransitions": 4}
        cluster.write(record, None, "strange")
        began, one = now(), Candidate(cluster, "one").stand()
        await asyncio.sleep(40)
        assert one.leads_since is not None
        assert TIMES.lease <= one.leads_since - began <= TIMES.lease + 2 * 2.2 * TIMES.retry
        assert cluster.record["leaseTransitions"] == 5
        one.die()


@in_virtual_time
async def test_a_deleted_lease_frees_nobody() -> None:
    """Somebody runs kubectl delete: the holder puts it back, and the others leave it the time."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    old = Candidate(cluster, "old").stand()
    await asyncio.sleep(10)
    for _ in range(20):
        cluster.lease = None
        young = Candidate(cluster, "young").stand()
        await asyncio.sleep(random.Random(7).uniform(3, 8))
        assert (one.acts, old.acts, young.acts) == (True, False, False)
        assert cluster.record["holderIdentity"] == "one"
        young.die()


@in_virtual_time
async def test_a_deleted_lease_of_a_dead_holder_is_made_again() -> None:
    """What nobody puts back is created by the next one."""
    cluster = Cluster()
    one = Candidate(cluster, "one").stand()
    await asyncio.sleep(20)
    two = Candidate(cluster, "two").stand()
    await asyncio.sleep(5)
    one.die()
    cluster.lease = None
    await asyncio.sleep(30)
    assert two.acts
