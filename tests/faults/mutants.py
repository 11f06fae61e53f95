"""Broken builds, as a test of the campaign: each makes a mistake that costs money, and must be caught.

`mutated` breaks the product in this process for as long as its block lasts; `python -m tests.faults.mutants NAME`
starts a broken operator. Nothing of this is in the product.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from gpuinstance.acting import act
from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import OrderStatus
from gpuinstance.api.upgrade_words import UpgradePhase
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.core.snapshot import Blind, Seen, Snapshot
from gpuinstance.core.upgrade.answers import hold
from gpuinstance.core.upgrade.decision import UpgradeDecision
from gpuinstance.core.upgrade.rules import beginning
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from gpuinstance.core.upgrade.target import shape_of
from gpuinstance.kube import Key
from gpuinstance.observing import Observer
from gpuinstance.providers.base import Unauthorized
from gpuinstance.reconcile import Reconciler

Patches = Callable[[], list[Any]]


def _intent_saved_after_the_call() -> list[Any]:
    """The provider is called first, and what was meant is written down afterwards."""

    async def _pass(self: Reconciler, key: Key) -> timedelta | None:
        kind = self.kinds[key.kind]
        body = self.known.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            body = await self.kube.get_object(key)
            self.see(key, body)
        look = await kind.look(kind.parse(body))
        decision = look.decision
        answer = None
        if decision.action is not None and look.account is not None:
            answer = await act(look.account, decision.action)
        saved = await self._save(key, body, look.status, decision.status)
        if decision.release:
            self.released(key).set()
            return None
        if answer is None:
            return decision.requeue_after
        recorded = await self._record(key, saved, look, answer)
        again: timedelta | None = recorded.requeue_after
        return again

    return [patch.object(Reconciler, "_pass", _pass)]


def _not_found_after_401_taken_as_gone() -> list[Any]:
    """Whoever may not look sees nothing, and believes that there is nothing."""
    see, ask = Observer.see, Observer._ask_about_machine

    async def blindly_see(self: Observer, instance: GPUInstance, *, max_age: float) -> Any:
        view, account = await see(self, instance, max_age=max_age)
        if isinstance(view, Blind) and view.needs_person:
            view = Seen((), (), self._now())
        return view, account

    async def blindly_ask(self: Observer, snapshot: Snapshot, account: Any) -> Snapshot:
        try:
            return await ask(self, snapshot, account)
        except Unauthorized:
            gone = snapshot.confirmed_gone | {str(snapshot.machine_id)}
            return replace(snapshot, confirmed_gone=gone, addresses=())

    return [patch.object(Observer, "see", blindly_see), patch.object(Observer, "_ask_about_machine", blindly_ask)]


def _order_adopted_blindly() -> list[Any]:
    """An order that is open is taken for one's own, and its invoice shown to be paid."""

    def adopt(s: UpgradeSnapshot, phase: Any) -> UpgradeDecision:
        assert s.order is not None
        assert s.machine is not None
        seen = s.order.order
        assert seen is not None
        order = OrderStatus(id=seen.id, order_id=seen.order_id, invoice_id=seen.invoice_id)
        accepted = beginning._accepted(s, s.machine, shape_of(s.machine))
        deadline = s.now + s.spec.payment.timeout
        words = f"pay invoice {order.invoice_id}"
        awaiting, reason = UpgradePhase.AWAITING_PAYMENT, Reason.AWAITING_PAYMENT
        return hold(s, awaiting, reason, words, order=order, ordered_at=s.now, payment_deadline=deadline, **accepted)

    return [patch.object(beginning, "foreign_order", adopt)]


MUTANTS: Mapping[str, Patches] = {
    "intent-saved-after-the-call": _intent_saved_after_the_call,
    "not-found-after-401-taken-as-gone": _not_found_after_401_taken_as_gone,
    "order-adopted-blindly": _order_adopted_blindly,
}


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """Break the product for as long as the block lasts."""
    patches = MUTANTS[name]()
    for it in patches:
        it.start()
    try:
        yield
    finally:
        for it in patches:
            it.stop()


if __name__ == "__main__":
    from gpuinstance.__main__ import main

    with mutated(sys.argv.pop(1)):
        main()
