"""The pass, and the one corridor through which everything goes:

    observe → decide → save the intent → act once → record → save → tell

Called by the wake queue, for one object at a time; the only caller of the rules, the providers, the
probes and Kubernetes. It decides nothing. A conflict ends the pass: the object has changed, so the
picture was old, and nothing has been done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import ValidationError
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from gpuinstance.acting import act
from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ConditionType
from gpuinstance.core.decision import Decision
from gpuinstance.core.news import News, news
from gpuinstance.core.record import Answer, Unclear, record
from gpuinstance.kube import Body, Conflict, Key, Kube, KubeError, Vanished, merge_patch
from gpuinstance.metrics import Metrics
from gpuinstance.observing import Look, Observer

_log = structlog.get_logger(__name__)

_AFTER_CONFLICT = timedelta(milliseconds=200)
_AFTER_API_TROUBLE = timedelta(seconds=5)
_AFTER_BUG = timedelta(seconds=60)
_RECORD_PATIENCE_SECONDS = 20.0
"""How long to insist on saving what a call has just brought about; after that, looking finds it."""
_MOST_PENDING_EVENTS = 1000


@dataclass(slots=True)
class Reconciler:
    """Makes the world follow one object at a time."""

    kube: Kube
    observer: Observer
    metrics: Metrics
    clock: Callable[[], datetime]
    _known: dict[Key, Body] = field(default_factory=dict)
    _released: dict[Key, asyncio.Event] = field(default_factory=dict)
    _telling: set[asyncio.Task[None]] = field(default_factory=set)

    def see(self, key: Key, body: Body) -> None:
        """Take note of the object as the watch shows it, unless something newer is known."""
        known = self._known.get(key)
        if known is None or _version(body) >= _version(known):
            self._known[key] = body

    def forget(self, key: Key) -> None:
        """The object is gone from the cluster."""
        self._known.pop(key, None)
        self.observer.forget(key.uid)
        self.released(key).set()
        self._released.pop(key, None)

    def known(self) -> list[Body]:
        """Return all objects as last seen, for gauges."""
        return list(self._known.values())

    def released(self, key: Key) -> asyncio.Event:
        """Return the event that is set once the object may go."""
        return self._released.setdefault(key, asyncio.Event())

    async def once(self, key: Key) -> timedelta | None:
        """One pass over one object; returns when to look again. Raises nothing but cancellation."""
        started = asyncio.get_running_loop().time()
        result, again = "done", None
        try:
            again = await self._pass(key)
        except Conflict:
            self._known.pop(key, None)
            self.metrics.conflict()
            result, again = "conflict", _AFTER_CONFLICT
        except Vanished:
            self.forget(key)
            result = "vanished"
        except KubeError as error:
            _log.warning("the API server cannot be used", object=_name(key), error=str(error))
            result, again = "kubernetes", _AFTER_API_TROUBLE
        except ValidationError as error:
            _log.error(
                "the object does not fit its schema",
                object=_name(key),
                error=str(error.errors(include_input=False))[:500],
            )
            result, again = "invalid", _AFTER_BUG
        except Exception:  # noqa: BLE001 - a bug in one object's pass must not stop the others
            _log.exception("a pass failed unexpectedly", object=_name(key))
            result, again = "error", _AFTER_BUG
        self.metrics.passed(result, asyncio.get_running_loop().time() - started)
        return again

    async def _pass(self, key: Key) -> timedelta | None:
        # The object as last seen will do: whatever is done is first saved with its resourceVersion
        # as precondition. Only a deleting object is read: kopf holds back its events meanwhile.
        body = self._known.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            body = await self.kube.get_instance(key)
            self.see(key, body)
        look = await self.observer.look(GPUInstance.model_validate(body))
        decision = look.decision
        self.metrics.decided(decision.rule)
        saved = await self._save(key, body, look.snapshot.status, decision.status)
        if decision.release:
            self.released(key).set()
            return None
        if decision.action is None:
            return decision.requeue_after
        if saved is body:
            # Nothing was written, so nothing has proved yet that the object is still as it was.
            await self._require_current(key, body)
        return await self._act_and_record(key, saved, look)

    async def _require_current(self, key: Key, body: Body) -> None:
        current = await self.kube.get_instance(key)
        if _version(current) != _version(body):
            raise Conflict("the object has changed")

    async def _act_and_record(self, key: Key, saved: Body, look: Look) -> timedelta | None:
        action, account = look.decision.action, look.account
        assert action is not None
        assert account is not None
        answer = await act(account, action)
        name = type(action).__name__
        if isinstance(answer, Unclear):
            self.metrics.unknown_outcome(name)
        _log.info(
            "called the provider", object=_name(key), action=name, answer=type(answer).__name__, rule=look.decision.rule
        )
        return (await self._record(key, saved, look, answer)).requeue_after

    async def _record(self, key: Key, saved: Body, look: Look, answer: Answer) -> Decision:
        """Save what became of the call, and insist: somebody may edit the object at this moment."""
        action = look.decision.action
        assert action is not None
        body = saved
        intent = GPUInstance.model_validate(saved).status.operation
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, KubeError) and not isinstance(e, Vanished)),
            wait=wait_random_exponential(0.1, max=2),
            stop=stop_after_delay(_RECORD_PATIENCE_SECONDS),
            reraise=True,
        ):
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    body = await self.kube.get_instance(key)
                instance = GPUInstance.model_validate(body)
                snapshot = replace(look.snapshot, instance=instance, now=self.clock().replace(microsecond=0))
                current = instance.status.operation
                if intent is not None and (current is None or current.id != intent.id):
                    return Decision(status=instance.status, requeue_after=timedelta())
                decision = record(snapshot, action, answer)
                await self._save(key, body, instance.status, decision.status)
        return decision

    async def _save(self, key: Key, body: Body, old: GPUInstanceStatus, new: GPUInstanceStatus) -> Body:
        # Against the parsed old status, not the stored one: fields of a newer version stay.
        patch = merge_patch(to_json(old), to_json(new))
        if not patch:
            return body
        saved = await self.kube.patch_status(body, patch)
        self.metrics.wrote("status")
        self.see(key, saved)
        self._tell(key, saved, old, new)
        return saved

    def _tell(self, key: Key, body: Body, old: GPUInstanceStatus, new: GPUInstanceStatus) -> None:
        """Say it after it is saved: log, counters, Event."""
        before, after = old.condition(ConditionType.READY), new.condition(ConditionType.READY)
        if after is not None and (before is None or before.reason != after.reason or old.phase != new.phase):
            _log.info(
                "transition",
                object=_name(key),
                phase=new.phase,
                ready=after.status,
                reason=after.reason,
                message=after.message,
            )
            self.metrics.transition(after.reason)
        if new.ready_at is not None and new.ready_at != old.ready_at and new.last_operation is not None:
            self.metrics.became_ready((new.ready_at - new.last_operation.started_at).total_seconds())
        item = news(old, new)
        if item is None or len(self._telling) >= _MOST_PENDING_EVENTS:
            return
        task = asyncio.create_task(self._post(key, body, item))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _post(self, key: Key, body: Body, item: News) -> None:
        try:
            await self.kube.post_event(body, reason=item.reason, message=item.message, warning=item.warning)
            self.metrics.wrote("event")
        except KubeError as error:
            _log.warning("an Event could not be posted", object=_name(key), reason=item.reason, error=str(error))

    async def drain(self) -> None:
        """Wait for Events on their way."""
        await asyncio.gather(*self._telling, return_exceptions=True)


def to_json(status: GPUInstanceStatus) -> dict[str, Any]:
    """Return a status as Kubernetes stores it: no nulls, no empty parts."""
    document = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in document.items() if value not in ({}, [], None)}


def _version(body: Body) -> int:
    """Return the resourceVersion as a number; versions of one object grow."""
    version = str(body["metadata"].get("resourceVersion", "0"))
    return int(version) if version.isdecimal() else 0


def _name(key: Key) -> str:
    return f"{key.namespace}/{key.name}"
