"""How long a receiver is left alone, and how many may be on their way to it."""

from __future__ import annotations

from gpuinstance.notify.pacing import Doors, Rests, pause


def test_pauses_double_from_five_seconds_to_an_hour() -> None:
    """Stretched or shortened by the jitter; within a day there are some thirty tries."""
    assert [pause(failures, 1.0) for failures in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert pause(100, 1.0) == 3600
    assert pause(1, 0.5) == 2.5
    tries, passed = 0, 0.0
    while passed < 86_400:
        tries += 1
        passed += pause(tries, 1.0)
    assert 30 <= tries <= 40


def test_an_address_rests_longer_with_each_failure_and_not_at_all_once_it_answers() -> None:
    """Up to five minutes, unless it asks for more itself."""
    now = [0.0]
    rests = Rests(lambda: now[0])
    assert rests.left("ml", "a") == 0
    rests.failed("ml", "a", None)
    assert rests.left("ml", "a") == 5
    rests.failed("ml", "a", None)
    assert rests.left("ml", "a") == 10
    now[0] = 7.0
    assert rests.left("ml", "a") == 3
    assert rests.left("ml", "b") == 0
    for _ in range(20):
        rests.failed("ml", "a", None)
    assert rests.left("ml", "a") == 300
    rests.failed("ml", "a", 1800.0)
    assert rests.left("ml", "a") == 1800
    rests.failed("ml", "a", 1e9)
    assert rests.left("ml", "a") == 3600, "however much it asks for"
    rests.answered("ml", "a")
    assert rests.left("ml", "a") == 0


def test_what_one_namespace_finds_out_holds_for_no_other() -> None:
    """It may be its own doing, as where names that never resolve take its turns with the resolver."""
    rests = Rests(lambda: 0.0)
    rests.failed("ml", "a", None)
    assert (rests.left("ml", "a"), rests.left("web", "a")) == (5, 0)
    rests.answered("web", "a")
    assert rests.left("ml", "a") == 5


def test_what_is_known_of_addresses_is_bounded() -> None:
    """The ones that failed longest ago are forgotten."""
    rests = Rests(lambda: 0.0)
    for number in range(3000):
        rests.failed("ml", str(number), None)
    assert rests.left("ml", "0") == 0
    assert rests.left("ml", "2999") == 5


def test_a_place_is_handed_on_to_who_waits() -> None:
    """In order; and given back once nobody waits."""
    doors: Doors[str] = Doors(most=2)
    assert [doors.enter("h", name, "ml") for name in "abcd"] == [True, True, False, False]
    assert doors.enter("other", "e", "ml")
    assert doors.leave("h") == "c"
    assert doors.leave("h") == "d"
    assert doors.leave("h") is None
    assert doors.enter("h", "f", "ml")
    assert not doors.enter("h", "g", "ml")
    assert [doors.leave("h") for _ in range(3)] == ["g", None, None]
    assert [doors.enter("h", name, "ml") for name in "xyz"] == [True, True, False]


def test_places_are_handed_on_in_turns() -> None:
    """A namespace of which many wait gets one, then each of the others gets one."""
    doors: Doors[str] = Doors(most=1)
    assert doors.enter("h", "first", "a")
    for name, namespace in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("b2", "b"), ("c1", "c")):
        assert not doors.enter("h", name, namespace)
    assert [doors.leave("h") for _ in range(7)] == ["a1", "b1", "c1", "a2", "b2", "a3", None]
