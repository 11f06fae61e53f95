"""What holds for every snapshot of an upgrade: for those that come about, and for those that make no sense.

A known state of the saga, a few words of a person, and a world that may be anywhere: every decision keeps the
laws, a look that learns nothing comes to rest, and every answer can be written down. Where somebody has torn
pieces out of a status the rules still answer, and nothing is applied that was not paid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus, MachineShape
from gpuinstance.api.upgrade_words import CallPhase
from gpuinstance.api.words import OperationPhase, OperationType
from gpuinstance.core.decision import ApplyUpgrade, OrderUpgrade
from gpuinstance.core.model import Machine, MachineState, Sizes, Software
from gpuinstance.core.record import Accepted, Answer, Outdated, Refused, Unclear
from gpuinstance.core.snapshot import Blind
from gpuinstance.core.upgrade.decide import decide_upgrade
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.record import record_upgrade
from gpuinstance.core.upgrade.snapshot import MachineSeen, OrderSeen, Quote, UpgradeSnapshot
from gpuinstance.reconcile import to_json
from tests import laws_of_upgrades as laws
from tests.builders import InstanceBuilder
from tests.materials import HOST, NOW, ago, operation, refusal, report
from tests.upgrade_builders import (
    BIG,
    DIRECT_LIMITS,
    OURS,
    PAID,
    PLANS,
    SMALL,
    THEIRS,
    UpgradeBuilder,
    direct,
    look,
    pod,
    rented,
    renting,
    server,
    upgrade,
    vars_of,
)

EXAMPLES = settings().max_examples
ANSWERS: tuple[Answer, ...] = (
    Accepted(),
    Unclear("no answer came"),
    Refused(Reason.RATE_LIMITED, "slowly", needs_person=False, retry_after=timedelta(seconds=40)),
    Refused(Reason.REQUEST_REJECTED, "no", needs_person=True),
    Outdated("it has moved on"),
)
_SPANS = (0, 1, 29, 59, 60, 61, 599, 600, 1799, 1800, 1801, 7200, 300_000)
moments = st.sampled_from([ago(seconds=span) for span in _SPANS])
phases = st.sampled_from(CallPhase)


@st.composite
def ordered_states(draw: st.DrawFn) -> UpgradeBuilder:
    """A step of the saga of a plan, with its last call at any moment and in any phase."""
    began, attempt = draw(moments), draw(st.integers(1, 3))
    more: dict[str, Any] = {"attempt": attempt}
    phase = draw(phases)
    if phase is CallPhase.REFUSED:
        more |= {
            "reason": draw(st.sampled_from([Reason.RATE_LIMITED, Reason.REQUEST_REJECTED, Reason.UNAUTHORIZED])),
            "retryable": draw(st.booleans()),
            "retry_in": draw(st.sampled_from([0, 30])),
        }
    sent: Callable[[UpgradeBuilder], UpgradeBuilder] = draw(
        st.sampled_from(
            [
                lambda it: it,
                lambda it: it.seen(),
                lambda it: it.ordering(phase, began=began, **more),
                lambda it: it.awaiting_payment(since=began),
                lambda it: it.awaiting_payment(since=began, total="0.00"),
                lambda it: it.awaiting_payment(since=began, total="0.00").with_status(paid_at=NOW),
                lambda it: it.paid(),
                lambda it: it.applying(phase, began=began, **more),
                lambda it: it.resizing(),
                lambda it: it.resized(),
                lambda it: it.confirming(phase, began=began, **more),
                lambda it: it.reverting(phase, began=began, **more),
                lambda it: it.kept(),
            ]
        )
    )
    return sent(upgrade())


WORDS: tuple[Callable[[UpgradeBuilder], UpgradeBuilder], ...] = (
    lambda it: it.cancelled(),
    lambda it: it.confirmed(),
    lambda it: it.confirming_invoice(),
    lambda it: it.confirming_invoice("999"),
    lambda it: it.limited_to("1"),
    lambda it: it.limited_to("100"),
    lambda it: it.with_spec(confirmation="Manual"),
    lambda it: it.with_spec(on_verify_failure="Hold"),
    lambda it: it.deleting(),
    lambda it: it.without_finalizer(),
    lambda it: it.of_generation(3),
)
words = st.lists(st.sampled_from(WORDS), max_size=3)

SERVING = renting().serving_at(HOST, 80)
INSTANCES: tuple[InstanceBuilder | None, ...] = (
    SERVING,
    SERVING,
    SERVING,
    renting(),
    renting().suspended(),
    renting().deleting(),
    renting().edited(power_state="Stopped"),
    renting().during(operation(OperationType.STOP, OperationPhase.MONITORING)),
    renting().with_status(instance=None),
    renting().with_status(instance={"id": "m-2", "name": "x"}),
    None,
)
states = st.sampled_from([*MachineState, *[MachineState.RUNNING, MachineState.RESIZING, MachineState.RESIZED] * 3])
sizes = st.sampled_from([SMALL, SMALL, BIG, BIG, Sizes(8192, 4, 200), Sizes(0, 2, 100), None])
servers = st.builds(server, states, sizes, trouble=st.sampled_from(["", "", "", "No valid host"]))
FREE = replace(OURS, total=Decimal(0))
UNBILLED, DRAFT = replace(FREE, invoice_id="0"), replace(FREE, is_void=True)
ODD = [THEIRS, replace(THEIRS, paid=True), replace(OURS, total=None), UNBILLED, DRAFT]
orders = st.sampled_from([OURS, OURS, PAID, FREE, *ODD, None])


class Facts:
    """What the provider would answer, if the rules asked."""

    def __init__(self, **known: Any) -> None:
        self._known: Mapping[str, Any] = known

    def give(self, s: UpgradeSnapshot, need: UpgradeNeed) -> UpgradeSnapshot:
        """Return the snapshot with the fact; asking twice for the same is a mistake."""
        name = "fresh" if need is UpgradeNeed.MACHINE else need.name.lower()
        assert getattr(s, name) is None, f"{need} was known already"
        return replace(s, **{name: self._known[name]})


@st.composite
def snapshots(draw: st.DrawFn) -> tuple[UpgradeSnapshot, Facts]:
    """A step of the saga, words of a person, and a provider that may show anything."""
    builder = draw(ordered_states())
    for word in draw(words):
        builder = word(builder)
    machine: Machine | None = draw(st.none() | servers)
    given_look = look(
        builder,
        *([machine] if machine is not None else []),
        instance=draw(st.sampled_from(INSTANCES)),
        listed_at=draw(moments),
        ahead=draw(st.sampled_from([None, None, None, "first"])),
    )
    if given_look.instance is not None and draw(st.integers(0, 9)) == 0:
        view = Blind(draw(st.sampled_from(Reason)), "the provider is away", draw(st.booleans()), draw(moments))
        given_look = replace(given_look, view=view)
    asked: datetime = draw(moments)
    fresh: Machine | None = draw(st.sampled_from([machine, machine, None]) | servers)
    return given_look, Facts(
        fresh=MachineSeen(fresh, asked),
        order=OrderSeen(draw(orders), asked),
        plans=draw(st.sampled_from([PLANS, PLANS, ()])),
        health=draw(st.sampled_from([report(80), report(sick=[80]), report()])),
        quote=Quote(None),
        software=Software("other:2"),
    )


_TARGETS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"rootfs_expand_gb": 40}, {"rootfs_size_gb": 100}),
    ({"ports": [{"port": 8080}]}, {"ports": "8080/http"}),
    ({"image": {"image": "other:2"}}, {"image": "other:2"}),
    ({"billing": {"months": 3}}, {"billing_mode": "Monthly"}),
]
"""What is asked for, and what the machine is to become."""


@st.composite
def direct_snapshots(draw: st.DrawFn) -> tuple[UpgradeSnapshot, Facts]:
    """The same for a change that is applied without an order."""
    target, fields = draw(st.sampled_from(_TARGETS))
    builder = direct(**target)
    if draw(st.booleans()):
        phase, began = draw(phases), draw(moments)
        why = {"reason": Reason.RATE_LIMITED} if phase is CallPhase.REFUSED else {}
        builder = builder.changing(MachineShape(**fields), rented(), phase, began=began, **why)
    for word in draw(words):
        builder = word(builder)
    shown = replace(
        rented(),
        state=draw(states),
        image=draw(st.sampled_from([rented().image, "other:2", ""])),
        rootfs_gb=draw(st.sampled_from([60, 100, None])),
        started_at=draw(st.sampled_from([rented().started_at, ago(seconds=3), None])),
    )
    given_look = look(builder, shown, instance=pod(), limits=vars_of(DIRECT_LIMITS), listed_at=draw(moments))
    return given_look, Facts(
        fresh=MachineSeen(draw(st.sampled_from([shown, shown, None])), draw(moments)),
        quote=Quote(None),
        software=draw(st.sampled_from([Software("other:2"), refusal(Reason.CREDENTIALS_UNAVAILABLE)])),
        order=OrderSeen(None, NOW),
        plans=(),
        health=report(),
    )


@settings(max_examples=4 * EXAMPLES)
@given(snapshots())
def test_every_decision_keeps_the_laws(drawn: tuple[UpgradeSnapshot, Facts]) -> None:
    """Any step, any word, any picture: lawful, nothing without its intent, nothing blind, nothing unpaid."""
    keep_promises(*drawn)


@settings(max_examples=EXAMPLES)
@given(direct_snapshots())
def test_every_decision_about_a_direct_change_keeps_the_laws(drawn: tuple[UpgradeSnapshot, Facts]) -> None:
    """The same for image, disk, ports and billing."""
    keep_promises(*drawn)


TORN = ("call", "order", "target", "before", "instance", "payment_deadline", "ordered_at", "applied_at", "conditions")


@settings(max_examples=EXAMPLES)
@given(snapshots(), st.sets(st.sampled_from(TORN), min_size=1))
def test_a_torn_status_is_answered_too(drawn: tuple[UpgradeSnapshot, Facts], torn: set[str]) -> None:
    """Somebody has torn pieces out of the status: the rules answer, and still apply nothing that was not paid."""
    s, facts = drawn
    whole = s.status.model_dump()
    status = InstanceUpgradeStatus(**{name: it for name, it in whole.items() if name not in torn})
    s = replace(s, upgrade=s.upgrade.model_copy(update={"status": status}))
    s, decision = decided(s, facts)
    if isinstance(decision.action, ApplyUpgrade):
        assert s.status.paid_at is not None
    if isinstance(s.view, Blind):
        assert decision.action is None


def decided(s: UpgradeSnapshot, facts: Facts) -> tuple[UpgradeSnapshot, UpgradeDecision]:
    """Ask the rules as the observer does, and return what was known in the end."""
    for _ in range(8):
        decision = decide_upgrade(s)
        if decision.need is None:
            return s, decision
        s = facts.give(s, decision.need)
    raise AssertionError(f"the rules keep asking, at last {decision.rule} for {decision.need}")


def keep_promises(s: UpgradeSnapshot, facts: Facts) -> None:
    s, decision = decided(s, facts)
    event(decision.rule)
    laws.check_decision(s, decision)
    assert decision.rule != "give_up_on_unknown_status"
    if decision.action is not None:
        judge_action(s, decision)
    elif not decision.release and not decision.remove:
        comes_to_rest(s, facts, decision)


def judge_action(s: UpgradeSnapshot, decision: UpgradeDecision) -> None:
    """What is done is done to a machine that may be touched, and every answer to it can be written down."""
    machine = s.machine
    assert machine is not None
    assert machine.state in (MachineState.RUNNING, MachineState.RESIZED)
    assert decision.status.holds_machine or isinstance(decision.action, OrderUpgrade)
    if isinstance(decision.action, ApplyUpgrade) and s.status.order is not None and s.order is not None:
        shown, known = s.order.order, s.status.order
        was_free = known.total == "0.00" and s.spec.payment.confirmed_invoice_id != known.invoice_id
        assert not (was_free and shown is not None and shown.total and not shown.paid), "nobody has paid that"
    saved = afterwards(s, decision.status)
    for answer in ANSWERS:
        recorded = record_upgrade(saved, answer)
        assert recorded.action is None
        laws.check(recorded.status)
        laws.check_step(saved.status, recorded.status)


def comes_to_rest(s: UpgradeSnapshot, facts: Facts, decision: UpgradeDecision) -> None:
    """The same picture again and again: after a few passes nothing new is written, or something is done."""
    for _ in range(6):
        before, s = decision.status, afterwards(s, decision.status)
        s, decision = decided(s, facts)
        laws.check_decision(s, decision)
        if decision.action is not None or decision.release or decision.remove or decision.status == before:
            return
    raise AssertionError(f"{decision.rule} writes something new each time: {decision.status}")


def afterwards(s: UpgradeSnapshot, status: InstanceUpgradeStatus) -> UpgradeSnapshot:
    """Return the snapshot of the next pass at the same moment: the status was saved and read back."""
    read_back = InstanceUpgradeStatus.model_validate(to_json(status))
    known = replace(s, upgrade=s.upgrade.model_copy(update={"status": read_back}))
    return replace(known, fresh=None, order=None, plans=None, quote=None, software=None, health=None)
