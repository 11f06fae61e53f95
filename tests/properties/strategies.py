"""Snapshots of every kind, also of kinds that should never come about.

The parts of a snapshot are drawn independently of each other, so that most combinations make no sense:
the rules have to answer them all the same. Sizes are small on purpose, so that coincidences (the same id
in status and listing, a moment just before a deadline) happen often.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st

from gpuinstance.api.base import ApiModel
from gpuinstance.api.expiry import LAST_USED, ExpiryStatus
from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.status import (
    AppliedStatus,
    Endpoint,
    GPUInstanceStatus,
    HandledActions,
    HealthStatus,
    InstanceStatus,
    Operation,
    OperationError,
    OperationTimes,
)
from gpuinstance.api.upgrade_status import MachineShape
from gpuinstance.api.v1alpha1 import FINALIZER, GPUInstance, ObjectMeta
from gpuinstance.api.words import (
    BillingMode,
    DeletionPolicy,
    DriftPolicy,
    ErrorCategory,
    OperationPhase,
    OperationType,
    Outcome,
    OverallHealth,
    Phase,
    PortProtocol,
    PowerState,
    Requirement,
)
from gpuinstance.core.budget import Budget
from gpuinstance.core.desired import hardware_fingerprint, software_fingerprint, wanted_ports
from gpuinstance.core.model import Machine, MachineState, Port, Software
from gpuinstance.core.snapshot import Blind, FoundUpgrade, HealthReport, Price, Probed, Refusal, Seen, Snapshot
from tests.builders import HOST, IDENTITY, IMAGE, LIMITS, NOW, OF_HOSTWINDS, UID, order
from tests.properties.moments import any_moments, maybe_moments, moments
from tests.properties.shapes import SHAPES, conditions

TOKENS = st.sampled_from([None, None, None, "a", "b"])

Model = TypeVar("Model", bound=ApiModel)


def _of(model: type[Model], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Model]:
    """Models of the API; `st.builds` would fill in their aliases as well."""
    return st.fixed_dictionaries(fields).map(lambda values: model(**values))


_EXPIRIES: list[dict[str, str] | None] = [
    None,
    None,
    {"ttl": "30m"},
    {"ttl": "30m", "action": "Delete"},
    {"idle_after": "30m"},
    {"ttl": "10h", "idle_after": "30m", "action": "Delete"},
]
port_numbers = st.sampled_from([22, 80, 8080])
protocols = st.sampled_from(PortProtocol)


@st.composite
def specs(draw: st.DrawFn) -> GPUInstanceSpec:
    """Specs that the API server would accept."""
    image = draw(st.sampled_from([IMAGE, "other:2", None]))
    numbers = draw(st.none() | st.sets(port_numbers))
    fields: dict[str, Any] = {
        "provider": "novita",
        "product": draw(st.sampled_from([{"name": "RTX 4090"}, {"id": "4090.a"}])),
        "image": image,
        "template_id": None if image else "t-1",
        "power_state": draw(st.sampled_from(PowerState)),
        "suspend": draw(st.sampled_from([False] * 9 + [True])),
        "gpu_count": draw(st.sampled_from([1, 2, 8])),
        "rootfs_size_gb": draw(st.sampled_from([None, 60, 100, 1000])),
        "ports": None if numbers is None else [{"port": n, "protocol": draw(protocols)} for n in sorted(numbers)],
        "billing": draw(st.sampled_from([{}, {"max_hourly_price": "0.1"}, {"mode": BillingMode.MONTHLY, "months": 3}])),
        "health_check": draw(
            st.sampled_from(
                [
                    {},
                    {"enabled": False},
                    {"require": Requirement.ANY},
                    {"target_port": 80},
                    {"endpoints": [{"port": 80}, {"port": 9999}]},
                ]
            )
        ),
        "recovery": draw(
            st.sampled_from([{}, {"policy": "Restart"}, {"policy": "Recreate", "on_spot_reclaim": "Start"}])
        ),
        "deletion_policy": draw(st.sampled_from(DeletionPolicy)),
        "drift": draw(st.sampled_from(DriftPolicy)),
        "deletion_protection": draw(st.booleans()),
        "expiry": draw(st.sampled_from(_EXPIRIES)),
        "actions": {name: draw(TOKENS) for name in ("restart", "recreate", "reinstall", "regenerate_networking")},
        "hostwinds": draw(st.sampled_from([None, None, {"location_id": 1}])),
    }
    return GPUInstanceSpec(**fields)


_errors = st.none() | _of(
    OperationError,
    code=st.sampled_from(Reason),
    category=st.sampled_from(ErrorCategory),
    retryable=st.booleans(),
    message=st.just("no"),
)
_times = _of(
    OperationTimes,
    initiated_at=maybe_moments,
    monitoring_at=maybe_moments,
    changing_at=maybe_moments,
    running_at=maybe_moments,
    health_checking_at=maybe_moments,
    completed_at=maybe_moments,
    failed_at=maybe_moments,
)
_targets = st.sampled_from([None, "a", "b", "ports:80/http", "ports:", "disk:100", "software:abc", "recovery/1", "?"])
operations = _of(
    Operation,
    id=st.just("op-1"),
    type=st.sampled_from(OperationType),
    attempt=st.integers(1, 3),
    phase=st.sampled_from(OperationPhase),
    generation=st.integers(1, 2),
    token=_targets,
    target=st.sampled_from([None, "software:abc"]),
    started_at=moments,
    deadline=any_moments,
    machine_started_at=maybe_moments,
    phases=_times,
    failures=st.integers(0, 20),
    retry_at=st.none() | any_moments,
    error=_errors,
)

# What ended did so long ago; what matters of it sooner is told in tables.
_ended = operations.map(
    lambda it: it.model_copy(update={"started_at": NOW - timedelta(hours=3), "phases": OperationTimes()})
)
_recorded = st.none() | _of(
    InstanceStatus,
    id=st.sampled_from([None, "m-1", "m-1", "m-1", "m-2"]),
    name=st.sampled_from([IDENTITY.name(1), IDENTITY.name(2)]),
    state=st.sampled_from([None, "running", "pulling"]),
    started_at=maybe_moments,
)
_handled = _of(HandledActions, restart=TOKENS, recreate=TOKENS, reinstall=TOKENS, regenerate_networking=TOKENS)
_health = st.none() | _of(
    HealthStatus,
    overall=st.sampled_from(OverallHealth),
    started_at=maybe_moments,
    completed_at=maybe_moments,
    consecutive_failures=st.integers(0, 4),
)


def _applied(spec: GPUInstanceSpec) -> st.SearchStrategy[AppliedStatus]:
    """What was brought about: often what the spec says, so that rules behind the first are reached."""
    return _of(
        AppliedStatus,
        power_state=st.sampled_from([None, *PowerState]),
        ports=st.sampled_from([wanted_ports(spec), wanted_ports(spec), "80/http", "", None]),
        rootfs_size_gb=st.sampled_from([None, 60, 1000]),
        software=st.sampled_from([software_fingerprint(spec), software_fingerprint(spec), "old", None]),
        hardware=st.sampled_from([hardware_fingerprint(spec), hardware_fingerprint(spec), "old", None]),
    )


_expiries = st.none() | _of(
    ExpiryStatus, expires_at=maybe_moments, idle_at=maybe_moments, idle_generation=st.integers(1, 2)
)


@st.composite
def statuses(draw: st.DrawFn, spec: GPUInstanceSpec) -> GPUInstanceStatus:
    """Statuses that the schema allows, whoever wrote them."""
    shape = draw(st.sampled_from(list(SHAPES)))
    if shape == "new" and draw(st.booleans()):
        return GPUInstanceStatus()
    ready = shape == "ready"
    outcomes = {"ready": [Outcome.READY], "settled": [Outcome.STOPPED, Outcome.SUSPENDED], "stuck": list(Outcome)[1:]}
    endpoint = Endpoint(port=80, protocol=PortProtocol.HTTP, url="https://m-80.example")
    return GPUInstanceStatus(
        observed_generation=-1 if shape == "new" else draw(st.integers(1, 2)),
        phase=Phase.READY if ready else draw(st.none() | st.sampled_from(Phase)),
        outcome=draw(st.sampled_from(outcomes.get(shape, [None]))),
        conditions=draw(conditions(shape)),
        operation=None if ready else draw(st.none() | operations),
        last_operation=draw(st.none() | _ended),
        attempts=draw(st.integers(0, 3)),
        instance=draw(_recorded),
        applied=draw(_applied(spec)),
        endpoints=draw(st.sampled_from([None, [], [endpoint]])),
        health_check=draw(_health),
        handled_actions=draw(_handled),
        recovery_attempts=draw(st.integers(0, 3)),
        last_recovery_at=draw(maybe_moments),
        created_at=draw(maybe_moments),
        started_at=draw(maybe_moments),
        terminated_at=draw(maybe_moments),
        expiry=draw(_expiries),
    )


@st.composite
def machines(draw: st.DrawFn, machine_id: str, name: str) -> Machine:
    """A machine in any state."""
    state = draw(st.sampled_from([*MachineState, MachineState.RUNNING, MachineState.RUNNING]))
    exposed = draw(st.sets(port_numbers))
    return Machine(
        id=machine_id,
        name=name,
        state=state,
        word=state.lower(),
        ports=tuple(Port(number, PortProtocol.HTTP) for number in sorted(exposed)),
        rootfs_gb=draw(st.sampled_from([None, 60, 100])),
        trouble=draw(st.sampled_from(["", "", "", "out of memory"])),
        host=draw(st.sampled_from(["", HOST, HOST])),
        product_id=draw(st.sampled_from(["", "4090.a"])),
        hourly_price=draw(st.sampled_from([None, None, Decimal("0.05"), Decimal("0.5")])),
        reclaimed_at=draw(st.sampled_from([None, None, NOW])),
        created_at=draw(maybe_moments),
        started_at=draw(maybe_moments),
        stopped_at=draw(maybe_moments),
    )


@st.composite
def views(draw: st.DrawFn) -> Seen | Blind:
    """What the provider shows, or that it shows nothing."""
    if draw(st.integers(0, 9)) == 0:
        return Blind(draw(st.sampled_from(Reason)), "the provider is away", draw(st.booleans()), draw(moments))
    ids = draw(st.sampled_from([(), ("m-1",), ("m-1",), ("m-1",), ("m-2",), ("m-1", "m-2")]))
    ours = [draw(machines(machine_id, IDENTITY.name(draw(st.integers(1, 2))))) for machine_id in ids]
    namesake = draw(machines("n-1", IDENTITY.name(1).replace(IDENTITY.uid8, "00000000")))
    return Seen(tuple(ours), (namesake,) if draw(st.integers(0, 9)) == 0 else (), draw(moments))


_refusals = st.builds(
    Refusal, reason=st.sampled_from(Reason), message=st.just("not on sale"), needs_person=st.booleans()
)
_results = st.lists(
    st.builds(Probed, port=port_numbers, healthy=st.booleans(), message=st.just("HTTP 502")), min_size=1, max_size=2
)
plans = st.just(order()) | _refusals
softwares = st.just(Software(IMAGE)) | _refusals
addresses = st.sampled_from([(), (Port(80, PortProtocol.HTTP, "https://m-80.example"), Port(22, PortProtocol.TCP))])
reports = st.builds(HealthReport, checked_at=moments, results=_results.map(tuple))


limits = st.sampled_from(
    [LIMITS, replace(LIMITS, **OF_HOSTWINDS), replace(LIMITS, asks_budget=True), replace(LIMITS, asks_budget=True)]
)
_amounts = st.sampled_from([Decimal(0), Decimal("0.35"), Decimal(9)])
budgets = st.builds(
    Budget,
    limit=st.none() | _amounts,
    others=_amounts,
    unpriced=st.sampled_from(["", "", "", "adopted"]),
    trouble=st.sampled_from(["", "", "", "it is 'x'"]),
)
prices = st.builds(Price, now=st.none() | _amounts)
_FAILED = (MachineShape(product_id="4090.a"), MachineShape(product_id="4090.b", hourly_price="0.7"))
upgrades = st.none() | st.builds(
    FoundUpgrade,
    name=st.just("bigger"),
    uid=st.just("u-1"),
    machine_id=st.sampled_from(["m-1", "m-2"]),
    holds=st.booleans(),
    failed_between=st.sampled_from([None, _FAILED]),
    hourly_price=st.sampled_from([None, "0.7"]),
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any snapshot, with every fact that the rules may ask for."""
    spec = draw(specs())
    deleting = draw(st.sampled_from([None] * 9 + [NOW]))
    metadata = ObjectMeta(
        name="trainer",
        namespace="default",
        uid=UID,
        generation=2,
        deletion_timestamp=deleting,
        finalizers=(FINALIZER,) if draw(st.integers(0, 5)) else (),
        annotations=draw(st.sampled_from([{}, {LAST_USED: NOW.isoformat()}, {LAST_USED: "2027-01-15T10:00:00Z"}])),
    )
    return Snapshot(
        now=NOW,
        instance=GPUInstance(metadata=metadata, spec=spec, status=draw(statuses(spec))),
        identity=IDENTITY,
        limits=draw(limits),
        view=draw(views()),
        upgrade=draw(st.none() | upgrades),
        paid_upgrade=draw(st.sampled_from([None, None, None, "bigger"])),
        plan=draw(plans),
        budget=draw(budgets),
        price=draw(prices),
        software=draw(softwares),
        addresses=draw(addresses),
        confirmed_gone=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"m-1"}), frozenset({"m-1", "m-2"})])),
        health=draw(reports),
        health_is_new=draw(st.booleans()),
    )
