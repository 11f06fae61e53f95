"""Replacement: ask the price, remove, see it gone, buy; and what vanished by itself is not bought again."""

from __future__ import annotations

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationPhase, OperationType, Phase, PowerState
from gpuinstance.core.decision import Delete, Need
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.replacement import recreate_on_token, report_lost_machine
from gpuinstance.core.snapshot import Snapshot
from tests.builders import ago, instance, machine, operation, order, refusal, snapshot
from tests.unit.core.table import SILENT, Answer, asks, does, is_stuck, judge, rows, waits

RECREATE, MONITORING = OperationType.RECREATE, OperationPhase.MONITORING
GONE = frozenset({"m-1"})
READY = instance().running()
REPLACING = (
    instance()
    .with_machine()
    .asking_recreate("again")
    .during(operation(RECREATE, MONITORING, began=ago(seconds=10), token="again"))
)
ASKED = instance().with_machine().asking_recreate("again")


@rows(
    ("nobody asks", snapshot(READY, machine()), SILENT),
    (
        "a token that was carried out asks for nothing",
        snapshot(ASKED.with_status(handled_actions={"recreate": "again"}), machine(), plan=order()),
        SILENT,
    ),
    ("there is no machine to replace", snapshot(instance().asking_recreate("again"), plan=order()), SILENT),
    (
        "what is to be down is not replaced now",
        snapshot(ASKED.wanting(PowerState.STOPPED), machine(), plan=order()),
        SILENT,
    ),
    ("the price comes first", snapshot(ASKED, machine()), asks(Need.PLAN)),
    (
        "without an offer the old machine stays",
        snapshot(ASKED, machine(), plan=refusal()),
        is_stuck(Reason.PRODUCT_NOT_FOUND, phase=Phase.RUNNING),
    ),
    (
        "too expensive: the old machine stays",
        snapshot(ASKED.with_spec(billing={"max_hourly_price": "0.1"}), machine(), plan=order()),
        is_stuck(Reason.PRICE_ABOVE_LIMIT),
    ),
    (
        "the old machine is removed",
        snapshot(ASKED, machine(), plan=order()),
        does(Delete("m-1"), Reason.RECREATING, intent=RECREATE),
    ),
    (
        "unless it goes already",
        snapshot(ASKED, machine(state=MachineState.REMOVING), plan=order()),
        waits(Reason.RECREATING, intent=RECREATE),
    ),
    ("its removal is waited for", snapshot(REPLACING, machine()), waits(Reason.RECREATING)),
    (
        "a removal without any effect is sent again",
        snapshot(
            ASKED.during(operation(RECREATE, MONITORING, began=ago(seconds=61), token="again")), machine(), plan=order()
        ),
        does(Delete("m-1"), Reason.RECREATING),
    ),
    (
        "but not of a machine that is to be stopped by now",
        snapshot(
            ASKED.wanting(PowerState.STOPPED).during(
                operation(RECREATE, MONITORING, began=ago(seconds=61), token="again")
            ),
            machine(),
        ),
        SILENT,
    ),
    (
        "a removal that takes too long is reported",
        snapshot(
            ASKED.during(operation(RECREATE, MONITORING, began=ago(hours=2), token="again")),
            machine(state=MachineState.REMOVING),
        ),
        waits(Reason.DELETE_TIMED_OUT),
    ),
    ("gone from the listing is not gone", snapshot(REPLACING), asks(Need.CONFIRMATION)),
    ("gone by the provider's word: buy", snapshot(REPLACING, confirmed_gone=GONE), SILENT),
    (
        "a second token while the first is carried out asks for nothing more",
        snapshot(REPLACING.asking_recreate("and again"), machine()),
        waits(Reason.RECREATING),
    ),
)
def test_recreate_on_token(given: Snapshot, answer: Answer | None) -> None:
    """Ask the price, remove, see it gone, buy: in this order, once for each token."""
    judge(recreate_on_token, given, answer)


@rows(
    ("the machine is there", snapshot(READY, machine()), SILENT),
    ("none was ever bought", snapshot(instance()), SILENT),
    ("it is being replaced", snapshot(REPLACING, confirmed_gone=GONE), SILENT),
    ("absence is asked about", snapshot(READY), asks(Need.CONFIRMATION)),
    (
        "a vanished machine is reported, and not bought again",
        snapshot(READY, confirmed_gone=GONE),
        is_stuck(Reason.INSTANCE_LOST, phase=Phase.TERMINATED),
    ),
    (
        "a withdrawn recreate token does not buy either",
        snapshot(REPLACING.with_spec(actions={}), confirmed_gone=GONE),
        is_stuck(Reason.INSTANCE_LOST),
    ),
)
def test_report_lost_machine(given: Snapshot, answer: Answer | None) -> None:
    """What vanished without our doing is a matter for a person: buying again costs money."""
    judge(report_lost_machine, given, answer)
