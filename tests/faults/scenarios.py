"""The lives that the campaign disturbs. Each begins undisturbed; trouble comes in its last part.

Data only: a new scenario is a new row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.faults.steps import (
    GONE,
    INVOICED,
    READY,
    RECOVERED,
    STOPPED,
    UPGRADED,
    Apply,
    Await,
    Delete,
    Edit,
    Find,
    Forget,
    Gone,
    Json,
    Pay,
    Reclaim,
    Step,
    Upgrade,
)

NOVITA: Json = {
    "provider": "novita",
    "product": {"name": "RTX 4090 24GB"},
    "image": "docker.io/library/nginx:1.27",
    "ports": [{"port": 80, "protocol": "http"}],
    # Few checks at rest: rest is long in virtual time.
    "healthCheck": {"intervalSeconds": 600},
}
HOSTWINDS: Json = {
    "provider": "hostwinds",
    "product": {"id": "402"},
    "templateID": "d3b07384-d113-4ec6-a8b5-1f3e5b6c7d01",
    "ports": [{"port": 8080, "protocol": "http"}],
    "hostwinds": {"locationID": 1},
    "healthCheck": {"intervalSeconds": 600},
}
DEBIAN = "c157a790-3f7b-4d0a-9e21-5a7c1e2f4b02"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One life."""

    name: str
    steps: tuple[Step, ...]
    """From here on calls go wrong."""
    before: tuple[Step, ...] = (Apply(), READY)
    spec: Json = field(default_factory=lambda: NOVITA)

    @property
    def provider(self) -> str:
        """Where its machine is."""
        return str(self.spec["provider"])

    @property
    def end(self) -> Await | Gone:
        """What is true when it is over."""
        last = self.steps[-1]
        assert isinstance(last, Await | Gone)
        return last

    @property
    def has_upgrade(self) -> bool:
        """Whether an InstanceUpgrade takes part."""
        return any(isinstance(step, Upgrade) for step in self.steps)


def _life(name: str, *steps: Step, before: tuple[Step, ...] = (Apply(), READY), **spec: Any) -> Scenario:
    return Scenario(name, steps, before, {**NOVITA, **spec})


def _server(name: str, *steps: Step, before: tuple[Step, ...] = (Apply(), READY), **spec: Any) -> Scenario:
    return Scenario(f"hostwinds-{name}", steps, before, {**HOSTWINDS, **spec})


_STOPPED = (Apply(), READY, Edit({"powerState": "Stopped"}), STOPPED)
_SUSPENDED = (Apply(), READY, Edit({"suspend": True}), READY)
_TWO_PORTS = [{"port": 80, "protocol": "http"}, {"port": 8080, "protocol": "http"}]

SCENARIOS: tuple[Scenario, ...] = (
    _life("create", Apply(), READY, before=()),
    _life("stop", Edit({"powerState": "Stopped"}), STOPPED),
    _life("start", Edit({"powerState": "Running"}), READY, before=_STOPPED),
    _life("restart", Edit({"actions": {"restart": "once"}}), READY),
    _life("recreate", Edit({"actions": {"recreate": "once"}}), READY),
    _life("delete", Delete(), GONE),
    _life("delete-stop", Delete(), GONE, deletionPolicy="Stop"),
    _life("delete-orphan", Delete(), GONE, deletionPolicy="Orphan"),
    _life("delete-forgotten", Forget(blind=True), Delete(), GONE),
    _life("delete-suspended", Forget(blind=False), Delete(), GONE, before=_SUSPENDED),
    _life("image", Edit({"image": "docker.io/library/nginx:1.28"}), READY),
    _life(
        "template",
        Edit({"templateID": "107700"}),
        READY,
        image=None,
        templateID="107672",
        ports=[{"port": 8000, "protocol": "http"}],
    ),
    _life("ports", Edit({"ports": _TWO_PORTS}), READY),
    _life("disk", Edit({"rootfsSizeGB": 100}), READY),
    _life("upgrade-image", Upgrade({"target": {"image": {"image": "docker.io/library/nginx:1.28"}}}), UPGRADED),
    _life(
        "adopt",
        Apply(),
        READY,
        Edit({"management": "Full", "powerState": "Stopped"}),
        STOPPED,
        before=(Find(),),
    ),
    _life("adopt-delete", Delete(), GONE, before=(Find(), Apply(), READY), management="Full"),
    _life(
        "reclaim",
        Reclaim(),
        RECOVERED,
        billing={"mode": "Spot"},
        recovery={"policy": "Never", "onSpotReclaim": "Start"},
    ),
    _server("create", Apply(), READY, before=()),
    _server("stop", Edit({"powerState": "Stopped"}), STOPPED),
    _server("restart", Edit({"actions": {"restart": "once"}}), READY),
    _server("rebuild", Edit({"actions": {"recreate": "once"}}), READY),
    _server("reinstall", Edit({"actions": {"reinstall": "once"}}), READY),
    _server("delete", Delete(), GONE),
    _server("upgrade-plan", Upgrade({"target": {"plan": {"id": "404"}}}), INVOICED, Pay(), UPGRADED),
)

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
