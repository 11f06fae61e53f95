"""Living one scenario on a lane: carry out its steps, revive the operator where it was killed, see how it ends."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import KIND, GPUInstance, ObjectMeta
from gpuinstance.core.naming import Identity
from tests import laws
from tests.controlplane import audit
from tests.faults.fate import Fate
from tests.faults.judge import End
from tests.faults.real.cluster import Body, Objects
from tests.faults.real.lane import POLL, Lane, until
from tests.faults.scenarios import Scenario
from tests.faults.steps import FOUND, Apply, Await, Delete, Edit, Find, Forget, Gone, Json, Pay, Reclaim, Step, Upgrade
from tests.rig.stack import SERVICE_ACCOUNT

SECONDS = 90.0
"""Longer than anything takes on a busy machine; only a failing run waits for so long."""
_QUIET, _REST = 1.0, 1.6
"""Seconds without a write that are rest, and of rest in which writes are counted."""
_ON_THE_WAY_OUT = frozenset({"toRemove", "removing", "removed", "deleting"})
_USER = f"system:serviceaccount:{SERVICE_ACCOUNT}:{SERVICE_ACCOUNT}"

_numbers = itertools.count(1)

Deed = Callable[["Life"], None]


class Life:
    """One scenario, lived once. Its objects have names of their own, so that runs do not meet."""

    def __init__(self, lane: Lane, scenario: Scenario, fate: Fate) -> None:
        self.lane = lane
        self._scenario = scenario
        self._fate = fate
        self.objects = Objects(lane.cluster, lane.namespace)
        self.simulator = lane.simulator(scenario.provider)
        self.name = f"life-{next(_numbers)}"
        self.prefix = "?"
        self._adoption: Json = {}
        self.complaints: list[str] = []
        self._lost = 0
        self.is_over = False
        """Set by who has changed the story: the steps that are left are not taken."""
        self._first = len(self.simulator.ask("ledger"))
        fate.die = lane.kill
        lane.warden.fate = fate
        lane.warden.released = self._released
        lane.warden.saved = self._saved

    def live(self, *, beforehand: Deed | None = None, meanwhile: Deed | None = None) -> End:
        """Live it, and clean up; trouble comes in its last part: `beforehand`, or after its first step."""
        try:
            for step in self._scenario.before:
                self._take(step)
            self._await_quiet()
            self._fate.armed = True
            for number, step in enumerate(self._scenario.steps):
                if number == 0 and beforehand is not None:
                    beforehand(self)
                if not self.is_over:
                    self._take(step)
                if number == 0 and meanwhile is not None:
                    meanwhile(self)
            self._fate.close_book()
            end = self._end()
            self._fate.armed = False
            self._clean_up()
            return end
        finally:
            self.objects.close()

    def _take(self, step: Step) -> None:
        objects, name = self.objects, self.name
        match step:
            case Apply():
                body = objects.create(KIND, name, {**self._scenario.spec, **self._adoption})
                self.prefix = self.prefix if self._adoption else _prefix(body)
            case Find():
                self._find()
            case Reclaim():
                [mine] = self.machines_of_mine()
                self.simulator.tell(f"machines/{mine['id']}/console", {"action": "reclaim", "notice": 0})
            case Edit(spec):
                objects.edit(KIND, name, spec)
            case Delete():
                objects.delete(KIND, name)
            case Upgrade(spec):
                objects.create(UPGRADE_KIND, name, {"instanceRef": {"name": name}, **spec})
            case Pay():
                self._pay()
            case Forget(blind):
                self._forget(blind=blind)
            case Await() | Gone():
                self._until(step)

    def _find(self) -> None:
        name = f"{FOUND}-{self.lane.namespace}-{self.name}"
        spec = self._scenario.spec
        wanted = {"name": name, "image": spec["image"], "ports": [{"number": it["port"]} for it in spec["ports"]]}
        bought = self.simulator.tell("machines", wanted)
        self._adoption, self.prefix = {"adopt": {"instanceID": bought["id"]}}, name
        until(lambda: [it["state"] for it in self.machines_of_mine()] == ["running"], SECONDS)

    def _forget(self, *, blind: bool) -> None:
        if blind:
            effect = {"kind": "answer", "status": 500}
            self.simulator.tell("faults", {"id": "blind", "operation": "list", "count": 12, "effect": effect})
        self.lane.kill()
        self.objects.replace_status(KIND, self.name, {})
        self.lane.revive()

        def is_written() -> bool:
            self.lane.revive()
            body = self.objects.get(KIND, self.name)
            return body is not None and body["status"].get("observedGeneration", -1) > 0

        until(is_written, SECONDS)

    def _until(self, step: Await | Gone) -> None:
        def holds() -> bool:
            self.lane.revive()
            return step.holds(self._body_of(step)) or self._is_over()

        until(holds, SECONDS)

    def _body_of(self, step: Await | Gone) -> Body | None:
        return self.objects.get(UPGRADE_KIND if isinstance(step, Await) and step.of_upgrade else KIND, self.name)

    def _is_over(self) -> bool:
        if not self._scenario.has_upgrade:
            return False
        upgrade = self.objects.get(UPGRADE_KIND, self.name)
        return "completedAt" in ((upgrade or {}).get("status") or {})

    def _pay(self) -> None:
        upgrade = self.objects.get(UPGRADE_KIND, self.name)
        invoice = ((upgrade or {}).get("status") or {}).get("order", {}).get("invoiceID")
        if invoice is None or self._is_over():
            return
        self.simulator.pay(invoice)
        self.objects.edit(UPGRADE_KIND, self.name, {"payment": {"confirmedInvoiceID": invoice}})

    def machines_of_mine(self) -> list[dict[str, Any]]:
        """The machines of this life that exist and are not on their way out."""
        return [it for it in self._machines() if it["name"].startswith(self.prefix)]

    def again(self) -> None:
        """The object is gone: it is created once more, and judged from here on."""
        self._first = len(self.simulator.ask("ledger"))
        self._take(Apply())

    # How it ends ------------------------------------------------------------------------------------------

    def _end(self) -> End:
        self._await_quiet()
        if self._fate.fulfil():
            self._await_quiet()
        self.lane.revive()
        since, calls, changes = self._now(), self._calls(), len(self._ledger())
        time.sleep(_REST)
        looked = self._calls() - calls
        if looked > 4 * _REST / POLL + 4:
            self.complaints.append(f"I8: {looked} calls to the provider in {_REST} s of rest")
        last = self._scenario.end
        instance = self.objects.get(KIND, self.name)
        upgrade = self.objects.get(UPGRADE_KIND, self.name) if self._scenario.has_upgrade else None
        if "Traceback" in self.lane.log:
            self.complaints.append("something has surprised the operator: see its log")
        return End(
            ledger=self._ledger(),
            machines=self._machines(),
            prefix=self.prefix,
            instance=instance,
            upgrade=upgrade,
            writes_at_rest=len(self._writes(since)),
            changes_at_rest=len(self._ledger()) - changes,
            complaints=tuple(self.complaints),
            lost=self._lost,
            came_true=last.holds(self._body_of(last)),
        )

    def _await_quiet(self) -> None:
        """Wait until the operator is alive and has not written for a while."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            since = self._now()
            time.sleep(_QUIET)
            if not self.lane.revive() and not self._writes(since):
                return

    def _clean_up(self) -> None:
        """Nothing of this life is left for the next one; what policy keeps at the provider goes by hand."""
        for kind in (UPGRADE_KIND, KIND):
            self.objects.delete(kind, self.name)
        for kind in (UPGRADE_KIND, KIND):
            if not until(lambda kind=kind: self.objects.get(kind, self.name) is None, SECONDS):  # type: ignore[misc]  # bound at once
                self.complaints.append("cleaning up never ends")
        self.simulator.forget("faults")
        for machine in self.machines_of_mine():
            self.simulator.tell(f"machines/{machine['id']}/console", {"action": "delete"})

    def _ledger(self) -> list[dict[str, Any]]:
        """What was accepted since this life began, for anybody's machines."""
        entries: list[dict[str, Any]] = self.simulator.ask("ledger")[self._first :]
        return entries

    def _machines(self) -> list[dict[str, Any]]:
        return [it for it in self.simulator.ask("machines") if it["state"] not in _ON_THE_WAY_OUT]

    def _calls(self) -> int:
        return int(self.simulator.ask("calls")["total"])

    def _now(self) -> int:
        assert self.lane.cluster.audit_log is not None
        return audit.position(self.lane.cluster.audit_log)

    def _writes(self, since: int) -> list[audit.Request]:
        assert self.lane.cluster.audit_log is not None
        found = audit.writes(self.lane.cluster.audit_log, user=_USER, since=since)
        return [write for write in found if write.namespace == self.lane.namespace]

    # What the gates tell ----------------------------------------------------------------------------------

    async def _released(self, path: str) -> None:
        """A finalizer is about to go: what is at the provider at this moment?"""
        if not path.endswith(f"/{self.name}"):
            return  # kopf may ask once more for an object of the life before, which is gone
        policy = self._scenario.spec.get("deletionPolicy", "Delete")
        if policy == "Orphan":
            return
        machines = await asyncio.to_thread(self._machines)
        ours = [it for it in machines if it["name"].startswith(self.prefix)]
        self._lost += sum(policy == "Delete" or it["state"] not in {"exited", "shutoff"} for it in ours)

    def _saved(self, body: Mapping[str, Any]) -> None:
        if body.get("kind") != KIND or (body.get("status") or {}).get("observedGeneration", -1) < 0:
            return
        try:
            laws.check(GPUInstance.model_validate(body).status)
        except laws.LawBroken as broken:
            self.complaints.append(f"I12: {broken}")
        if body["status"]["observedGeneration"] > body["metadata"]["generation"]:
            self.complaints.append("I9: a generation was observed that did not exist yet")


def _prefix(body: Body) -> str:
    """What the names of the machines of this object begin with."""
    return Identity.of(ObjectMeta.model_validate(body["metadata"]), mark="gpui").name(0).removesuffix("0")
