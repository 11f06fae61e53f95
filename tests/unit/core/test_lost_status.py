"""A status that was lost while the operator was down: the machine is found by its name, and nothing is done to it."""

from __future__ import annotations

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import HandledActions
from tests.builders import IMAGE, OF_HOSTWINDS, instance, machine
from tests.unit.core.observed import Found

TOKENS = {"restart": "in spring", "recreate": "in summer"}
MORE_TOKENS = {**TOKENS, "reinstall": "in autumn", "regenerate_networking": "in winter"}


@pytest.mark.parametrize("outage", [False, True], ids=["seen at once", "seen after an outage"])
@pytest.mark.parametrize("where", ["novita", "hostwinds"])
def test_no_token_is_carried_out_again(where: str, *, outage: bool) -> None:
    """To recreate or reinstall a machine once more would cost its disk; who wants it asks by another token."""
    of = instance().of_hostwinds() if where == "hostwinds" else instance()
    tokens = MORE_TOKENS if where == "hostwinds" else TOKENS
    life = Found(of.with_ports(80).with_spec(actions=tokens).build(), (machine(image=IMAGE),))
    life.limits = OF_HOSTWINDS if where == "hostwinds" else {}
    life.blind = outage
    life.settle()
    life.blind = False
    life.settle()
    assert life.actions == []
    assert where == "hostwinds" or life.said == Reason.READY
    assert life.status.handled_actions == HandledActions(**tokens)
    life.edit(of.with_ports(80).with_spec(actions={**tokens, "restart": "once more"}))
    life.settle()
    assert [type(it).__name__ for it in life.actions] == ["Restart"]
