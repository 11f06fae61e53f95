"""The judge: from the provider's ledger and the objects at the end to what is wrong with a run.

Pure, and the same for both tiers: it reads the ledger in the JSON of the simulator's admin API. The reference
is the same life without trouble. The invariants are those of docs/faults.md, named in each sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.findings import Findings
from tests.faults.steps import Json

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """What is left of a life."""

    ledger: Sequence[Entry]
    """All that the provider accepted, from anybody, for any machine."""
    machines: Sequence[Json]
    """That exist at the end, without lag: `name`, `state`."""
    prefix: str
    """What the names of the machines of our object begin with."""
    instance: Json | None
    """None once it is gone."""
    upgrade: Json | None = None
    writes_at_rest: int = 0
    changes_at_rest: int = 0
    complaints: tuple[str, ...] = ()
    """What was seen to be wrong while it lasted."""
    lost: int = 0
    """Machines that were left running when the finalizer went."""
    came_true: bool = True
    """Whether what the scenario waits for came true."""
    released: tuple[str, ...] = field(default=())
    """Names of objects whose deletion is not over."""

    @property
    def ours(self) -> list[Json]:
        """Our machines."""
        return [it for it in self.machines if it["name"].startswith(self.prefix)]

    @property
    def accepted(self) -> Counter[str]:
        """What was accepted from the operator for our machines."""
        return Counter(
            it["operation"] for it in self.ledger if it["actor"] == "api" and it["machine_name"].startswith(self.prefix)
        )


def judge(end: End, reference: End | None, *, same_end: bool = True) -> Findings:
    """Return what is wrong. Without `same_end` the trouble may change the outcome, but not what is safe."""
    findings = Findings(writes_at_rest=end.writes_at_rest)
    for words in end.complaints:
        findings.add(words)
    _judge_purchases(end, findings)
    _judge_payments(end, findings)
    _judge_strangers(end, findings)
    _judge_rest(end, findings)
    if end.lost:
        findings.add(f"I4: {end.lost} machines were still there when the finalizer went", orphans=end.lost)
    if reference is not None:
        _judge_leftovers(end, reference, findings, same_end=same_end)
        if same_end:
            _judge_sameness(end, reference, findings)
    elif not end.came_true:
        findings.add("the undisturbed run does not end as it should")
    return findings


def _judge_purchases(end: End, findings: Findings) -> None:
    """I1: nothing is bought while another machine of the object exists that nobody has asked to remove."""
    alive: dict[str, str] = {}
    for entry in end.ledger:
        name, machine = entry["machine_name"], entry["machine_id"]
        if not name.startswith(end.prefix):
            continue
        if entry["operation"] == "create":
            if entry["actor"] != "api":
                continue  # somebody bought under our name: it is removed later, and nobody could know
            if alive:
                findings.add(f"I1: {name} was bought beside {', '.join(alive.values())}", duplicates=1)
            alive[machine] = name
        elif entry["operation"] == "delete":
            alive.pop(machine, None)


def _judge_payments(end: End, findings: Findings) -> None:
    """I2: an upgrade is paid once, for an order of its own, and nothing is applied before."""
    ours = [it for it in end.ledger if it["machine_name"].startswith(end.prefix)]
    payments = [it for it in ours if it["operation"] == "pay"]
    ordered = {it["detail"]["invoice"] for it in ours if it["operation"] == "order" and it["actor"] == "api"}
    paid: set[object] = set()
    for entry in ours:
        invoice = entry["detail"].get("invoice")
        if entry["operation"] == "pay":
            paid.add(invoice)
        elif entry["operation"] == "apply" and entry["actor"] == "api" and invoice not in paid:
            findings.add(f"I2: invoice {invoice} was not paid when its upgrade was applied", double_charges=1)
    own = [it for it in payments if it["detail"].get("invoice") in ordered or it["actor"] == "provider"]
    if len(own) > 1:
        findings.add(f"I2: {len(own)} payments for one upgrade", double_charges=len(own) - 1)
    order = ((end.upgrade or {}).get("status") or {}).get("order") or {}
    claimed = order.get("invoiceID")
    if claimed is not None and claimed not in {str(it) for it in ordered}:
        findings.add(f"I2: invoice {claimed} is of somebody else's order, and was taken for its own", double_charges=1)


def _judge_strangers(end: End, findings: Findings) -> None:
    """I3: the operator touches no machine but its own."""
    for entry in end.ledger:
        if entry["actor"] == "api" and not entry["machine_name"].startswith(end.prefix):
            findings.add(f"I3: {entry['operation']} was sent to {entry['machine_name']}")


def _judge_rest(end: End, findings: Findings) -> None:
    """I8: at rest nothing is written, and nothing changed."""
    if end.writes_at_rest:
        findings.add(f"I8: {end.writes_at_rest} writes to Kubernetes at rest")
    if end.changes_at_rest:
        findings.add(f"I8: {end.changes_at_rest} changes at the provider at rest")


def _judge_leftovers(end: End, reference: End, findings: Findings, *, same_end: bool) -> None:
    """I4 and I5: what was to go is gone, and no machine lives that nobody owns."""
    if reference.instance is None and end.instance is not None:
        held = bool(end.instance["metadata"].get("deletionTimestamp"))
        findings.add("I4: the deleted object never goes" if held else "the object was to be deleted", finalizers=held)
    allowed = max(len(reference.ours), 1 if end.instance is not None and not same_end else 0)
    surplus = len(end.ours) - allowed
    if surplus > 0:
        names = ", ".join(f"{it['name']} ({it['state']})" for it in end.ours)
        findings.add(f"I5: {surplus} machines too many live on: {names}", orphans=surplus)


def _judge_sameness(end: End, reference: End, findings: Findings) -> None:
    """I6 and I7: the same changes, the same machines, the same final status as without trouble."""
    if not end.came_true:
        findings.add(f"the scenario does not come to its end: {_told(end)}")
    if end.accepted != reference.accepted:
        findings.add(f"I6: {dict(end.accepted)} was accepted, and {dict(reference.accepted)} without trouble")
    if (now := [it["state"] for it in end.ours]) != (then := [it["state"] for it in reference.ours]):
        findings.add(f"I6: the machines are {now}, and {then} without trouble")
    for name, shown, expected in (
        ("instance", masked(end.instance), masked(reference.instance)),
        ("upgrade", masked(end.upgrade), masked(reference.upgrade)),
    ):
        if shown != expected:
            findings.add(f"I7: the {name} ends otherwise: {_difference(shown, expected)}")


def _told(end: End) -> str:
    """The words of whichever object has something to say."""
    bodies: Iterable[Json] = [it for it in (end.upgrade, end.instance) if it is not None]
    ready = [c for body in bodies for c in (body.get("status") or {}).get("conditions", ()) if c["type"] == "Ready"]
    return "; ".join(f"{c['reason']}: {c['message']}" for c in ready)


_SAME = ("phase", "outcome", "observedGeneration", "applied", "handledActions", "target", "before", "after")


def masked(body: Json | None) -> Json | None:
    """Return what a status says, without times, ids, messages, counts of attempts, and prices, which may rise."""
    if body is None:
        return None
    status = body.get("status") or {}
    kept: dict[str, Any] = {name: _timeless(status.get(name)) for name in _SAME}
    kept["conditions"] = sorted((c["type"], c["status"], c["reason"]) for c in status.get("conditions", ()))
    kept["operation"] = status.get("operation")
    kept["ports"] = [it["port"] for it in status.get("endpoints") or ()]
    return kept


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _timeless(inner) for key, inner in value.items() if not key.endswith("At") and key != "hourlyPrice"
        }
    return value


def _difference(now: Json | None, then: Json | None) -> str:
    if now is None or then is None:
        return f"{'gone' if now is None else 'there'}, and {'gone' if then is None else 'there'} without trouble"
    return "; ".join(f"{key} is {now[key]}, not {then[key]}" for key in now if now[key] != then[key])
