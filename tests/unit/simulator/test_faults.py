"""The table of faults: which calls are struck."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from gpuinstance_simulator.effects import Drop
from gpuinstance_simulator.faults import Call, Fault, FaultTable
from gpuinstance_simulator.lifecycle import Operation

CREATE = Call(Operation.CREATE, machine_name="trainer-1")


def strikes(table: FaultTable, *calls: Call, now: float = 0) -> list[bool]:
    return [bool(table.take(call, now)) for call in calls]


@pytest.mark.parametrize(
    ("nth", "count", "expected"),
    [
        pytest.param(1, 1, [True, False, False, False], id="the first"),
        pytest.param(3, 1, [False, False, True, False], id="the third"),
        pytest.param(2, 2, [False, True, True, False], id="two from the second on"),
        pytest.param(1, None, [True, True, True, True], id="every"),
        pytest.param(3, None, [False, False, True, True], id="all from the third on"),
    ],
)
def test_the_nth_call_is_counted_from_when_the_fault_was_planted(
    nth: int, count: int | None, expected: list[bool]
) -> None:
    """Only matching calls count."""
    table = FaultTable()
    planted = table.add(Fault(operation=Operation.CREATE, nth=nth, count=count, effect=Drop()))
    calls = [CREATE, Call(Operation.LIST), CREATE, CREATE, CREATE]
    del (hits := strikes(table, *calls))[1]
    assert hits == expected
    assert (planted.seen, planted.hits) == (4, sum(expected))


def test_a_fault_can_end_with_time() -> None:
    """`seconds` are virtual and begin when it is planted."""
    table = FaultTable()
    table.add(Fault(count=None, seconds=60, effect=Drop()), now=1000)
    assert strikes(table, CREATE, now=1059.9) == [True]
    assert strikes(table, CREATE, now=1060) == [False]


@pytest.mark.parametrize(
    ("condition", "call", "expected"),
    [
        ({"operation": "*"}, CREATE, True),
        ({"operation": "start"}, CREATE, False),
        ({"name": "trainer-*"}, CREATE, True),
        ({"name": "other-*"}, CREATE, False),
        ({"machine": "m1"}, Call(Operation.START, "m1", "x"), True),
        ({"machine": "m1"}, Call(Operation.START, "m2", "x"), False),
        ({"page": 2}, Call(Operation.LIST, page=2), True),
        ({"page": 2}, Call(Operation.LIST, page=1), False),
    ],
)
def test_conditions_choose_the_calls(condition: dict[str, object], call: Call, expected: bool) -> None:
    """Everything that is given has to match."""
    fault = Fault.model_validate(condition | {"effect": {"kind": "drop"}})
    assert fault.matches(call) is expected


def test_faults_are_independent_replaceable_and_removable() -> None:
    """One call may be struck by several, in the order of planting."""
    table = FaultTable()
    table.add(Fault(id="a", effect=Drop(when="before")))
    table.add(Fault(effect=Drop(when="after")))
    assert [it.fault.id for it in table.take(CREATE, 0)] == ["a", "fault-2"]
    table.add(Fault(id="a", effect=Drop()))
    assert [it.fault.id for it in table.take(CREATE, 0)] == ["a"]
    assert table.remove("a") == 1
    assert table.remove("a") == 0
    assert table.remove() == 1
    assert table.planted() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"operation": "creat", "effect": {"kind": "drop"}},
        {"effect": {"kind": "explode"}},
        {"effect": {"kind": "drop", "wenn": "before"}},
        {"nth": 0, "effect": {"kind": "drop"}},
        {"operation": "create"},
    ],
)
def test_a_misspelt_fault_is_refused(wrong: dict[str, object]) -> None:
    """A fault that silently never strikes would make a test pass for nothing."""
    with pytest.raises(ValidationError):
        TypeAdapter(Fault).validate_python(wrong)
