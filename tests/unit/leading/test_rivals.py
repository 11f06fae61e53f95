"""Who goes first, list by list: what each of them proves, and what it does not."""

from __future__ import annotations

import pytest

from gpuinstance.core.division import Division
from gpuinstance.kube import Body
from gpuinstance.leading.rivals import ACQUIRED_BY, ACQUIRED_VERSION, Rivals

WHOLE, HALF = Division(), Division(0, 2)
LEASE, GAP = 15.0, 5.0


def lease(
    holder: str, *, elected: int | None, version: int = 100, renewed: int = 0, division: Division = WHOLE
) -> Body:
    """Return a Lease as a list shows it; `renewed` counts its renewals."""
    notes = {} if elected is None else {ACQUIRED_BY: holder, ACQUIRED_VERSION: str(elected)}
    metadata = {"name": division.lease_name("it"), "resourceVersion": str(version), "annotations": notes}
    return {"metadata": metadata, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}}


class Half(Rivals):
    """Stands for one of two shards, while there may be a leader of the whole."""

    def __init__(self) -> None:
        super().__init__("it", HALF, lease=LEASE, gap=GAP)

    def look(self, at: float, *leases: Body, lasting: float = 0.0) -> bool:
        """See these Leases; return whether our part is ours now."""
        self.saw(leases, asked_at=at, answered_at=at + lasting)
        return self.mine

    def watch(self, begin: int, end: int, *leases: Body) -> None:
        """See these Leases every two seconds."""
        for second in range(begin, end, 2):
            self.look(second, *leases)

    @property
    def mine(self) -> bool:
        """Whether all of our part is ours."""
        return self.is_settled and not self.first

    @classmethod
    def elected_by(cls, version: int, *before: Body) -> Half:
        """Return one that has watched for long, and was elected at 100 by this version."""
        rivals = cls()
        rivals.watch(0, 100, *before)
        rivals.elected(version, 100)
        return rivals


def test_nothing_is_owned_before_the_election_and_the_list_after_it() -> None:
    """A list that was asked for before the election may be older than somebody else's election."""
    rivals = Half()
    rivals.watch(0, 100)
    assert not rivals.mine
    rivals.elected(7, 100)
    assert not rivals.mine
    assert not rivals.look(99.9, lasting=5)
    assert rivals.look(100)


def test_nothing_is_owned_before_a_lease_was_watched() -> None:
    """Somebody may have deleted the Lease of one who lives: until it can be back, its absence proves nothing."""
    rivals = Half()
    rivals.elected(7, 0)
    assert not rivals.look(0, lasting=1)
    rivals.watch(2, 16)
    assert not rivals.look(15.9), "the wait begins with the answer of the first list"
    assert rivals.look(16)


def test_an_outage_is_no_watching() -> None:
    """Somebody may have been elected while no list came, and his Lease been deleted: until it can be back, we wait."""
    for back in (True, False):
        rivals = Half()
        rivals.watch(0, 20)
        rivals.elected(7, 40)
        rivals.watch(42, 50)
        assert not rivals.mine
        if back:
            rivals.watch(50, 60, lease("he", elected=6))
            assert not rivals.look(60, lease("he", elected=6, renewed=1))
        else:
            rivals.watch(50, 56)
            assert not rivals.look(56)
            assert rivals.look(57)


def test_one_look_that_fails_is_no_outage() -> None:
    """The pause is twice as long then, and a take-over is not to take a lease because of that."""
    rivals = Half()
    rivals.watch(0, 96)
    rivals.elected(7, 97)
    assert rivals.look(98.8)


@pytest.mark.parametrize(
    ("elected", "first"),
    [(None, True), (6, True), (8, False), (101, True)],
    ids=["says nothing", "earlier", "later", "from the future"],
)
def test_the_order_of_elections(elected: int | None, *, first: bool) -> None:
    """Who cannot be proved to be later goes first."""
    rivals = Half.elected_by(7)
    assert rivals.look(100, lease("he", elected=elected)) is not first


def test_notes_of_a_holder_before_him_say_nothing() -> None:
    """An older version keeps the annotations of whoever held the Lease before."""
    rivals, old = Half.elected_by(7), lease("he", elected=8)
    old["metadata"]["annotations"][ACQUIRED_BY] = "another"
    assert not rivals.look(100, old)


def test_parts_that_do_not_overlap_are_no_rivals() -> None:
    """Of the same number, and of the other half of twice the number."""
    rivals = Half.elected_by(7)
    others = [lease("a", elected=1, division=Division(1, 2)), lease("b", elected=1, division=Division(3, 4))]
    assert rivals.look(100, *others)
    assert rivals.shares == 3, "but they use the same budget"


def test_who_lives_is_waited_for_and_who_does_not_is_not() -> None:
    """He lives as long as his record changes; then as long as it lasts, on our clock, at the moment of the question."""
    rivals = Half.elected_by(7)
    for second in range(100, 200, 2):
        assert not rivals.look(second, lease("he", elected=1, renewed=second))
    assert not rivals.look(200, lease("he", elected=1, renewed=198))
    assert not rivals.look(212.9, lease("he", elected=1, renewed=198), lasting=30), "an answer tells of the past"
    assert rivals.look(213, lease("he", elected=1, renewed=198))


def test_once_ours_always_ours() -> None:
    """Whoever appears after that was elected after us, whatever he says or does not say of it."""
    rivals = Half.elected_by(7)
    assert rivals.look(100)
    for elected in (None, 1, 9):
        assert rivals.look(102, lease("he", elected=elected))


def test_a_successor_is_later_than_we_are() -> None:
    """He was elected while somebody else went first, after our own election; he need not have said so."""
    rivals = Half.elected_by(7)
    assert not rivals.look(100, lease("he", elected=1))
    assert rivals.look(102, lease("his successor", elected=None, renewed=1))


def test_a_released_lease_is_free_at_once() -> None:
    """Its holder had stopped before he wrote that."""
    rivals = Half.elected_by(7)
    assert not rivals.look(100, lease("he", elected=1))
    assert rivals.look(102, lease("", elected=None))


def test_a_deleted_lease_is_waited_for_and_put_back_by_the_same_holder() -> None:
    """He lives, and it is back: he still goes first. He does not, and it stays away: after a lease it is free."""
    for back in (True, False):
        rivals = Half.elected_by(7)
        assert not rivals.look(100, lease("he", elected=1))
        assert not rivals.look(102)
        assert not rivals.look(116.9)
        if back:
            assert not rivals.look(116.9, lease("he", elected=1, renewed=1))
            assert not rivals.look(130, lease("he", elected=1, renewed=2))
        else:
            assert rivals.look(117)


def test_whoever_puts_back_a_lease_that_had_gone_before_our_election_goes_first() -> None:
    """It was there while we stood by and is not in the deciding list: who has it comes to light."""
    rivals = Half.elected_by(7)
    rivals.look(98, lease("", elected=None))
    assert not rivals.look(100)
    assert not rivals.look(102, lease("he", elected=None, renewed=1))
    assert not rivals.look(104, lease("he", elected=5, renewed=2))
    assert rivals.look(106, lease("", elected=None))


def test_shares_are_of_all_who_live_and_of_all_who_should() -> None:
    """The dead use nothing, and those who are not there yet will."""
    rivals = Half.elected_by(7)
    assert rivals.shares == 2
    rivals.look(100, lease("he", elected=1), lease("she", elected=1, division=Division(1, 2)))
    assert rivals.shares == 3
    rivals.look(116, lease("he", elected=1), lease("", elected=None, division=Division(1, 2)))
    assert rivals.shares == 2
