"""The shapes that the conditions of a lawful status can have; whatever was written before was lawful."""

from __future__ import annotations

from hypothesis import strategies as st

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition
from gpuinstance.api.words import ConditionStatus, ConditionType
from tests.properties.moments import moments

SHAPES: dict[str, tuple[tuple[ConditionType, ConditionStatus], ...]] = {
    "new": (),
    "ready": ((ConditionType.READY, ConditionStatus.TRUE),),
    "working": ((ConditionType.READY, ConditionStatus.FALSE), (ConditionType.RECONCILING, ConditionStatus.TRUE)),
    "unknown": ((ConditionType.READY, ConditionStatus.UNKNOWN), (ConditionType.RECONCILING, ConditionStatus.TRUE)),
    "stuck": ((ConditionType.READY, ConditionStatus.FALSE), (ConditionType.STALLED, ConditionStatus.TRUE)),
    "settled": ((ConditionType.READY, ConditionStatus.FALSE),),
}


@st.composite
def conditions(draw: st.DrawFn, shape: str) -> list[Condition]:
    reason, moment, generation = draw(st.sampled_from(Reason)), draw(moments), draw(st.integers(1, 2))
    return [
        Condition(
            type=kind,
            status=status,
            reason=reason,
            message="before",
            observed_generation=generation,
            last_transition_time=moment,
        )
        for kind, status in SHAPES[shape]
    ]
