"""Snapshots of the kind that do come about: a known state, a few edits, a machine that is elsewhere.

Absurd snapshots (`strategies`) rarely reach the last rules; these do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from gpuinstance.api.words import DeletionPolicy, DriftPolicy, PowerState
from gpuinstance.core.snapshot import Seen, Snapshot
from tests.builders import HOST, IDENTITY, NOW, InstanceBuilder, instance, snapshot
from tests.properties.moments import moments
from tests.properties.strategies import addresses, limits, machines, operations, plans, reports, softwares

_BEGINNINGS = (
    instance(),
    instance().seen(),
    instance().with_ports(80).creating(began=NOW - timedelta(seconds=10)),
    instance().with_ports(80).creating(began=NOW - timedelta(seconds=90)),
    instance().with_ports(80).creating(answered=True, began=NOW - timedelta(seconds=10)),
    instance().with_ports(80).creating(answered=True, began=NOW - timedelta(seconds=90)),
    instance().with_ports(80).with_machine(),
    instance().running(),
    instance().serving(80),
    instance().serving(80, 8080),
    instance().with_ports(80).stopped(),
    instance().with_ports(80).creating(answered=True, named=False, began=NOW - timedelta(seconds=90)),
    instance().of_hostwinds().serving_at(HOST, 80),
    instance().of_hostwinds().with_ports(80).with_machine(),
)
_EDITS: tuple[Callable[[InstanceBuilder], InstanceBuilder], ...] = (
    lambda it: it.edited(gpu_count=2),
    lambda it: it.edited(image="other:2"),
    lambda it: it.edited(rootfs_size_gb=100),
    lambda it: it.edited(ports=[{"port": 80}, {"port": 22, "protocol": "tcp"}]),
    lambda it: it.edited(power_state=PowerState.STOPPED),
    lambda it: it.edited(power_state=PowerState.RUNNING),
    lambda it: it.edited(health_check={"enabled": False}),
    lambda it: it.edited(health_check={"endpoints": [{"port": 80}, {"port": 9999}]}),
    lambda it: it.with_spec(drift=DriftPolicy.CORRECT),
    lambda it: it.with_spec(deletion_policy=DeletionPolicy.STOP),
    lambda it: it.asking_restart("a"),
    lambda it: it.asking_recreate("a"),
    lambda it: it.asking(recreate="a", reinstall="a"),
    lambda it: it.asking(regenerate_networking="a"),
    lambda it: it.edited(template_id="debian", image=None),
    lambda it: it.with_spec(recovery={"policy": "Restart"}),
    lambda it: it.with_spec(recovery={"policy": "Recreate"}),
    lambda it: it.with_spec(expiry={"ttl": "1h"}).with_status(created_at=NOW - timedelta(hours=2)),
    lambda it: it.with_spec(expiry={"ttl": "3h", "action": "Delete"}).with_status(created_at=NOW - timedelta(hours=2)),
    lambda it: it.suspended(),
    lambda it: it.deleting(),
    lambda it: it.deleting(),
)


@st.composite
def likely_snapshots(draw: st.DrawFn) -> Snapshot:
    """A known state, up to three edits, and machines anywhere on their way."""
    builder = draw(st.sampled_from(_BEGINNINGS))
    for edit in draw(st.lists(st.sampled_from(_EDITS), max_size=3)):
        builder = edit(builder)
    if not builder.build().status.outcome and draw(st.booleans()):
        builder = builder.during(draw(operations))
    ids = draw(st.sampled_from([(), ("m-1",), ("m-1",), ("m-1",), ("m-1", "m-2")]))
    seen = Seen(tuple(draw(machines(it, IDENTITY.name(int(it[-1])))) for it in ids), (), draw(moments))
    return replace(
        snapshot(builder),
        view=seen,
        limits=draw(limits),
        plan=draw(plans),
        software=draw(softwares),
        addresses=draw(addresses),
        health=draw(st.none() | reports),
        health_is_new=draw(st.booleans()),
    )
