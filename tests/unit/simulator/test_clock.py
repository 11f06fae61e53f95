"""Virtual time, and what is due in it."""

from __future__ import annotations

import pytest

from gpuinstance_simulator.agenda import Agenda
from gpuinstance_simulator.clock import TEST_EPOCH, ManualClock, VirtualClock


def test_a_manual_clock_moves_only_by_hand() -> None:
    """Two looks give the same time; an advance is exact."""
    clock = ManualClock()
    assert clock.now() == clock.now() == TEST_EPOCH
    clock.advance(90)
    assert clock.now() == TEST_EPOCH + 90


def test_speed_multiplies_real_time_and_a_change_keeps_what_has_passed() -> None:
    """60 virtual seconds a real one; slowing down does not rewrite the past."""
    real = [0.0]
    clock = VirtualClock(start=1000, speed=60, source=lambda: real[0])
    real[0] = 2
    assert clock.now() == 1120
    clock.set_speed(1)
    real[0] = 3
    assert clock.now() == 1121


def test_time_never_goes_back() -> None:
    """Negative speeds and jumps are refused."""
    clock = ManualClock()
    with pytest.raises(ValueError, match="turned back"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="negative"):
        clock.set_speed(-1)


def test_subscribers_learn_of_jumps_until_they_leave() -> None:
    """Sockets that follow virtual time depend on it."""
    clock, heard = ManualClock(), list[float]()
    leave = clock.subscribe(lambda: heard.append(clock.now()))
    clock.advance(1)
    leave()
    clock.advance(1)
    assert heard == [TEST_EPOCH + 1]


def test_the_agenda_runs_in_order_of_time_also_what_is_set_on_the_way() -> None:
    """However late somebody looks, everything happens in order and at its own time."""
    agenda, happened = Agenda(), list[tuple[str, float]]()
    agenda.at(5, lambda at: happened.append(("late", at)))

    def early(at: float) -> None:
        happened.append(("early", at))
        agenda.at(at + 1, lambda then: happened.append(("between", then)))

    agenda.at(2, early)
    assert agenda.next() == 2
    assert agenda.run(10)
    assert happened == [("early", 2), ("between", 3), ("late", 5)]
    assert not agenda.run(10)
    assert agenda.next() is None
