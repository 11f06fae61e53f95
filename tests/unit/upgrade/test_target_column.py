"""What `kubectl get iup` says about what a machine is to become, for every kind of upgrade."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.crd import UPGRADE_COLUMNS
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.upgrade.decide import decide_upgrade
from tests.materials import ago
from tests.upgrade_builders import OURS, UpgradeBuilder, direct, look, server, upgrade


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"image": {"image": "ghcr.io/acme/app:2"}}, "image ghcr.io/acme/app:2"),
        ({"rootfs_expand_gb": 40}, "root disk +40 GB"),
        ({"ports": [{"port": 8080, "protocol": "http"}, {"port": 22, "protocol": "tcp"}]}, "ports 22/tcp,8080/http"),
        ({"ports": []}, "no ports"),
        ({"billing": {"mode": "Monthly", "months": 6}}, "billed monthly, 6 months"),
        ({"billing": {"mode": "Monthly", "months": 1}}, "billed monthly, 1 month"),
        ({"plan": {"id": "5"}}, "plan 5"),
        ({"plan": {"ram": 4096, "cpu": 2}}, "plan with 4096 MB RAM, 2 CPU"),
        ({"plan": {"disk": 100}}, "plan with 100 GB disk"),
        ({"plan": {"id": "9", "ram": 8192}}, "plan 9 with 8192 MB RAM"),
    ],
)
def test_it_is_told_from_the_first_look_on(target: dict[str, Any], words: str) -> None:
    """In the words of the spec, before anything was asked or found out."""
    waiting = upgrade(target=target) if "plan" in target else direct(**target)
    assert _told(waiting, server(MachineState.STOPPED)) == words


def test_a_plan_is_called_by_its_name_once_that_is_known() -> None:
    """As the provider sells it."""
    assert _told(upgrade().awaiting_payment(), server(), order=OURS) == "Big"


def test_what_ended_before_there_was_such_a_column_is_told_afterwards() -> None:
    """An older version has left nothing there; once it is told, nothing more is written."""
    of = upgrade().awaiting_payment().with_status(completed_at=ago(hours=1), target_summary=None)
    assert _told(of, server(), order=OURS) == "Big"
    at = look(of.with_status(target_summary="Big"), server(), order=OURS)
    assert decide_upgrade(at).status is at.status


def test_kubectl_shows_it() -> None:
    """In a column of its own."""
    assert ("Target", "string", ".status.targetSummary", 0) in UPGRADE_COLUMNS


def _told(of: UpgradeBuilder, *machines: Machine, **facts: Any) -> str | None:
    return decide_upgrade(look(of, *machines, **facts)).status.target_summary
