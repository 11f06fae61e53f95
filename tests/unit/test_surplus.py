"""Second machines are counted when they come to light, and shown for as long as they stand."""

from __future__ import annotations

from gpuinstance.core.model import Machine, MachineState
from gpuinstance.surplus import Surplus
from tests.builders import machine


def machines(*states: MachineState) -> list[Machine]:
    return [machine(f"m-{number}", state) for number, state in enumerate(states)]


UP, LEAVING, GONE = MachineState.RUNNING, MachineState.REMOVING, MachineState.REMOVED


def test_one_machine_is_none_too_many() -> None:
    """Also while an old one is on its way out, or still listed as gone."""
    surplus = Surplus()
    surplus.note("uid", "novita", machines(UP, LEAVING, GONE))
    assert surplus.by_provider(["novita", "hostwinds"]) == {"novita": 0, "hostwinds": 0}


def test_a_second_one_is_shown_until_it_goes() -> None:
    """Each is counted once, however often it is seen."""
    seen: list[str] = []
    surplus = Surplus(seen.append)
    for _ in range(3):
        surplus.note("uid", "novita", machines(UP, UP, UP))
    assert surplus.by_provider(["novita"]) == {"novita": 2}
    assert seen == ["novita", "novita"]
    surplus.note("uid", "novita", machines(UP, LEAVING, UP))
    assert surplus.by_provider(["novita"]) == {"novita": 1}
    surplus.note("uid", "novita", machines(UP))
    assert surplus.by_provider(["novita"]) == {"novita": 0}
    assert seen == ["novita", "novita"]


def test_an_object_that_is_gone_has_none() -> None:
    """Its machines are another matter: orphans, if they stay."""
    surplus = Surplus()
    surplus.note("uid", "hostwinds", machines(UP, UP))
    surplus.forget("uid")
    assert surplus.by_provider(["hostwinds"]) == {"hostwinds": 0}
